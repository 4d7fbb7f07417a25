"""The data of a report: every row with its source, and what was corrected."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from effbayes import domains
from effbayes.report.document import Block, Points, Section, Table
from effbayes.report.tables import columns, observations, text

if TYPE_CHECKING:
    from effbayes.dataset import Series


def section(all_series: Sequence[Series]) -> Section:
    """Every row with its source, and what was corrected."""
    blocks: list[Block] = []
    for place, series in enumerate(all_series):
        end = f"-{place + 1}" if len(all_series) > 1 else ""
        blocks.append(observations(series, f"data{end}"))
        if series.remarks:
            blocks.append(Points(tuple(series.remarks)))
        if corrected := corrections(series, f"corrections{end}"):
            blocks.append(corrected)
    return Section("data", "The data", tuple(blocks))


def corrections(series: Series, name: str) -> Table | None:
    """What differs from what was published, of a series that ships."""
    if not series.domain or series.published:
        return None
    found = [
        each
        for each in domains.corrections()
        if (each.domain, each.series) == (series.domain, series.name)
    ]
    if not found:
        return None
    rows = tuple(
        tuple(map(text, (each.label, each.field, each.published, each.corrected, each.reason)))
        for each in found
    )
    heads = columns("row", "field", "published", "corrected", "why")
    return Table(name, f"Corrections of what was published for {series.id}.", heads, rows)
