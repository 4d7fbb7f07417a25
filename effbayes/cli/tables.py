"""``domains`` and ``validate``: what can be sampled, and what is wrong with a table."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from effbayes.cli import options, output, render
from effbayes.errors import DataError


def domains(
    published: Annotated[
        bool, typer.Option("--published", help="Figures as published, before corrections.")
    ] = False,
    json: options.Json = False,
) -> None:
    """What can be sampled, and the published claims. Rows, span and unit of every series."""
    from effbayes.domains import describe

    infos = [asdict(info) for info in describe(published=published)]
    if json:
        output.write_json({"schema": "effbayes.domains/1", "series": infos})
    else:
        render.domains(infos)


def validate(
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", help="The table.")],
    column: options.Columns = None,
    direction: options.Direction = None,
    where: options.Where = None,
    preset: options.Preset = None,
    date_format: options.DateFormat = None,
    unit: options.Unit = None,
    series: options.SeriesName = None,
    json: options.Json = False,
) -> None:
    """All faults of a table, by row and column. With the rule broken, and the remedy."""
    from effbayes.dataset import read_table

    document: dict[str, Any] = {
        "schema": "effbayes.validation/1",
        "file": str(file),
        "valid": True,
        "error": None,
        "faults": [],
        "series": [],
    }
    failure: DataError | None = None
    try:
        found = read_table(
            file,
            columns=options.column_mapping(column) or None,
            direction=options.direction(direction),
            where=where,
            preset=preset,
            date_format=date_format,
            unit=unit,
            series=series,
        )
    except DataError as error:
        failure = error
        document |= {
            "valid": False,
            "error": error.summary,
            "faults": [asdict(fault) for fault in error.faults],
        }
    else:
        document["series"] = [
            {
                "name": one.name,
                "n_obs": one.n_obs,
                "n_table": one.n_table,
                "span": list(one.span),
                "remarks": list(one.remarks),
            }
            for one in found.values()
        ]
    if json:
        output.write_json(document)
    else:
        render.validation(document, failure)
    if failure is not None:
        raise typer.Exit(DataError.exit_code)
