"""Part (b): the tests against exact answers, and how far off the furthest comparison was.

Tests of ``tests/reference`` compare posteriors with quadrature, closed forms and other programs;
they leave their distances, in standard errors, in the report that pytest writes.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from xml.etree import ElementTree as ET

from scipy import stats

ROOT = Path(__file__).resolve().parents[2]
FAILED = ("failure", "error")


def references(*, slow: bool, tests: tuple[str, ...] = ("tests/reference",)) -> dict[str, Any]:
    """Run the tests and count.

    Raises
    ------
    RuntimeError
        They could not be run at all.
    """
    with TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", "--no-header", "-p", "no:cacheprovider"]
        # The newer family of reports has no place for what a test has to say.
        command += [f"--junitxml={report}", "-o", "junit_family=xunit1"]
        if slow:
            command += ["-m", "slow or not slow"]
        done = subprocess.run(
            [*command, *tests], cwd=ROOT, capture_output=True, text=True, check=False
        )
        if not report.exists():
            raise RuntimeError(f"no tests were run: {done.stdout[-2000:]}{done.stderr[-2000:]}")
        found = counted(list(read(report)))
    if done.returncode != int(bool(found["failed"])):
        # Interrupted, or broken in itself: what is in the report is not all.
        found["failed"].append(f"pytest ended with exit code {done.returncode}")
    return {"slow": slow} | found


def read(report: Path) -> Iterator[dict[str, Any]]:
    """What is known of each test."""
    for case in ET.parse(report).iter("testcase"):  # noqa: S314 - written by pytest, above
        told = {each.get("name"): each.get("value") for each in case.iter("property")}
        outcomes = {each.tag for each in case}
        yield {
            "name": f"{case.get('classname', '').rpartition('.')[2]}::{case.get('name')}",
            "failed": bool(outcomes & set(FAILED)),
            "skipped": "skipped" in outcomes,
            "compared": int(told.get("compared") or 0),
            "worst_z": float(told.get("worst_z") or 0.0),
        }


def counted(cases: list[dict[str, Any]]) -> dict[str, Any]:
    """Tests by outcome, and the furthest comparisons of each file."""
    if not cases:
        raise RuntimeError("no tests were run")
    files: dict[str, dict[str, Any]] = {}
    for case in cases:
        name = case["name"].partition("::")[0]
        one = files.setdefault(name, {"passed": 0, "failed": 0, "compared": 0, "worst_z": 0.0})
        one["passed"] += not (case["failed"] or case["skipped"])
        one["failed"] += case["failed"]
        one["compared"] += case["compared"]
        one["worst_z"] = max(one["worst_z"], case["worst_z"])
    return {
        "passed": sum(one["passed"] for one in files.values()),
        "failed": [case["name"] for case in cases if case["failed"]],
        "skipped": [case["name"] for case in cases if case["skipped"]],
        "files": files,
    }


def expected_worst(compared: int) -> float:
    """About the median of the largest of so many independent standard normal distances."""
    return float(stats.norm.isf(0.5 * (1.0 - 0.5 ** (1.0 / compared))))
