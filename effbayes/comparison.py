r"""Models of one series side by side: exact leave-one-out, stacking, and the average of models.

The expected log pointwise predictive density of a model is the sum over rows of
:math:`\log p(y_i \mid y_{-i})`, each from a refit without the row (Vehtari, Gelman and Gabry 2017,
doi:10.1007/s11222-016-9696-4, estimate it by importance sampling from one fit, PSIS; its figures
stand beside, with the Pareto k that tells where it cannot be trusted). Stacking weights maximize
the score of the mixture, :math:`\sum_i \log \sum_k w_k p_k(y_i \mid y_{-i})` (Yao et al. 2018,
doi:10.1214/17-BA1091). Only models of the same rows can be weighed, and of a series whose every row
can be spared; others stand apart. So does the model of records, which has a row's density given the
rows before it: without the row, the next has another mark to beat, and the two do not make
:math:`p(y_i \mid y_{-i})`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from effbayes import posterior as post
from effbayes import scoring
from effbayes.analysis import Analysis
from effbayes.errors import UsageError
from effbayes.posterior import Interval
from effbayes.scoring import Floats, Progress, Score
from effbayes.types import Estimate, IntervalKind

SCHEMA = "effbayes.comparison/1"
AVERAGED_DRAWS = 4000
MEDIANS_AGREE, ENDS_AGREE = 1.15, 1.5
"""Greatest ratio of medians, and of interval's ends, of models that agree."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """Models of one series, the best predictions first; then those that stand apart.

    Attributes
    ----------
    scores
        One for each model.
    weights
        Stacking weights by name, of the models that are weighed; they sum to one.
    """

    scores: tuple[Score, ...]
    weights: Mapping[str, float]

    @property
    def weighed(self) -> tuple[Score, ...]:
        """Models of the same rows."""
        return tuple(score for score in self.scores if score.apart is None)

    @property
    def ok(self) -> bool:
        """Whether every fit and every refit converged."""
        return all(score.fit.verdict.ok and not score.failed for score in self.scores)

    @cached_property
    def averaged_rate(self) -> Floats:
        """Draws of the rate from the models in proportion to their weights, dims (draw,).

        Raises
        ------
        UsageError
            All models stand apart.
        """
        if not self.weighed:
            raise UsageError("no model is weighed, so there is no average of them")
        return mixture(
            [np.ravel(score.fit.draws["rate"]) for score in self.weighed],
            [self.weights[score.name] for score in self.weighed],
        )

    def doubling_time(self, ci: float = 0.95, kind: IntervalKind = "eti") -> Estimate:
        """Model-averaged doubling time in months."""
        return post.doubling_time(self.averaged_rate, Interval(ci, kind).check())

    def efficiency_factor(self, ci: float = 0.95, kind: IntervalKind = "eti") -> Estimate:
        """Model-averaged efficiency factor over the span of the series."""
        rate = self.averaged_rate
        years = post.years_between(*self.weighed[0].fit.series.ends)
        return post.trend_factor(rate, years, Interval(ci, kind).check())

    def elpd_difference(self, score: Score) -> tuple[float, float]:
        """Difference to the best model, and its standard error over rows."""
        best = self.weighed[0]
        if score.elpd is None or best.elpd is None:
            raise UsageError(f"model {score.name} stands apart: {score.apart}")
        each = score.elpd - best.elpd
        return float(each.sum()), _se_of_sum(each)

    def sentence(self, ci: float = 0.95, kind: IntervalKind = "eti") -> str:
        """Whether the choice of a model matters, in one sentence."""
        return verdict(
            {score.name: score.fit.doubling_time(ci=ci, kind=kind) for score in self.scores}, ci
        )

    def summary(self, ci: float = 0.95, kind: IntervalKind = "eti") -> dict[str, Any]:
        """Everything reported, strict JSON."""
        series = self.scores[0].fit.series
        return {
            "schema": SCHEMA,
            "domain": series.domain or None,
            "series": series.name,
            "ci": Interval(ci, kind).check()._asdict(),
            "models": [self._row(score, ci, kind) for score in self.scores],
            "averaged": self._averaged(ci, kind),
            "sentence": self.sentence(ci, kind),
            "verdict": "ok" if self.ok else "failed",
        }

    def _averaged(self, ci: float, kind: IntervalKind) -> dict[str, Any] | None:
        if not self.weighed:
            return None
        start, end = self.weighed[0].fit.series.span
        return {
            "doubling_time_months": post.as_dict(self.doubling_time(ci, kind)),
            "efficiency_factor": {
                "from": start,
                "to": end,
                **post.as_dict(self.efficiency_factor(ci, kind)),
            },
        }

    def _row(self, score: Score, ci: float, kind: IntervalKind) -> dict[str, Any]:
        row = {
            "name": score.name,
            "model": score.fit.settings["model"],
            "n_obs": score.fit.series.n_obs,
            "rows": score.fit.series.rows,
            "doubling_time_months": post.as_dict(score.fit.doubling_time(ci=ci, kind=kind)),
            "verdict": score.fit.verdict.verdict,
        }
        if score.elpd is None or score.mcse is None:
            return row | {"apart": score.apart}
        difference, error = self.elpd_difference(score)
        row |= {
            "elpd": float(score.elpd.sum()),
            "elpd_mcse": float(np.sqrt(np.sum(score.mcse**2))),
            "elpd_se": _se_of_sum(score.elpd),
            "elpd_difference": difference,
            "elpd_difference_se": error,
            "weight": self.weights[score.name],
            "failed_refits": list(score.failed),
        }
        if score.psis is not None and score.pareto_k is not None:
            row |= {
                "psis_elpd": float(score.psis.sum()),
                "pareto_k": [float(k) for k in score.pareto_k],
            }
        return row


def compare(
    fits: Sequence[Analysis], *, platform: str | None = None, progress: Progress | None = None
) -> Comparison:
    """Compare fits of one series by exact leave-one-out.

    Parameters
    ----------
    fits
        At least two, of the same table. Those of the same rows are weighed against each other, the
        largest such group (the first, where two are as large); the others stand apart.
    platform
        ``"cpu"``, ``"gpu"`` or ``"tpu"``; None is JAX's own choice.
    progress
        Called after every refit.

    Raises
    ------
    UsageError
        Fewer than two fits, or of different tables.
    """
    if len(fits) < 2:
        raise UsageError("a comparison needs at least two fits")
    scoring.require_one_table([fit.series for fit in fits])
    scores = []
    for name, fit, reason in zip(names(fits), fits, scoring.why_apart(fits), strict=True):
        if reason is None:
            scores.append(scoring.score(name, fit, platform, progress))
        else:
            scores.append(Score(name, fit, apart=reason))
    ranked = sorted(
        scores, key=lambda score: -np.inf if score.elpd is None else score.elpd.sum(), reverse=True
    )
    found = [score for score in ranked if score.elpd is not None]
    if not found:
        return Comparison(tuple(ranked), {})
    densities = np.stack([score.elpd for score in found if score.elpd is not None], axis=1)
    weights = stacking_weights(densities)
    by_name = {score.name: float(w) for score, w in zip(found, weights, strict=True)}
    return Comparison(tuple(ranked), by_name)


def _se_of_sum(each: Floats) -> float:
    """Standard error of a sum over rows: eq. 23 of Vehtari, Gelman and Gabry (2017)."""
    return float(np.sqrt(len(each) * each.var(ddof=1)))


def stacking_weights(elpd: Floats, *, tolerance: float = 1e-12) -> Floats:
    """Weights that maximize the log score of the mixture.

    Parameters
    ----------
    elpd
        Log predictive densities, dims (obs, model).
    tolerance
        Greatest change of a weight in the last step.

    Returns
    -------
    NDArray
        Dims (model,), sum one. The score is concave, and each step (expectation-maximization of
        mixture weights) raises it: there is one answer, and no step can leave the simplex.
    """
    density = np.exp(elpd - elpd.max(axis=1, keepdims=True))
    weights = np.full(elpd.shape[1], 1.0 / elpd.shape[1])
    for _ in range(200_000):
        better = weights * np.mean(density / (density @ weights)[:, None], axis=0)
        if np.max(np.abs(better - weights)) < tolerance:
            return better
        weights = better
    return weights


def mixture(draws: Sequence[Floats], weights: Sequence[float]) -> Floats:
    """Draws from models in proportion to weights, dims (draw,).

    Each model's are its quantiles at probabilities evenly spaced: thinning would add noise.
    """
    shares = np.floor(np.cumsum(weights) / np.sum(weights) * AVERAGED_DRAWS + 0.5)
    counts = np.diff(shares, prepend=0.0).astype(int)
    return np.concatenate(
        [
            np.quantile(each, (np.arange(count) + 0.5) / count)
            for each, count in zip(draws, counts, strict=True)
            if count
        ]
    )


class HasSettings(Protocol):
    """A fit, or what a run says of one."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """Model, prior and noise among them."""


def names(fits: Sequence[HasSettings]) -> list[str]:
    """A name for each fit: its model, with prior, noise or place where that alone tells them."""
    found = [str(fit.settings["model"]) for fit in fits]
    for i, fit in enumerate(fits):
        if fit.settings["prior"] != "default":
            found[i] += f" ({fit.settings['prior']})"
        if fit.settings.get("noise") == "student_t":
            found[i] += " (robust)"
    return [
        f"{name} #{found[: i + 1].count(name)}" if found.count(name) > 1 else name
        for i, name in enumerate(found)
    ]


def verdict(times: Mapping[str, Estimate], ci: float) -> str:
    """Whether models disagree on a doubling time, in one sentence.

    Parameters
    ----------
    times
        Doubling times in months by model.
    ci
        Probability of their intervals.
    """
    open_ended = [name for name, time in times.items() if time.high is None]
    medians = [time.median for time in times.values() if time.median is not None]
    highs = [time.high for time in times.values() if time.high is not None]
    lows = [time.low for time in times.values() if time.low is not None]
    ends = (
        f"upper limits ({100 * ci:g} %) from {min(highs):.3g} to {max(highs):.3g}" if highs else ""
    )
    if open_ended and highs:
        ends += f", and none for {', '.join(open_ended)}"
    if not medians:
        return "No model has a doubling time: progress is not certain under any."
    agree = (
        not (open_ended and highs)
        and len(medians) == len(times)
        and max(medians) <= MEDIANS_AGREE * min(medians)
        and (not highs or max(highs) <= ENDS_AGREE * min(highs))
        and (not lows or max(lows) <= ENDS_AGREE * min(lows))
    )
    spread = f"medians from {min(medians):.3g} to {max(medians):.3g} months"
    said = "; ".join(part for part in (spread, ends) if part)
    return f"The choice of a model {'hardly matters' if agree else 'matters'}: {said}."
