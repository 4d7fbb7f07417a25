"""Compiled programs: one per kernel and shape in a process, and kept in a folder across processes.

A program is exported by `jax.export` (StableHLO and shapes, no code of Python's) and sealed with a
digest. Its name is a digest of everything that it is made from: the sources of this package that it
is traced from, versions, device, flags, kernel and shapes. What cannot be read back as it was
written is made anew; what cannot be written is not kept. JAX's own compilation cache, where
`effbayes.runtime.keep_compiled` has switched it on, holds the machine code.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import export

from effbayes import kept, provenance
from effbayes.inference.chunk import CHUNK, Arrays, Kernel
from effbayes.runtime import Plan

TRACED = ("inference", "models", "arrays.py", "trend.py")
"""Sources that a program is traced from; a change to any of them makes another program."""

SUFFIX = ".program"


class Program(NamedTuple):
    """`Kernel.advance`, compiled, and the shapes of its chains."""

    advance: Callable[[np.ndarray, Arrays, Mapping[str, Any]], tuple[Arrays, Arrays]]
    chains: Arrays

    def chains_before_start(self, n_chains: int) -> Arrays:
        """Chains numbered from zero, at step zero; the rest are placeholders."""
        zeros: Arrays = jax.tree.map(lambda shape: np.zeros(shape.shape, shape.dtype), self.chains)
        return zeros | {"number": np.arange(n_chains, dtype=np.uint32)}


def program(
    kernel: Kernel,
    n_chains: int,
    data: Mapping[str, Any],
    *,
    plan: Plan,
) -> Program:
    """The program of a kernel for a number of chains and rows.

    Parameters
    ----------
    kernel
        What to run.
    n_chains
        Number of chains.
    data
        Arrays in the shapes of the series' bucket; their values do not matter.
    plan
        What else a program depends on, and where programs are kept, trusted as code is.
    """
    shapes = tuple(
        (name, tuple(np.shape(column)), np.asarray(column).dtype.str)
        for name, column in data.items()
    )
    return _program(kernel, n_chains, shapes, plan)


@lru_cache(maxsize=64)
def _program(
    kernel: Kernel,
    n_chains: int,
    shapes: tuple[tuple[str, tuple[int, ...], str], ...],
    plan: Plan,
) -> Program:
    columns = {name: jax.ShapeDtypeStruct(shape, dtype) for name, shape, dtype in shapes}
    name = _name(kernel, n_chains, shapes, plan.made_for)
    path = None if plan.folder is None else plan.folder / name
    body = None if path is None else kept.read(path)
    if body is not None:
        exported = export.deserialize(bytearray(body))
    else:
        root = jax.ShapeDtypeStruct((2,), "uint32")
        chains = kernel.unborn(n_chains, columns)
        exported = export.export(jax.jit(kernel.advance))(root, chains, columns)
        if path is not None:
            kept.write(path, bytes(exported.serialize()))
    arguments, _ = jax.tree.unflatten(
        exported.in_tree,
        [jax.ShapeDtypeStruct(aval.shape, aval.dtype) for aval in exported.in_avals],
    )
    # Compiled for these shapes at once: a jitted call would compile again when its own results,
    # which know their device, come back as arguments.
    advance = jax.jit(exported.call).lower(*arguments).compile()
    return Program(advance, arguments[1])


def _name(kernel: Kernel, n_chains: int, shapes: Any, plan: tuple[str, ...]) -> str:
    made_from = [
        repr(kernel),
        CHUNK,
        n_chains,
        shapes,
        plan,
        provenance.versions(),
        _sources(),
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
