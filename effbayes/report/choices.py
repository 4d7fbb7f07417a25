"""What other choices would have answered: models, and stronger priors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from effbayes import wording
from effbayes.analysis import SENSITIVE
from effbayes.errors import UsageError
from effbayes.report import pictures
from effbayes.report.document import Block, Cell, Column, Paragraph, Section, Table
from effbayes.report.tables import columns, number

if TYPE_CHECKING:
    from effbayes.analysis import Analysis
    from effbayes.comparison import Comparison
    from effbayes.types import IntervalKind


def section(fit: Analysis, comparison: Comparison | None, ci: float, kind: IntervalKind) -> Section:
    """Other models where there are any, and how much a stronger prior would move the answer."""
    blocks: list[Block] = []
    if comparison is None:
        blocks.append(
            Paragraph(
                "Other models may answer otherwise. Runs of them, given to effbayes report beside "
                "this one, are compared here; effbayes sensitivity fits again under other priors."
            )
        )
    else:
        blocks += compared(comparison, ci, kind)
    blocks += _power_scaling(fit)
    return Section("choices", "Other models, and what moves the answer", tuple(blocks))


def compared(comparison: Comparison, ci: float, kind: IntervalKind) -> list[Block]:
    """Models of one series side by side."""
    found = comparison.summary(ci, kind)
    rows: list[tuple[Cell, ...]] = []
    for each in found["models"]:
        difference = "stands apart"
        if "elpd" in each:
            difference = f"{each['elpd_difference']:.1f} ± {each['elpd_difference_se']:.1f}"
        rows.append(
            (
                Cell(each["name"]),
                number(each["n_obs"], str(each["n_obs"])),
                Cell(wording.doubling_time(each["doubling_time_months"])),
                Cell(difference, each.get("elpd_difference")),
                Cell("-")
                if each.get("weight") is None
                else Cell(f"{each['weight']:.2f}", each["weight"]),
                Cell(each["verdict"]),
            )
        )
    averaged = found["averaged"]
    if averaged is not None:
        average = wording.doubling_time(averaged["doubling_time_months"])
        rows.append((Cell("average by weight"), *map(Cell, ("-", average, "-", "1", "-"))))
    heads = (
        *columns("model"),
        Column("rows", numeric=True),
        *columns("doubling time, months"),
        Column("elpd less the best", numeric=True),
        Column("weight", numeric=True),
        *columns("sampler"),
    )
    caption = (
        "Exact leave-one-out predictive density of each model (difference to the best, with its "
        "standard error over rows), and stacking weights."
    )
    fits = [score.fit for score in comparison.scores]
    picture = pictures.models(fits, found["sentence"])
    return [Paragraph(found["sentence"]), picture, Table("models", caption, heads, tuple(rows))]


def _power_scaling(fit: Analysis) -> list[Block]:
    if fit.settings["prior"] == "reference":
        return [Paragraph("The prior of this run is flat: raised to a power it stays what it is.")]
    if not fit.verdict.ok:
        return [Paragraph("Draws that did not converge say nothing of what a prior would change.")]
    try:
        found = fit.power_scaling()
    except UsageError as error:
        return [Paragraph(f"How far a stronger prior would move the answer is not known: {error}.")]
    rows = tuple(
        (
            Cell(name),
            Cell(f"{each['prior']:.3f}", each["prior"]),
            Cell(f"{each['likelihood']:.3f}", each["likelihood"]),
            Cell(each["diagnosis"]),
        )
        for name, each in found.items()
    )
    caption = (
        "Power-scaling sensitivity: how far a stronger prior or likelihood would move each "
        f"quantity; above {SENSITIVE:g} it counts."
    )
    heads = (
        *columns("quantity"),
        *columns("to the prior", "to the data", numeric=2),
        *columns("which says"),
    )
    return [Table("power-scaling", caption, heads, rows)]
