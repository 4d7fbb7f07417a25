"""A run file that fits its seal and is no run all the same: what is wrong is named."""

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest

from effbayes.errors import DataError
from effbayes.run_contents import check_arrays, check_pooled, check_series, check_settings

from .conftest import make_series

SETTINGS = {
    "model": "loglinear",
    "noise": "normal",
    "prior": "default",
    "parameters": ["alpha", "sigma"],
    "priors": {"kind": "default", "sigma_scale": 1.0, "nu_shape": 2},
    "sampler": {"warmup": 50, "draws": 10, "chains": 2, "seed": 0, "target_accept": 0.95},
}
MADE_BY = {"effbayes": "0.1.0", "data_sha256": "0123456789abcdef" * 4, "x64": True}


def arrays():
    """Draws, noise and statistics as a sampler makes them."""
    draws = {name: np.full((2, 10), 0.5) for name in ("rate", "alpha", "sigma", "doubling_time")}
    stats = {
        "diverging": np.zeros((2, 10), dtype=bool),
        "energy": np.ones((2, 10)),
        "reached_max_treedepth": np.zeros((2, 10), dtype=bool),
    }
    return draws, np.zeros((2, 10, 2)), stats


def changed(place, value):
    """Settings and provenance with one of them another."""
    about = deepcopy({"settings": SETTINGS, "made_by": MADE_BY})
    *path, last = place.split(".")
    inside = about
    for name in path:
        inside = inside[name]
    if value is KeyError:
        del inside[last]
    else:
        inside[last] = value
    return about["settings"], about["made_by"]


def test_a_run_passes():
    check_settings(SETTINGS, MADE_BY)
    check_arrays(SETTINGS, *arrays())
    check_series(make_series(["2012", "2014"], [4.0, 1.0]))


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("settings", None),
        ("settings", []),
        ("made_by", "x"),
        ("settings.model", KeyError),
        ("settings.model", 3),
        ("settings.prior", "flat"),
        ("settings.parameters", "alpha"),
        ("settings.parameters", ["alpha", 1]),
        ("settings.priors", []),
        ("settings.priors.sigma_scale", None),
        ("settings.priors.sigma_scale", True),
        ("settings.sampler.seed", KeyError),
        ("settings.sampler.seed", 1.5),
        ("settings.sampler.seed", -1),
        ("settings.sampler.seed", 2**63),
        ("settings.sampler.draws", -1000),
        ("settings.sampler.chains", True),
        ("made_by.data_sha256", "xyz"),
        ("made_by.data_sha256", "0" * 16),
        ("made_by.effbayes", None),
    ],
)
def test_settings_that_no_run_has(place, value):
    with pytest.raises(ValueError, match=place.rpartition(".")[2]):
        check_settings(*changed(place, value))


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("rate", None, "lacks rate"),
        ("alpha", None, "lacks alpha"),
        ("rate", np.ones(20), "has shape"),
        ("rate", np.ones((2, 3)), "has shape"),
        ("sigma", np.ones((2, 9)), "the rate has"),
        ("sigma", np.ones((2, 10, 3)), "the rate has"),
        ("sigma", np.full((2, 10), np.nan), "no numbers"),
        ("sigma", np.full((2, 10), np.inf), "no numbers"),
        ("rate", np.full((2, 10), 1e200), "no numbers"),
        ("doubling_time", np.full((2, 10), np.nan), "no numbers"),
        ("alpha", np.ones((2, 10), dtype=int), "no numbers"),
        ("alpha", np.full((2, 10), "x"), "no numbers"),
        ("rate", np.full((2, 10), -1.0), "is not > 0"),
        ("path_rate", np.ones((2, 10)), "the rate has"),
    ],
)
def test_draws_that_no_sampler_makes(name, value, why):
    draws, noise, stats = arrays()
    draws = {**draws, name: value} if value is not None else draws
    if value is None:
        del draws[name]
    with pytest.raises(ValueError, match=why):
        check_arrays(SETTINGS, draws, noise, stats)


def test_a_doubling_time_may_be_infinite_and_a_signed_rate_negative():
    draws, noise, stats = arrays()
    draws |= {"doubling_time": np.full((2, 10), np.inf), "rate": np.full((2, 10), -1.0)}
    check_arrays({**SETTINGS, "prior": "signed"}, draws, noise, stats)


def test_what_a_model_has_beside_its_parameters():
    with pytest.raises(ValueError, match="lacks rate_before, rate_after, changepoint"):
        check_arrays({**SETTINGS, "model": "changepoint"}, *arrays())


