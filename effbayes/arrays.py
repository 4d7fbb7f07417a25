"""Aliases for arrays with their dims, checked at run time by the tests; needs JAX."""

from __future__ import annotations

from typing import TypeAlias

from jax import Array
from jaxtyping import Bool, Float, Int, Key

Elements: TypeAlias = Float[Array, "..."]
"""Floats of any shape, elementwise."""

Choice: TypeAlias = Bool[Array, "..."]
"""Which of the elements, elementwise."""

Scalar: TypeAlias = Float[Array, ""]
Position: TypeAlias = Float[Array, "dim"]
"""A point in a sampler's unconstrained space."""

PerObs: TypeAlias = Float[Array, "obs"]
PerObsMask: TypeAlias = Bool[Array, "obs"]
PerObsOfAny: TypeAlias = Float[Array, "*series obs"]
"""Of the rows of one series or of each of several."""

MaskOfAny: TypeAlias = Bool[Array, "*series obs"]
OfAny: TypeAlias = Float[Array, "*series"]
Count: TypeAlias = Int[Array, ""]
RandomKey: TypeAlias = Key[Array, ""]

PerDraw: TypeAlias = Float[Array, "draw"]
Positions: TypeAlias = Float[Array, "draw dim"]
Square: TypeAlias = Float[Array, "dim dim"]
