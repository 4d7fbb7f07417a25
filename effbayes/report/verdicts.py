"""What a report says of the samplers that made it: of each run, and of refits without a row."""

from __future__ import annotations

from typing import TYPE_CHECKING

from effbayes.report.document import Verdict

if TYPE_CHECKING:
    from effbayes.analysis import Analysis
    from effbayes.comparison import Comparison


def verdict(fit: Analysis, model: str = "") -> Verdict:
    """What the diagnostics of a run say.

    Parameters
    ----------
    fit
        The run.
    model
        A name that tells it from others of the same series.
    """
    found = fit.verdict
    name = f"{fit.id}, {model}" if model else fit.id
    if not found.ok:
        said = f"{name}: the sampler did not converge; do not rely on these numbers."
        return Verdict(False, said, tuple(found.reasons))
    return Verdict(
        True,
        f"{name}: the sampler converged (largest R-hat {found.r_hat_max:.3f}, at least "
        f"{found.ess_bulk_min:,.0f} effective draws in the bulk and {found.ess_tail_min:,.0f} in "
        f"the tails, {found.divergences} divergences).",
    )


def of_models(comparison: Comparison) -> tuple[Verdict, ...]:
    """Of every model that is compared, and of its refits where any failed."""
    found = [verdict(score.fit, score.name) for score in comparison.scores]
    found += [
        Verdict(
            False,
            f"{score.name}: refits that leave out a row did not converge; do not rely on its "
            "predictive density and weight.",
            tuple(f"without {row}" for row in score.failed),
        )
        for score in comparison.scores
        if score.failed
    ]
    return tuple(found)
