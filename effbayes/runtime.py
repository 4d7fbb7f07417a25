"""Everything that touches JAX's global state: precision, devices, and a key from a seed."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from effbayes.arrays import RandomKey
from effbayes.errors import DeviceError, UsageError, checked_seed

PLATFORMS = ("cpu", "gpu", "tpu")


def devices(platform: str | None = None) -> list[jax.Device]:
    """Every device of this process on a platform, or on JAX's own choice of one.

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
        found: list[jax.Device] = jax.local_devices(backend=platform)
    except RuntimeError as error:
        first = str(error).splitlines()[0] if str(error) else "no reason given"
        hint = {"gpu": "; install effbayes[cuda13]", "tpu": "; install effbayes[tpu]"}
        raise DeviceError(
            f"no {platform or 'JAX'} device here ({first}){hint.get(platform or '', '')}"
        ) from error
    return found


def device(platform: str | None = None, number: int = 0) -> jax.Device:
    """A device of a platform, by its number; numbers past the last begin anew.

    Raises
    ------
    UsageError, DeviceError
        As `devices`.
    """
    found = devices(platform)
    return found[number % len(found)]


def at_once(platform: str | None = None) -> int:
    """How many independent pieces of work to run side by side: one for each device or core."""
    found = devices(platform)
    return max(len(found), cores()) if found[0].platform == "cpu" else len(found)


@contextmanager
def on_device(platform: str | None = None, number: int = 0) -> Iterator[jax.Device]:
    """Run a block in double precision on a device, leaving the caller's own settings alone."""
    chosen = device(platform, number)
    with settings(chosen):
        yield chosen


@contextmanager
def settings(chosen: jax.Device) -> Iterator[None]:
    """Double precision and a device, for the length of a block and for this thread alone.

    So too the generator of random numbers: a seed means the same whatever the caller has chosen.
    """
    with (
        jax.enable_x64(True),
        jax.default_device(chosen),
        jax.default_prng_impl("threefry2x32"),
        jax.threefry_partitionable(True),
    ):
        yield


def stream(seed: int, digest: str) -> int:
    """The random stream of a run: its seed, and a digest of its data, in 64 bits.

    Two series under one seed must not share their random numbers: their posteriors are combined
    draw by draw as independent ones.

    Raises
    ------
    UsageError
        The seed is not an integer in [0, 2**63).
    """
    return checked_seed(seed) ^ int(digest[:16], 16)


def key_bits(stream: int) -> np.ndarray:
    """The two 32-bit words of a stream's root key."""
    return np.array([stream >> 32, stream & 0xFFFFFFFF], dtype=np.uint32)


PURPOSES = ("chains", "noise", "prior", "predictive")
"""What a run draws, in an order that only grows: a key never changes what another gives.

The first two are folded into the root key by the sampler itself (`effbayes.inference.chunk`).
"""


def split_key(stream: int) -> dict[str, RandomKey]:
    """One independent key for each purpose of a run's stream."""
    root = jax.random.wrap_key_data(jax.numpy.asarray(key_bits(stream)))
    return {name: jax.random.fold_in(root, i) for i, name in enumerate(PURPOSES)}


_kept: list[Path] = []


def keep_compiled(folder: Path) -> None:
    """Keep compiled programs in a folder, for this process and later ones.

    The folder is trusted as code is: whoever can write to it can make this program compute
    anything. A folder that cannot be written keeps nothing, and nothing fails.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError:
        return
    if not os.access(folder, os.W_OK):
        return
    _kept[:] = [folder]


def kept_programs() -> Path | None:
    """The folder that `keep_compiled` was given, if any."""
    return _kept[0] / "programs" if _kept else None


class Plan(NamedTuple):
    """How and where a program runs.

    Attributes
    ----------
    device
        Where it runs.
    made_for
        Device, precision and flags: what machine code depends on beside the program itself.
    vectorized
        Chains in lock step, as an accelerator likes it; else each on a thread of its own.
    threads
        How many chains run at once where they are not in lock step. It changes no result.
    folder
        Where programs are kept across processes, or None.
    cached_by_jax
        Whether JAX keeps them itself, as the caller has set it up.
    """

    device: jax.Device
    made_for: tuple[str, ...]
    vectorized: bool
    threads: int
    folder: Path | None
    cached_by_jax: bool


def plan(device: jax.Device) -> Plan:
    """The plan for a device, under the settings that are in force."""
    made_for = (
        device.platform,
        device.device_kind,
        device.client.platform_version,
        f"x64={bool(jax.config.jax_enable_x64)}",
        os.environ.get("XLA_FLAGS", ""),
        _processor() if device.platform == "cpu" else "",
    )
    return Plan(
        device,
        made_for,
        vectorized=device.platform != "cpu",
        threads=cores(),
        # Machine code belongs to one device: it is kept for the first of them.
        folder=kept_programs() if device.id == 0 else None,
        cached_by_jax=bool(jax.config.jax_compilation_cache_dir),
    )


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _processor() -> str:
    """What the processor can do, as far as the system says: a folder may be shared by machines."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return f"{platform.machine()} {platform.processor()}"
    known = ("model name", "flags", "Features", "CPU implementer", "CPU part")
    return "\n".join(sorted({line for line in lines if line.startswith(known)}))


def device_names() -> list[str]:
    """Every device that JAX sees, as ``platform:kind``."""
    return [f"{one.platform}:{one.device_kind}" for one in jax.devices()]


def has_double_precision() -> bool:
    """Whether a fit really computes in 64 bits."""
    with on_device():
        return bool(jax.numpy.zeros(()).dtype == jax.numpy.float64)
