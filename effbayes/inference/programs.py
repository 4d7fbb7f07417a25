"""Compiled programs: one per kernel and shape in a process, and kept in a folder across processes.

A program is exported by `jax.export` (StableHLO and shapes, no code of Python's) and sealed with a
digest. Its name is a digest of everything that it is made from: the sources of this package that it
is traced from, versions, device, flags, kernel and shapes. What cannot be read back as it was
written is made anew; what cannot be written is not kept. JAX's own compilation cache, where
`effbayes.runtime.keep_compiled` has switched it on, holds the machine code.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import export

from effbayes import provenance
from effbayes.inference.chunk import CHUNK, Arrays, Kernel

TRACED = ("inference", "models", "arrays.py", "trend.py")
"""Sources that a program is traced from; a change to any of them makes another program."""

SUFFIX = ".program"
_SEAL = 32  # bytes of the SHA-256 that end a file


class Program(NamedTuple):
    """`Kernel.advance`, compiled, and the shapes of its chains."""

    advance: Callable[[np.ndarray, Arrays, Mapping[str, Any]], tuple[Arrays, Arrays]]
    chains: Arrays

    def chains_before_start(self, n_chains: int) -> Arrays:
        """Chains numbered from zero, at step zero; the rest are placeholders."""
        zeros: Arrays = jax.tree.map(lambda shape: np.zeros(shape.shape, shape.dtype), self.chains)
        return zeros | {"number": np.arange(n_chains, dtype=np.uint32)}


def program(kernel: Kernel, n_chains: int, data: Mapping[str, Any], folder: Path | None) -> Program:
    """The program of a kernel for a number of chains and rows.

    Parameters
    ----------
    kernel
        What to run.
    n_chains
        Number of chains.
    data
        Arrays in the shapes of the series' bucket; their values do not matter.
    folder
        Where programs are kept, trusted as code is; None keeps none.
    """
    shapes = tuple(
        (name, tuple(np.shape(column)), np.asarray(column).dtype.str)
        for name, column in data.items()
    )
    device = jax.config.jax_default_device or jax.devices()[0]
    return _program(kernel, n_chains, shapes, device, folder)


@lru_cache(maxsize=64)
def _program(
    kernel: Kernel,
    n_chains: int,
    shapes: tuple[tuple[str, tuple[int, ...], str], ...],
    device: jax.Device,
    folder: Path | None,
) -> Program:
    columns = {name: jax.ShapeDtypeStruct(shape, dtype) for name, shape, dtype in shapes}
    path = None if folder is None else folder / _name(kernel, n_chains, shapes, device)
    kept = None if path is None else _read(path)
    if kept is not None:
        exported = export.deserialize(bytearray(kept))
    else:
        root = jax.ShapeDtypeStruct((2,), "uint32")
        chains = kernel.unborn(n_chains, columns)
        exported = export.export(jax.jit(kernel.advance))(root, chains, columns)
        if path is not None:
            _write(path, bytes(exported.serialize()))
    arguments, _ = jax.tree.unflatten(
        exported.in_tree,
        [jax.ShapeDtypeStruct(aval.shape, aval.dtype) for aval in exported.in_avals],
    )
    # Compiled for these shapes at once: a jitted call would compile again when its own results,
    # which know their device, come back as arguments.
    advance = jax.jit(exported.call).lower(*arguments).compile()
    return Program(advance, arguments[1])


def _name(kernel: Kernel, n_chains: int, shapes: Any, device: jax.Device) -> str:
    made_from = [
        repr(kernel),
        CHUNK,
        n_chains,
        shapes,
        device.platform,
        device.device_kind,
        provenance.versions(),
        _sources(),
        os.environ.get("XLA_FLAGS", ""),
        bool(jax.config.jax_enable_x64),
    ]
    return hashlib.sha256(json.dumps(made_from).encode()).hexdigest() + SUFFIX


@cache
def _sources() -> str:
    root = Path(__file__).resolve().parent.parent
    digest = hashlib.sha256()
    for name in TRACED:
        place = root / name
        for path in sorted(place.glob("*.py")) if place.is_dir() else [place]:
            digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _read(path: Path) -> bytes | None:
    """A program as it was written; None where there is none, or it is damaged."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    body, seal = content[:-_SEAL], content[-_SEAL:]
    if hashlib.sha256(body).digest() != seal:
        return None
    return body


def _write(path: Path, body: bytes) -> None:
    """Keep a program, whole or not at all; a folder that cannot be written keeps none."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(body + hashlib.sha256(body).digest())
            Path(name).replace(path)
        except OSError:
            Path(name).unlink(missing_ok=True)
            raise