@pytest.mark.parametrize("name", ["diverging", "energy", "reached_max_treedepth"])
def test_statistics_of_another_kind(name):
    draws, noise, stats = arrays()
    for wrong in (np.zeros((2, 10), dtype="i8"), stats[name][:, :5]):
        with pytest.raises(ValueError, match=name):
            check_arrays(SETTINGS, draws, noise, {**stats, name: wrong})
    del stats[name]
    with pytest.raises(ValueError, match=f"lacks {name}"):
        check_arrays(SETTINGS, draws, noise, stats)


@pytest.mark.parametrize("noise", [np.zeros((2, 10)), np.full((2, 10, 2), np.nan)])
def test_noise_of_another_shape(noise):
    draws, _, stats = arrays()
    with pytest.raises(ValueError, match="system_noise"):
        check_arrays(SETTINGS, draws, noise, stats)


def pooled():
    """What a run of two series holds."""
    draws, _, stats = arrays()
    names = ("mu", "tau", "s", "doubling_time_typical", "doubling_time_new")
    population = {name: np.full((2, 10), 0.5) for name in names}
    settings = {
        **SETTINGS,
        "priors": {"doubling_time_sdlog": 1.0, "tau_scale": 0.5},
        "pooled": {"series": ["a", "b"], "reasons": []},
    }
    own = draws | {name: population[name] for name in ("mu", "tau", "s")}
    return {
        "settings": SETTINGS,
        "made_by": MADE_BY,
        "population": population,
        "stats": stats,
        "members": [(settings, own), (settings, own)],
    }


def test_a_pooled_run_passes():
    check_pooled(**pooled())


@pytest.mark.parametrize(
    ("part", "value", "why"),
    [
        ("settings", {}, "lacks model"),
        ("made_by", {}, "lacks data_sha256"),
        ("members", [], "fewer than two series"),
        ("population", {"tau": None}, "lacks tau"),
        ("population", {"tau": np.ones(20)}, "has shape"),
        ("population", {"s": np.full((2, 10), -1.0)}, "only mu may be"),
        ("population", {"mu": np.full((2, 10), np.nan)}, "no numbers"),
        ("stats", {"energy": None}, "lacks energy"),
        ("stats", {"energy": np.ones((2, 9))}, "energy"),
    ],
)
def test_what_is_no_pooled_run(part, value, why):
    given = pooled()
    if part in {"population", "stats"}:
        value = {k: v for k, v in {**given[part], **value}.items() if v is not None}
    with pytest.raises(ValueError, match=why):
        check_pooled(**{**given, part: value})


@pytest.mark.parametrize(
    ("place", "value", "why"),
    [
        ("pooled", None, "pooled"),
        ("pooled", {"series": ["a"]}, "lacks reasons"),
        ("pooled", {"series": ["a", 1], "reasons": []}, "no list of names"),
        ("priors", {"tau_scale": 1.0}, "lacks doubling_time_sdlog"),
    ],
)
def test_what_is_no_member_of_a_pooled_run(place, value, why):
    given = pooled()
    settings, draws = given["members"][0]
    others = given["members"][1:]
    with pytest.raises(ValueError, match=why):
        check_pooled(**{**given, "members": [({**settings, place: value}, draws), *others]})
    with pytest.raises(ValueError, match="lacks mu"):
        check_pooled(**{**given, "members": [(settings, arrays()[0]), *others]})
    shorter = {name: x[:, :5] for name, x in draws.items()}
    with pytest.raises(ValueError, match=r"\(2, 5\), mu has \(2, 10\)"):
        check_pooled(**{**given, "members": [(settings, shorter), *others]})


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("name", 3, "series.name"),
        ("unit", None, "series.unit"),
        ("direction", "sideways", "direction"),
        ("published", 1, "published"),
        ("remarks", (1,), "remarks"),
        ("date", np.array(["-0001-01-01", "2014-01-01"], dtype="M8[D]"), "years 1 to 9999"),
        ("date", np.array(["NaT", "2014-01-01"], dtype="M8[D]"), "years 1 to 9999"),
        ("value", np.array([-1.0, 1.0]), "must be finite and > 0"),
    ],
)
def test_tables_that_the_reader_does_not_make(field, value, why):
    series = make_series(["2012", "2014"], [4.0, 1.0])
    with pytest.raises(ValueError, match=why):
        check_series(replace(series, **{field: value}))


def test_a_series_made_by_hand_may_have_dates_that_the_reader_would_ask_about():
    series = make_series(["2012", "2014"], [4.0, 1.0])
    check_series(replace(series, date=np.array(["1492-10-12", "2300-01-01"], dtype="M8[D]")))


def test_a_table_without_a_trend():
    series = replace(make_series(["2012", "2014"], [4.0, 1.0]), used=np.array([True, False]))
    with pytest.raises(DataError, match="at least two"):
        check_series(series)
