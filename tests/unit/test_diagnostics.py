"""R-hat, ESS and MCSE against ArviZ's own figures, and the verdict's rules."""

from __future__ import annotations

import numpy as np
import pytest
from arviz_stats.base import array_stats

from effbayes import diagnostics

AXES = {"chain_axis": 0, "draw_axis": 1}


def autoregressive(seed):
    """Chains of odd and even lengths: slow, fast, apart, and rounded to ties."""
    rng = np.random.default_rng(seed)
    chains, draws, rho = (
        int(rng.integers(2, 6)),
        int(rng.integers(20, 700)),
        rng.uniform(-0.9, 0.99),
    )
    x = rng.standard_normal((chains, draws))
    for i in range(1, draws):
        x[:, i] += rho * x[:, i - 1]
    if seed % 3 == 0:
        x += rng.standard_normal((chains, 1))
    return np.round(x, 1) if seed % 5 == 0 else x


@pytest.mark.parametrize("seed", range(100))
def test_figures_are_those_of_arviz(seed):
    x = autoregressive(seed)
    ours = [
        diagnostics.r_hat(x),
        diagnostics.ess_bulk(x),
        diagnostics.ess_tail(x),
        diagnostics.ess_mean(x),
        diagnostics.mcse_mean(x),
    ]
    theirs = [
        array_stats.rhat(x, **AXES),
        array_stats.ess(x, **AXES, method="bulk"),
        array_stats.ess(x, **AXES, method="tail", prob=0.05),
        array_stats.ess(x, **AXES, method="mean"),
        array_stats.mcse(x, **AXES, method="mean"),
    ]
    np.testing.assert_allclose(ours, np.array(theirs, dtype=float), rtol=1e-10)
    np.testing.assert_allclose(diagnostics.bfmi(x), array_stats.bfmi(x, **AXES), rtol=1e-10)


def stats(**changed):
    rng = np.random.default_rng(0)
    plain = {
        "diverging": np.zeros((4, 1000), dtype=bool),
        "reached_max_treedepth": np.zeros((4, 1000), dtype=bool),
        "energy": rng.standard_normal((4, 1000)),
    }
    return plain | changed


def good():
    return {"rate": np.random.default_rng(1).standard_normal((4, 1000))}


def test_independent_draws_are_ok():
    found = diagnostics.diagnose(good(), stats())
    assert found.ok
    assert str(found) == "ok"
    assert found.as_dict()["reasons"] == []


@pytest.mark.parametrize(
    ("quantities", "changed", "reason"),
    [
        ({"rate": autoregressive(0)}, {}, "R-hat of rate"),
        ({"rate": np.random.default_rng(1).standard_normal((4, 60))}, {}, "bulk ESS of rate"),
        (good(), {"diverging": np.eye(4, 1000, dtype=bool)}, "4 divergent transitions"),
        (good(), {"reached_max_treedepth": np.eye(4, 1000, dtype=bool)}, "4 trajectories"),
        (good(), {"energy": np.cumsum(np.ones((4, 1000)), axis=1)}, "BFMI"),
        (good(), {"energy": np.ones((4, 1000))}, "BFMI is undefined"),
        ({"rate": np.zeros((4, 1000))}, {}, "R-hat of rate is undefined"),
    ],
    ids=["apart", "few", "divergent", "cut short", "energy", "still", "constant"],
)
def test_each_failure_has_its_reason(quantities, changed, reason):
    found = diagnostics.diagnose(quantities, stats(**changed))
    assert not found.ok
    assert found.verdict == "not converged"
    assert any(reason in text for text in found.reasons)
    assert reason in str(found)


def test_tail_failure_is_seen_where_the_bulk_is_fine():
    rng = np.random.default_rng(3)
    x = rng.standard_normal((4, 1000))
    x[:, :30] = 8.0  # each chain starts with one long visit to the tail
    found = diagnostics.diagnose({"rate": x}, stats())
    assert any("tail ESS" in reason for reason in found.reasons)
