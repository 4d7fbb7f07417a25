"""The programs that sample: one per kernel and shape in a process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import numpy as np

from effbayes.inference.chunk import CHUNK, Arrays, Kernel
from effbayes.inference.machine_code import compiled
from effbayes.runtime import Plan


class Program(NamedTuple):
    """`Kernel.advance`, compiled, and the shapes of what it takes on."""

    advance: Callable[[Any, Arrays, Mapping[str, Any]], tuple[Arrays, Arrays]]
    chain: Arrays

    def before_start(self, number: Any) -> Arrays:
        """A chain of a number at step zero, or all of them; what is not known yet is zero."""
        zeros: Arrays = jax.tree.map(lambda shape: np.zeros(shape.shape, shape.dtype), self.chain)
        return zeros | {"number": np.asarray(number, dtype=np.uint32)}


def program(
    kernel: Kernel,
    n_chains: int,
    data: Mapping[str, Any],
    *,
    plan: Plan,
) -> Program:
    """The program of a kernel for a number of rows, and of chains where they are in lock step.

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
    return _program(kernel, n_chains if kernel.vectorized else 1, shapes, plan)


@lru_cache(maxsize=64)
def _program(
    kernel: Kernel,
    n_chains: int,
    shapes: tuple[tuple[str, tuple[int, ...], str], ...],
    plan: Plan,
) -> Program:
    def arguments() -> tuple[Any, ...]:
        columns = {name: jax.ShapeDtypeStruct(shape, dtype) for name, shape, dtype in shapes}
        root = jax.ShapeDtypeStruct((2,), "uint32")
        return root, kernel.unborn(n_chains, columns), columns

    made_from = ("advance", repr(kernel), CHUNK, n_chains, shapes)
    made = compiled(kernel.advance, arguments, made_from=made_from, plan=plan)
    return Program(made.call, made.arguments[1])
