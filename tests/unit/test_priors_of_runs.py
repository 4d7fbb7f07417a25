"""Priors that a run states are those of its model."""

from dataclasses import asdict

import pytest

from effbayes.models.priors import PRIORS, require_priors


@pytest.mark.parametrize("model", PRIORS)
def test_those_of_the_model_pass(model):
    require_priors(model, "default", asdict(PRIORS[model]()))


@pytest.mark.parametrize(
    ("model", "changes", "why"),
    [
        ("quadratic", {}, "settings.model is 'quadratic'"),
        ("loglinear", {"sigma_scale": None}, "model loglinear: sigma_scale"),
        ("loglinear", {"tau_scale": 1.0}, "model loglinear: tau_scale"),
        ("loglinear", {"kind": "signed"}, "kind 'signed'"),
        ("loglinear", {"sigma_scale": -1.0}, "sigma_scale = -1"),
        ("loglinear", {"doubling_time_sdlog": 1e308}, "doubling_time_sdlog = 1e[+]308"),
        ("loglinear", {"rate_sd": 1e-308}, "rate_sd = 1e-308"),
        ("loglinear", {"sigma_scale": float("nan")}, "sigma_scale = nan"),
        ("loglinear", {"sigma_scale": "wide"}, "settings.priors"),
        ("loglinear", {"kind": None}, "model loglinear: kind"),
    ],
)
def test_others_are_named(model, changes, why):
    numbers = asdict(PRIORS["loglinear"]()) | changes
    numbers = {name: value for name, value in numbers.items() if value is not None}
    with pytest.raises(ValueError, match=why):
        require_priors(model, "default", numbers)
