"""Results of many posteriors as tables for a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from effbayes import wording
from effbayes.cli import layout


def _title(document: Mapping[str, Any]) -> str:
    name = "/".join(part for part in (document["domain"], document["series"]) if part)
    return f"{name}, {document['n_obs']} rows, model {document['model']}, prior {document['prior']}"


def calibration(document: Mapping[str, Any]) -> None:
    """Verdict, ranks and coverage."""
    with layout.page() as console:
        layout.line(console, _title(document), style="bold")
        good = document["verdict"] == "calibrated"
        said = f"{document['verdict']}: {document['sets']} data sets"
        layout.line(console, said, style="bold green" if good else "bold red")
        heads = [
            "quantity",
            "ranks",
            *(f"{100 * float(p):g} % covers" for p in ("0.5", "0.8", "0.95")),
        ]
        rows = []
        for name, quantity in document["quantities"].items():
            covered = document["coverage"].get(name, {})
            excursions = quantity["excursions"]
            rows.append(
                [
                    name,
                    "uniform" if not excursions else excursions[0],
                    *(_share(covered[p]) if covered else "" for p in ("0.5", "0.8", "0.95")),
                ]
            )
        layout.table(console, heads, rows)
        ways = ", ".join(f"{n} by {way}" for way, n in document["fitted_by"].items() if n)
        layout.line(console, f"fitted: {ways}; {document['not_certified']} not certified")
        layout.line(
            console,
            f"A right sampler fails with probability {document['false_alarm']:g}. "
            "Shares with 95 % intervals.",
        )


def _share(found: Mapping[str, float]) -> str:
    return f"{100 * found['share']:.1f} ({100 * found['low']:.1f} to {100 * found['high']:.1f})"


def bootstrap(document: Mapping[str, Any]) -> None:
    """Intervals side by side."""
    percent = f"{100 * document['ci']['prob']:g} %"
    with layout.page() as console:
        layout.line(console, _title(document), style="bold")
        heads = ["", f"doubling time, months ({percent})"]
        times = document["doubling_time_months"]
        layout.table(
            console, heads, [[name, wording.doubling_time(each)] for name, each in times.items()]
        )
        layout.line(
            console,
            f"{document['tables']} tables of rows drawn with replacement; {document['redrawn']} "
            f"had fewer than three different rows, or no posterior, and were drawn again; "
            f"{document['not_certified']} not certified",
        )


def sensitivity(document: Mapping[str, Any]) -> None:
    """Every choice with its change, and power-scaling."""
    percent = f"{100 * document['ci']['prob']:g} %"
    with layout.page() as console:
        layout.line(console, _title(document), style="bold")
        layout.line(console, document["sentence"])
        heads = ["choice", f"doubling time, months ({percent})", "change", ""]
        rows = [
            [
                row["choice"],
                wording.doubling_time(row["doubling_time_months"]),
                "" if row["change"] is None else f"{100 * (row['change'] - 1):+.1f} %",
                "" if row["verdict"] == "ok" else row["verdict"],
            ]
            for row in (document["base"], *document["refits"])
        ]
        layout.table(console, heads, rows)
        for choice, why in document["left_out"].items():
            layout.line(console, f"left out: {choice}: {why}")
        scaled = document["power_scaling"]
        if scaled is None:
            layout.line(console, f"note: {document['note']}")
            return
        layout.table(
            console,
            ["power-scaling of", "prior", "likelihood", "diagnosis"],
            [
                [name, f"{row['prior']:.3f}", f"{row['likelihood']:.3f}", row["diagnosis"]]
                for name, row in scaled.items()
            ],
        )
