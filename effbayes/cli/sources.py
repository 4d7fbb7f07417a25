"""Series that a command is asked to take: of shipped domains, or of a table of the user's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from effbayes.cli import options
from effbayes.errors import UsageError

if TYPE_CHECKING:
    from effbayes.dataset import Series
    from effbayes.types import Rows

ALL_DOMAINS = "all"


@dataclass(frozen=True)
class Source:
    """What was asked for.

    Attributes
    ----------
    domain, data
        One of them.
    series, where
        Which series, and which rows.
    table
        Options that describe a table of the user's own, by name.
    published, point_values
        Figures before corrections; without bounds.
    """

    domain: str | None
    data: Path | None
    series: str | None
    where: str | None
    table: Mapping[str, Any]
    published: bool = False
    point_values: bool = False

    def read(self) -> list[Series]:
        """The series.

        Raises
        ------
        UsageError, DataError
            Both sources or none, no such domain or series, options of a table without one, or
            faults of a table.
        """
        if self.domain is not None and self.data is not None:
            raise UsageError("--domain and --data were both given; give one of them")
        if self.data is not None:
            found = self._own(self.data)
        else:
            options.require_none(self.table, "describe a table of your own: add --data FILE.csv")
            found = self._shipped()
        return [one.without_bounds() for one in found] if self.point_values else found

    @property
    def rows(self) -> Rows | None:
        """Rows that were asked for by name; None leaves them to series and model."""
        return cast("Rows", self.where) if self.where in {"all", "frontier"} else None

    def _shipped(self) -> list[Series]:
        from effbayes import domains

        known = domains.domain_names()
        if self.domain is None:
            there_are = ", ".join([*known, ALL_DOMAINS])
            raise UsageError(
                f"nothing to sample: give --domain NAME (one of {there_are}) or --data FILE.csv"
            )
        several = self.domain == ALL_DOMAINS
        wanted = known if several else [name.strip() for name in self.domain.split(",")]
        names = list(dict.fromkeys(wanted))
        how: dict[str, Any] = {"published": self.published, "where": self.where}
        if self.series is None:
            found = [domains.load_domain(name, **how) for name in names]
            return [one for series in found for one in series.values()]
        if len(names) > 1:
            raise UsageError(
                f"--series {self.series} needs the domain it is in, not --domain {self.domain}"
            )
        return [domains.load_series(names[0], self.series, **how)]

    def _own(self, data: Path) -> list[Series]:
        from effbayes.dataset import read_table

        table = self.table
        found = read_table(
            data,
            columns=options.column_mapping(table["--column"]) or None,
            direction=options.direction(table["--direction"]),
            unit=table["--unit"],
            where=self.where,
            preset=table["--preset"],
            date_format=table["--date-format"],
            series=self.series,
            published=self.published,
        )
        return list(found.values())
