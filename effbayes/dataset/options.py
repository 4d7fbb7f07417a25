"""What a caller may ask of a table, checked before the table is opened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypedDict, get_args

from effbayes.dataset.columns import check_mapping
from effbayes.dataset.dates import date_reader
from effbayes.dataset.presets import Preset, preset_named
from effbayes.errors import UsageError
from effbayes.types import Direction, Rows


class TableOptions(TypedDict, total=False):
    """Keyword arguments of `read_table`, `read_series` and `validate_table`; None is not given."""

    columns: Mapping[str, str] | None
    direction: Direction | None
    unit: str | None
    where: str | None
    preset: str | None
    date_format: str | None
    series: str | None
    name: str | None
    domain: str
    published: bool


@dataclass(frozen=True)
class Settings:
    """The options of `read_table`, checked before anything is read."""

    columns: Mapping[str, str] | None = None
    direction: Direction | None = None
    unit: str | None = None
    where: str | None = None
    preset: str | None = None
    date_format: str | None = None
    series: str | None = None
    name: str | None = None
    domain: str = ""
    published: bool = False

    def __post_init__(self) -> None:
        for option in ("unit", "where", "preset", "date_format", "series", "name"):
            given: object = getattr(self, option)
            if not isinstance(given, str | None):
                raise UsageError(f"{option} must be text, not {given!r}")
        check_mapping(self.columns)
        date_reader(self.dates)
        if self.direction is not None and self.direction not in get_args(Direction):
            raise UsageError(f"direction must be falling or rising, not {self.direction!r}")
        if self.where is not None and not self.where.strip():
            raise UsageError("where must be all, frontier or an expression over the columns")

    @property
    def layout(self) -> Preset:
        """How the table is laid out."""
        return preset_named(self.preset)

    @property
    def way(self) -> Direction:
        """Which way the value moves as things improve."""
        return self.direction or self.layout.direction

    @property
    def dates(self) -> str | None:
        """The format of dates, None for the unambiguous forms."""
        return self.layout.date_format if self.date_format is None else self.date_format

    @property
    def measured_in(self) -> str:
        """The unit, empty if nothing says."""
        return self.layout.unit if self.unit is None else self.unit

    @property
    def expression(self) -> str | None:
        """The expression that chooses rows, None where `where` is a word."""
        return None if self.where in (None, *get_args(Rows)) else self.where
