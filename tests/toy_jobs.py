"""A job that costs nothing, for tests of what runs jobs; workers import it."""

from __future__ import annotations

import hashlib
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from effbayes.errors import DataError


@dataclass(frozen=True)
class Toy:
    """Lanes whose results follow from their numbers.

    Attributes
    ----------
    lanes
        How many.
    seconds
        Of each part.
    marks
        A folder in which every part that is begun leaves a file.
    bad
        A lane that fails, and how: ``"caller"``, ``"bug"``, ``"once"`` (the first time alone) or
        ``"kills"`` its process.
    """

    lanes: int
    seconds: float = 0.0
    marks: Path | None = None
    bad: tuple[int, str] | None = None

    @property
    def digest(self) -> str:
        return hashlib.sha256(repr((self.lanes, self.bad)).encode()).hexdigest()

    def part(self, first: int, last: int) -> ToyPart:
        return ToyPart(self, first, last)


@dataclass(frozen=True)
class ToyPart:
    job: Toy
    first: int
    last: int

    def run(self) -> dict[str, np.ndarray]:
        begun_before = self._mark()
        if self.job.bad is not None and self.first <= self.job.bad[0] < self.last:
            self._fail(self.job.bad[1], begun_before)
        time.sleep(self.job.seconds)
        lane = np.arange(self.first, self.last)
        return {
            "whole": lane**2,
            "real": np.sin(lane[:, None] + np.arange(3.0)),
            "ok": lane % 7 != 0,
        }

    def _mark(self) -> bool:
        if self.job.marks is None:
            return False
        begun = sorted(self.job.marks.glob(f"{self.first}-*"))
        (self.job.marks / f"{self.first}-{len(begun)}-{os.getpid()}").touch()
        return bool(begun)

    @staticmethod
    def _fail(how: str, begun_before: bool) -> None:
        if how == "caller":
            raise DataError("a lane that cannot be used")
        if how == "bug" or (how == "once" and not begun_before):
            raise ZeroDivisionError("a fault")
        if how == "kills":
            os.kill(os.getpid(), signal.SIGKILL)


def assert_same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> None:
    """Bit for bit, names and types too."""
    assert list(one) == list(other)
    for name, column in one.items():
        assert column.dtype == other[name].dtype
        assert column.shape == other[name].shape
        assert column.tobytes() == other[name].tobytes()
