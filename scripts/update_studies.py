"""Write docs/studies.md: the tables of the simulation studies, from the figures they left.

    uv run python scripts/update_studies.py

The figures are those of ``benchmarks/results``; nothing is simulated here.
"""

from __future__ import annotations

import io
import json
import runpy
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "studies.md"

TEXT = """# What the models get right: simulation studies

Each study draws data sets from a world that is known, fits them, and compares. Figures are those
in `benchmarks/results`, made by the command above each table; `python scripts/update_studies.py`
makes this page from them. Rates are in doublings per year; what follows a sign of plus and minus
is the standard error that so many data sets leave.

## A planted frontier among planted inefficiency

    python benchmarks/frontier_study.py --warmup 1000 --draws 1000 \\
      --out benchmarks/results/frontier_study.json

{sets} tables of 16 systems, a frontier that improves by 0.8 doublings a year, an exponential
excess of mean one doubling, a noise of 0.15. The frontier model sees all rows; the field's habit
is the log-linear line through the record points.

{frontier}

The line through the records is too steep, and its 95 % interval holds the truth less often than
it says. The frontier model's intervals hold it more often than they say: its priors are wide.

## Only records are kept

    python benchmarks/records_study.py --out benchmarks/results/records_study.json

A rate of 0.75, a noise of one doubling. In the world *kept*, 40 systems of which the records are
kept; in *fixed*, nine dates at which systems are tried until one sets a record, where the model
is exactly right.

{records}

The log-linear line is too steep and its interval too narrow, and misses on the side of fast
progress. The records model has intervals that hold the truth as often as they say, at the price
of their width; its median leans to slow progress, for records alone cannot exclude it, and its
root mean square error is no smaller.

## Series of two rows, alone and pooled

    python benchmarks/pooling_study.py --worlds {worlds} --out benchmarks/results/pooling_study.json

Eight series a world, four of them of two rows only. In the second population one of the four is
eight times as fast as its population has it, which pooling cannot know.

{pooling}

Alone, an interval of two rows is as wide as its prior and nearly always right. Pooled it is
several times narrower and holds the truth about as often as it says, also with an outlier among
the series.
"""


def main() -> None:
    """Rewrite the page."""
    frontier, records, pooling = map(_result, ("frontier", "records", "pooling"))
    shown = io.StringIO()
    with redirect_stdout(shown):
        _study("records")["show"](records)
    page = TEXT.format(
        sets=frontier["sets"],
        worlds=pooling["worlds"],
        frontier=_study("frontier")["as_markdown"](frontier),
        records=shown.getvalue().strip(),
        pooling=_study("pooling")["table"](pooling["results"]),
    )
    PAGE.write_text(page, encoding="utf-8")


def _study(name: str) -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "benchmarks" / f"{name}_study.py"))


def _result(name: str) -> dict[str, Any]:
    path = ROOT / "benchmarks" / "results" / f"{name}_study.json"
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


if __name__ == "__main__":
    main()
