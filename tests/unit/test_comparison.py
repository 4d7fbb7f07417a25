"""What a comparison says: names, averages, and whether the choice matters."""

from __future__ import annotations

from dataclasses import asdict, replace
from importlib import import_module
from types import SimpleNamespace

import numpy as np
import pytest

import effbayes as eb
from effbayes import comparison, diagnostics, provenance, scoring
from effbayes.types import Estimate
from tests.unit.conftest import make_series


@pytest.mark.parametrize(
    ("times", "said"),
    [
        (
            {"a": Estimate(16, 13, 21), "b": Estimate(16.5, 13, 22)},
            "hardly matters: medians from 16",
        ),
        ({"a": Estimate(16, 13, 21), "b": Estimate(17, 13, 97)}, "matters: medians from 16 to 17"),
        ({"a": Estimate(16, 13, 21), "b": Estimate(24, 20, 29)}, "matters: medians from 16 to 24"),
        ({"a": Estimate(16, 13, 21), "b": Estimate(17, 13, None)}, "and none for b"),
        ({"a": Estimate(None, None, None), "b": Estimate(None, None, None)}, "No model has"),
        ({"a": Estimate(None, 20, None), "b": Estimate(20, 16, None)}, "matters: medians from 20"),
    ],
)
def test_the_sentence(times, said):
    assert said in comparison.verdict(times, 0.95)


def test_a_mixture_has_the_weights():
    draws = comparison.mixture([np.zeros(1000), np.ones(3000), np.full(10, 2.0)], [0.3, 0.7, 0.0])
    assert len(draws) == comparison.AVERAGED_DRAWS
    assert [np.mean(draws == value) for value in (0.0, 1.0, 2.0)] == [0.3, 0.7, 0.0]


def test_the_better_of_two_takes_the_weight():
    better, worse = np.full(8, -1.0), np.full(8, -2.0)
    weights = comparison.stacking_weights(np.stack([better, worse], axis=1))
    np.testing.assert_allclose(weights, [1.0, 0.0], atol=1e-9)


def test_the_mean_of_densities_does_not_overflow():
    value, error = diagnostics.log_mean_exp(np.full((2, 50), 2000.0))
    assert value == 2000.0
    assert error == 0.0


SHORT = {"warmup": 50, "draws": 20, "chains": 2}


def test_fits_that_cannot_be_compared(alexnet):
    one = eb.sample(alexnet, **SHORT)
    with pytest.raises(eb.UsageError, match="at least two"):
        comparison.compare([one])
    other = eb.sample(eb.load_series("go", "alphago-zero-level"), **SHORT)
    with pytest.raises(eb.UsageError, match="different tables"):
        comparison.compare([one, other])


def stub(series, model="loglinear", **settings):
    """A fit of which a comparison looks at settings and rows alone."""
    priors = asdict(import_module(f"effbayes.models.{model}").Priors())
    return SimpleNamespace(
        series=series,
        settings={"model": model, "prior": "default", "priors": priors, **settings},
        made_by={"data_sha256": provenance.data_digest(series)},
    )


@pytest.fixture
def scored(monkeypatch):
    """Comparisons without refits."""

    def score(name, fit, *_):
        return scoring.Score(name, fit, np.full(fit.series.n_obs, -1.0))

    monkeypatch.setattr(scoring, "score", score)


BOUNDED = make_series(
    ["2015-01-01", "2016-01-01", "2017-01-01", "2018-01-01", "2019-01-01"],
    [np.nan, 7.0, 5.0, 4.0, 2.0],
    value_low=[8.0, *[np.nan] * 4],
    value_high=[9.0, *[np.nan] * 4],
)


def test_a_row_known_by_its_bounds_is_the_same_row(scored):
    found = comparison.compare([stub(BOUNDED), stub(replace(BOUNDED))])
    assert set(found.weights) == {"loglinear #1", "loglinear #2"}


@pytest.mark.parametrize("column", ["value_high", "value_sd", "date_sd_days"])
def test_other_bounds_or_errors_are_another_table(column):
    other = replace(BOUNDED, **{column: getattr(BOUNDED, column) + 0.5})
    with pytest.raises(eb.UsageError, match="different tables, all named made"):
        comparison.compare([stub(BOUNDED), stub(other)])


def test_fits_that_are_never_weighed_do_not_choose_the_rows(scored):
    """Two pooled fits of all rows beside one of four."""
    some = BOUNDED.select([True, True, True, True, False], "four")
    pooled = [stub(BOUNDED, "hierarchical"), stub(BOUNDED, "hierarchical")]
    found = comparison.compare([*pooled, stub(some)])
    assert found.weights == {"loglinear": 1.0}
    assert all("pooled" in score.apart for score in found.scores if score.apart)


def test_records_are_shown_and_not_weighed(scored):
    """A record is the mark of the next, whose density is another without it."""
    found = comparison.compare([stub(BOUNDED, "records"), stub(BOUNDED)])
    assert found.weights == {"loglinear": 1.0}
    assert found.scores[-1].name == "records"
    assert "the mark that the next had to beat" in found.scores[-1].apart


def test_standard_errors_have_the_variance_of_a_sample(alexnet):
    """Vehtari, Gelman and Gabry (2017), eq. 23: n - 1 under the sum of squares."""
    better, worse = np.array([-1.0, -2.0, -4.0]), np.array([-2.0, -3.5, -4.5])
    first = scoring.Score("a", stub(alexnet), better)
    second = scoring.Score("b", stub(alexnet), worse)
    found = comparison.Comparison((first, second), {"a": 1.0, "b": 0.0})
    difference, error = found.elpd_difference(second)
    assert difference == -3.0
    assert error == pytest.approx(np.sqrt(3.0 * 0.5 / 2.0))


def test_a_row_without_a_label_has_a_place():
    table = make_series(["2015-01-01", "2016-01-01"], [8.0, 7.0], label=("", "b"))
    assert [scoring.row_name(table, row) for row in range(2)] == ["row 1", "b"]


def test_names_tell_fits_apart(alexnet):
    fits = [eb.sample(alexnet, prior=prior, **SHORT) for prior in ("default", "signed", "signed")]
    assert comparison.names(fits) == ["loglinear", "loglinear (signed) #1", "loglinear (signed) #2"]


def test_fits_of_other_rows_stand_apart():
    rows = {
        where: eb.load_series("imagenet", "alexnet-training", where=where)
        for where in ("all", "frontier")
    }
    fits = [eb.sample(rows[where], seed=seed, **SHORT) for where, seed in
            (("frontier", 0), ("all", 0), ("frontier", 1))]  # fmt: skip
    told = []
    found = comparison.compare(fits, progress=lambda *step: told.append(step))
    assert [score.name for score in found.scores if score.apart] == ["loglinear #2"]
    assert "16 of 16 rows" in found.scores[-1].apart
    assert set(found.weights) == {"loglinear #1", "loglinear #3"}
    assert not found.ok
    assert told == [("loglinear #1", 6, 6), ("loglinear #3", 6, 6)]
    with pytest.raises(eb.UsageError, match="stands apart"):
        found.elpd_difference(found.scores[-1])
    rows = found.summary()["models"]
    # Refits are certified on their own, however short the fits were.
    assert not any(row["failed_refits"] for row in rows[:2])
    assert "apart" in rows[2]
