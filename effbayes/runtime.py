"""Everything that touches JAX's global state: precision, devices, and a key from a seed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import jax

from effbayes.arrays import RandomKey
from effbayes.errors import DeviceError, UsageError

PLATFORMS = ("cpu", "gpu", "tpu")


def device(platform: str | None = None) -> jax.Device:
    """The first device of a platform, or JAX's own choice.

    Parameters
    ----------
    platform
        ``"cpu"``, ``"gpu"``, ``"tpu"`` or None.

    Raises
    ------
    UsageError
        The platform is not one of these.
    DeviceError
        No such device is here, or no plugin for it is installed.
    """
    if platform is not None and platform not in PLATFORMS:
        raise UsageError(f"platform {platform!r} is not one of {', '.join(PLATFORMS)}")
    try:
        return jax.devices(platform)[0] if platform else jax.devices()[0]
    except RuntimeError as error:
        first = str(error).splitlines()[0] if str(error) else "no reason given"
        hint = {"gpu": "; install effbayes[cuda13]", "tpu": "; install effbayes[tpu]"}
        raise DeviceError(
            f"no {platform or 'JAX'} device here ({first}){hint.get(platform or '', '')}"
        ) from error


@contextmanager
def on_device(platform: str | None = None) -> Iterator[jax.Device]:
    """Run a block in double precision on a device, leaving the caller's own settings alone."""
    chosen = device(platform)
    with jax.enable_x64(True), jax.default_device(chosen):
        yield chosen


def root_key(seed: int) -> RandomKey:
    """The key from which every draw of an analysis descends.

    Parameters
    ----------
    seed
        Integer in [0, 2**63).
    """
    if not 0 <= seed < 2**63:
        raise UsageError(f"seed = {seed}, must be an integer from 0 to 2**63 - 1")
    return jax.random.key(seed)


PURPOSES = ("chains", "noise", "prior", "predictive")
"""What a run draws, in an order that only grows: a key never changes what another gives."""


def split_key(seed: int) -> dict[str, RandomKey]:
    """One independent key for each purpose of a run."""
    root = root_key(seed)
    return {name: jax.random.fold_in(root, i) for i, name in enumerate(PURPOSES)}


def device_names() -> list[str]:
    """Every device that JAX sees, as ``platform:kind``."""
    return [f"{one.platform}:{one.device_kind}" for one in jax.devices()]


def has_double_precision() -> bool:
    """Whether a fit really computes in 64 bits."""
    with on_device():
        return bool(jax.numpy.zeros(()).dtype == jax.numpy.float64)
