"""Which column of the user's table holds which field."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Mapping, Sequence

from effbayes.dataset.cells import listed, shown
from effbayes.errors import Fault, UsageError

FIELDS = (
    "date",
    "value",
    "value_low",
    "value_high",
    "value_sd",
    "value_ci_low",
    "value_ci_high",
    "value_ci_prob",
    "date_sd_days",
    "frontier",
    "label",
    "source",
    "note",
    "series",
    "published_date",
    "published_value",
)
"""What a column may hold; `effbayes.dataset.read_table` says what each means."""


def fold(name: str) -> str:
    """A name without what people vary: case, and runs of spaces, hyphens and underscores."""
    return re.sub(r"[\s_-]+", " ", name.replace("\ufeff", "")).strip().casefold()


def _fold_space(name: str) -> str:
    return " ".join(name.replace("\ufeff", "").split()).casefold()


def check_mapping(columns: object) -> dict[str, str]:
    """A mapping of fields to the user's names, or the reason why it is not one.

    Raises
    ------
    UsageError
        Not a mapping of text to text, or not of known fields.
    """
    if columns is None:
        return {}
    if not isinstance(columns, Mapping):
        raise UsageError("columns must map fields to names, such as {'value': 'Cost (USD)'}")
    for field, name in columns.items():
        if field not in FIELDS:
            raise UsageError(f"there is no field {field!r}; the fields are: {', '.join(FIELDS)}")
        if not isinstance(name, str) or not name.strip():
            raise UsageError(f"the column of {field} must be a name, not {name!r}")
    return dict(columns)


def known_names(
    mapping: Mapping[str, str], candidates: Mapping[str, Sequence[str]]
) -> frozenset[str]:
    """Folded names of every column that may be meant."""
    names = [*FIELDS, *mapping.values(), *(name for names in candidates.values() for name in names)]
    return frozenset(fold(name) for name in names)


def match_columns(
    header: Sequence[str],
    mapping: Mapping[str, str],
    candidates: Mapping[str, Sequence[str]],
    published: bool = False,
) -> tuple[dict[str, int], list[Fault]]:
    """Find the column of each field.

    Parameters
    ----------
    header
        Names of the columns.
    mapping
        Fields to names that the user gave: each must be there.
    candidates
        Fields to names that a preset knows, the first that is there counts.
    published
        Whether the published values are asked for, and so must be there.

    Returns
    -------
    dict, list
        Position of each field's column, and what is wrong: a name that is not there, or is there
        twice, or a required field without a column.
    """
    faults: list[Fault] = []
    found: dict[str, int] = {}
    for field in FIELDS:
        if field in mapping:
            places = _places(header, mapping[field])
            if not places:
                faults.append(_no_column(header, mapping[field]))
        else:
            names = candidates.get(field, ())
            places = next((p for name in names if (p := _places(header, name))), [])
            places = places or _places_of_field(header, field)
        if len(places) > 1:
            faults.append(
                Fault(
                    f"names {len(places)} columns that could be {field}",
                    "rename all but one of them",
                    column=shown(header[places[0]]),
                )
            )
        elif places:
            found[field] = places[0]
    asked = found.keys() | mapping.keys()
    faults += _missing_fields(header, asked, candidates, published)
    return found, faults


def _places(header: Sequence[str], name: str) -> list[int]:
    """Where a name stands: exactly, or else but for case, spaces and a byte order mark."""
    exact = [i for i, column in enumerate(header) if column == name]
    return exact or [i for i, c in enumerate(header) if _fold_space(c) == _fold_space(name)]


def _places_of_field(header: Sequence[str], field: str) -> list[int]:
    exact = [i for i, column in enumerate(header) if column == field]
    return exact or [i for i, column in enumerate(header) if fold(column) == fold(field)]


def _missing_fields(
    header: Sequence[str],
    asked: Collection[str],
    candidates: Mapping[str, Sequence[str]],
    published: bool,
) -> list[Fault]:
    """Faults for the fields that a table cannot do without; those named wrongly are told above."""
    needs: dict[str, tuple[str, ...]] = {
        "date": ("date", "published_date") if published else ("date",),
        "value": ("value", "value_low", "value_high"),
    }
    if published:
        needs["value"] = ("value", "published_value")
        needs["published_value"] = ("published_date", "published_value")
    faults = []
    for field, ways in needs.items():
        if not any(way in asked for way in ways):
            names = [field, *candidates.get(field, ())]
            if field == "published_value":
                names = ["published_date", "published_value"]
            faults.append(
                Fault(
                    f"has no column for {field} (looked for {' or '.join(map(repr, names))})",
                    f"name it with --column {field}=NAME; {_existing(header)}",
                )
            )
    return faults


def _no_column(header: Sequence[str], name: str) -> Fault:
    close = difflib.get_close_matches(name, header, n=1) or [
        column for column in header if fold(column) == fold(name)
    ]
    hint = f"did you mean {shown(close[0])!r}? " if close else ""
    return Fault(f"has no column {shown(name)!r}", f"{hint}{_existing(header)}")


def _existing(header: Sequence[str]) -> str:
    names = [repr(shown(name)) for name in header if name]
    return f"its columns are: {listed(names)}" if names else "none of its columns has a name"
