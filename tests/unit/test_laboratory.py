"""What `conftest.py` sets is in force: a strict laboratory must not go soft unseen."""

import warnings

import jax
import jax.numpy as jnp
import pytest


def test_warnings_are_errors():
    with pytest.raises(UserWarning, match="heard"):
        warnings.warn("heard", stacklevel=1)


def test_a_broadcast_that_adds_dims_raises():
    with pytest.raises(ValueError, match="rank_promotion"):
        jnp.ones((2, 3)) + jnp.ones(3)


def test_there_are_two_devices():
    assert len(jax.devices("cpu")) == 2


def test_double_precision_is_left_to_the_library():
    assert not jax.config.jax_enable_x64


def test_compilations_are_counted_once_per_shape(compilations):
    @jax.jit
    def doubled(x):
        return 2.0 * x

    three, four = jnp.ones(3), jnp.ones(4)
    compilations.clear()
    doubled(three)
    doubled(three)
    assert compilations.names == ["jit(doubled)"]
    doubled(four)
    assert len(compilations) == 2
