"""A row that leaves a table by its mask is nowhere in the joint density: no model may keep it."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from effbayes import runtime
from effbayes.inference.lanes import without_row
from effbayes.models import catalogue
from effbayes.models.contract import PADDING, data_from_series
from effbayes.models.drift import Drift

from .conftest import make_series

DATES = ["2012-01-01", "2012-09-01", "2013-06-01", "2014-02-01", "2016-01-01", "2017-05-05"]


def table(errors=False):
    """A frontier that falls, not on a line."""
    columns = {}
    if errors:
        columns = {
            "value_sd": np.array([0.0, 0.2, 0.0, 0.0, 0.1, 0.0]),
            "date_sd_days": np.array([0.0, 0.0, 40.0, 0.0, 0.0, 90.0]),
        }
    return make_series(DATES, [16.0, 9.0, 7.0, 5.0, 3.0, 1.0], **columns)


def as_padding(data, row):
    """The same data where the row was never there."""
    columns = {name: getattr(data, name).copy() for name in PADDING}
    for name, fill in PADDING.items():
        columns[name][row] = fill
    return data._replace(**columns)


def models():
    """Every model of one series, on exact rows and with errors."""
    made = [pytest.param(Drift(alike=True), table(), id="drift-alike")]
    for name in catalogue.MODELS:
        for errors in (False, True):
            series = table(errors)
            model = catalogue.make_model(name, series, "default")
            made.append(pytest.param(model, series, id=f"{name}-{'errors' if errors else 'exact'}"))
    return made


@pytest.mark.parametrize(("model", "series"), models())
@pytest.mark.parametrize("row", [1, 4])
def test_a_masked_row_is_no_row(model, series, row):
    with runtime.on_device("cpu"):
        whole = data_from_series(series)
        both = [
            jax.tree.map(jnp.asarray, each)
            for each in (without_row(whole, row), as_padding(whole, row))
        ]
        position = model.initial(jax.random.key(0), both[1], far=jnp.asarray(0))
        density = jax.jit(model.log_density)
        found, expected = (float(density(position, each)) for each in both)
    assert found == pytest.approx(expected, rel=1e-9)
