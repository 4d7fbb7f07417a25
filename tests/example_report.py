"""A report as the command would make it of a run, to render: shared by unit and browser tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from effbayes.dataset.series import Series
from effbayes.figures import interactive, report_figures
from effbayes.report.document import (
    Block,
    Cell,
    Code,
    Column,
    Document,
    Formula,
    Paragraph,
    Picture,
    Points,
    Section,
    Table,
    Verdict,
)

PUBLISHED = 16.0

HOSTILE = (
    '<img src=x onerror="window.taken = 1">',
    "</script><script>window.taken = 2</script>",
    "--><svg onload='window.taken = 3'></svg>",
    "\u202egnp.exe \u202b\u2067 ltr",
    "@{source}{safe} {{ 7 * 7 }} {% raw %} $$\\frac{1}{2}$$ `<b>bold</b>`",
    "x" * 10_000,
)
"""What a table of a stranger may hold, wherever it has words."""

CAPTIONS = {
    "trend": "Cost of training to the level, on a logarithmic axis. Bands hold the trend with 50 % "
    "and 95 % posterior probability; new systems scatter more widely. Records are blue, other rows "
    "gray, and hollow where the fit does not use them. Bars are bounds, or one standard deviation.",
    "factor": "The same as efficiency relative to the first row used, on a linear axis.",
    "doubling_time": "Posterior density of the doubling time of efficiency. The darker part is the "
    "equal-tailed 95 % interval; the dashed line is the published claim.",
    "prior_posterior": "Prior density (gray) against posterior (blue) of every parameter; doubling "
    "time and sigma on logarithmic axes.",
    "forecast": "The trend carried on by half of the observed span. The green band, within dashed "
    "lines, holds a new system with 95 % probability; the blue bands hold the trend.",
    "predictive_check": "Replicates of each row by the posterior (bars, 50 % and 95 %), and the "
    "rows.",
    "ranks": "Excess of the ranks of each chain among all chains over what uniform ranks have; the "
    "gray band holds all chains with 95 % probability where they are alike. Colours are chains.",
    "energy": "Energy of the draws, and how far one step of the sampler changes it: the closer the "
    "two, the more freely the chains move.",
}


def hostile_series() -> Series:
    """A table whose every word is hostile."""
    n = len(HOSTILE)
    none, zero = np.full(n, np.nan), np.zeros(n)
    return Series(
        name=HOSTILE[1],
        domain=HOSTILE[0],
        unit=HOSTILE[2],
        direction="falling",
        label=HOSTILE,
        source=HOSTILE[1:] + HOSTILE[:1],
        title=" ".join(HOSTILE),
        date=np.array([f"20{year}-03-01" for year in range(12, 12 + n)], dtype="datetime64[D]"),
        date_sd_days=zero,
        value=8.0 * 0.6 ** np.arange(n),
        value_low=none,
        value_high=none,
        value_sd=zero,
        frontier=np.ones(n, dtype=bool),
        used=np.ones(n, dtype=bool),
    )


def picture(name: str, fit: Any, **options: Any) -> Picture:
    """One of the report's figures, in both libraries."""
    return Picture(
        name.replace("_", "-"),
        CAPTIONS[name],
        f"{name.replace('_', ' ')} of {fit.id}",
        lambda: getattr(report_figures, name)(fit, **options),
        lambda: getattr(interactive, name)(fit, **options),
    )


def verdict_of(fit: Any) -> Verdict:
    """What the diagnostics say."""
    if fit.verdict.ok:
        return Verdict(
            True, "The sampler converged: R-hat, effective sample sizes, energy are fine."
        )
    return Verdict(False, f"{fit.id}: the sampler did not converge.", fit.verdict.reasons)


def table_of_rows(fit: Any) -> Table:
    """The data, one row of the series to a row."""
    series = fit.series
    columns = (
        Column("system"),
        Column("date"),
        Column(series.unit, numeric=True),
        Column("used"),
        Column("source"),
    )
    rows = tuple(
        (
            Cell(series.label[i]),
            Cell(str(series.date[i])),
            Cell(f"{series.value[i]:.3g}", float(series.value[i])),
            Cell("yes" if series.used[i] else "no"),
            Cell(series.source[i]),
        )
        for i in range(series.n_table)
    )
    return Table("rows", "Rows of the table, with their sources.", columns, rows)


def quantities(fit: Any) -> Table:
    """Numbers with intervals."""
    columns = (
        Column("quantity"),
        Column("median", numeric=True),
        Column("95 % interval", numeric=True),
        Column("R-hat", numeric=True),
        Column("bulk ESS", numeric=True),
    )
    rows = []
    time = fit.doubling_time()
    for name, found in fit.verdict.quantities.items():
        high = "no upper end" if time.high is None else f"{time.high:.3g}"
        rows.append(
            (
                Cell(name),
                Cell("—") if time.median is None else Cell(f"{time.median:.3g}", time.median),
                Cell(f"{time.low:.3g} to {high}", time.low),
                Cell(f"{found.r_hat:.3f}", found.r_hat),
                Cell(f"{found.ess_bulk:,.0f}", found.ess_bulk),
            )
        )
    return Table("quantities", "Quantities and their diagnostics.", columns, tuple(rows))


def several(fits: Sequence[Any]) -> Picture:
    """Intervals of some fits beside each other."""
    claims = {fits[0].id: PUBLISHED}
    return Picture(
        "forest",
        "Doubling times on a logarithmic axis: medians, 50 % (thick) and 95 % (thin) intervals.",
        "Doubling times of several series",
        lambda: report_figures.forest(fits, published=claims),
        lambda: interactive.forest(fits, published=claims),
    )


def document(fit: Any, others: Sequence[Any] = ()) -> Document:
    """The whole of a report."""
    series, time, faster = fit.series, fit.doubling_time(), fit.prob_faster_than("moore")
    low, high = (f"{end:.1f}" if end is not None else "no progress" for end in time[1:3])
    answer: tuple[Block, ...] = (
        Paragraph(
            "The published claim is 44 times less compute in seven years, a doubling of efficiency "
            "every 16 months (Hernandez & Brown 2020, https://arxiv.org/abs/2005.04305)."
        ),
        Points(
            (
                f"Progress is faster than Moore's law with probability {faster:.2f}.",
                f"{series.n_obs} of {series.n_table} rows are used.",
                *fit.notes,
            )
        ),
        picture("trend", fit),
        quantities(fit),
        picture("doubling_time", fit, published=PUBLISHED),
    )
    model: tuple[Block, ...] = (
        Paragraph("The logarithm of the cost falls along a line, and systems scatter around it."),
        Formula(
            r"y_i \sim \mathrm{Normal}\left(\alpha - r\,t_i,\ \sqrt{\sigma^2 + s_i^2}\right)",
            "y_i ~ Normal(alpha - r t_i, sqrt(sigma^2 + s_i^2))",
        ),
        Formula(
            r"\frac{12}{r} \sim \mathrm{LogNormal}(\log 18,\ 1.2), \qquad "
            r"\sigma \sim \mathrm{HalfNormal}(1)",
            "12 / r ~ LogNormal(log 18, 1.2), sigma ~ HalfNormal(1)",
        ),
        picture("prior_posterior", fit),
    )
    sections = [
        Section("claim", "What was claimed, and what the data say", answer),
        Section("growth", "Efficiency over the years", (picture("factor", fit),)),
        Section("model", "The model and its priors", model),
        Section("forecast", "What comes next", (picture("forecast", fit),)),
        Section("fit", "Does the model fit?", (picture("predictive_check", fit),)),
        Section(
            "sampler",
            "The sampler",
            (verdict_of(fit), picture("ranks", fit), picture("energy", fit)),
        ),
        Section("data", "The data", (table_of_rows(fit),)),
        Section(
            "again",
            "To make it again",
            (Code("effbayes sample --domain imagenet --series alexnet-training --seed 0\n"),),
        ),
    ]
    if others:
        sections.insert(2, Section("others", "Beside others", (several([fit, *others]),)))
    made_by = fit.made_by | {"seed": fit.settings["sampler"]["seed"]}
    return Document(
        title=series.title or series.id,
        answer=f"Efficiency doubles every {time.median:.1f} months (95 % interval {low} to {high})."
        if time.median is not None
        else "No progress.",
        verdicts=(verdict_of(fit), *map(verdict_of, others)),
        sections=tuple(sections),
        numbers=fit.summary(),
        made_by=tuple((name, str(text)) for name, text in made_by.items() if text is not None),
    )
