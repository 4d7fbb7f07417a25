"""Lanes that are posteriors: fitted by weighted draws, certified, and refitted where that fails.

The cheapest right way comes first: weighted draws; the lanes whose weights cannot be trusted get
many more of them; what still fails is sampled by NUTS and judged as every single fit is. What fails
even that is reported, lane by lane.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from effbayes import provenance, runtime
from effbayes.diagnostics import diagnose
from effbayes.inference import lanes
from effbayes.inference.importance import ESS_LIMIT, K_LIMIT, ImportanceSettings
from effbayes.inference.lanes import LaneSettings, Shape, quantities
from effbayes.inference.nuts import SamplerSettings, run_nuts
from effbayes.models.contract import Data, Model, chosen
from effbayes.runtime import Plan

METHODS = ("weighted draws", "more weighted draws", "NUTS")
"""How a lane was fitted, by its number in `method`."""

FEW_COORDINATES = 3
HARDER = ImportanceSettings(draws=1024, fits=24, rounds=8)
"""For lanes whose weights could not be trusted."""

LANES_ON_A_CPU, WIDTH_ON_A_CPU = 64, 8
LANES_ON_AN_ACCELERATOR = 4096
"""Of one call of a program. On a CPU, the draws of eight lanes fill its cache; an accelerator wants
as many as its memory holds."""


def importance_for(coordinates: int) -> ImportanceSettings:
    """Numbers of draws that certify nearly every lane at once, by the number of coordinates."""
    return ImportanceSettings(rounds=4 if coordinates <= FEW_COORDINATES else 8)


@dataclass(frozen=True)
class Where:
    """The device, and how many lanes it computes at a time.

    Attributes
    ----------
    platform
        ``"cpu"``, ``"gpu"``, ``"tpu"``; None is JAX's own choice.
    width
        Lanes side by side; 0 is what suits the device. It is part of the program: another width
        may change the last bits.
    """

    platform: str | None = None
    width: int = 0

    def shape(self, device: Any) -> Shape:
        """Of the programs."""
        if device.platform == "cpu":
            width = self.width or WIDTH_ON_A_CPU
            return Shape(max(LANES_ON_A_CPU, width), width)
        width = self.width or LANES_ON_AN_ACCELERATOR
        return Shape(width, width)


@dataclass(frozen=True, eq=False)
class Posteriors:
    """A job of `effbayes.replicates.engine`: lanes of one model.

    Attributes
    ----------
    model
        Frozen value.
    settings
        What each lane computes.
    data
        NumPy arrays with dims (lane, obs) and (lane,); of simulated lanes one template.
    lanes
        How many.
    root
        Bits of the root key, dims (2,).
    where
        Device and width.
    numbers
        Of the lanes, which their random numbers follow from; None counts them from zero.
    """

    model: Model
    settings: LaneSettings
    data: Data
    lanes: int
    root: np.ndarray
    where: Where = Where()
    numbers: np.ndarray | None = None

    @property
    def digest(self) -> str:
        """Of all that decides the results."""
        values = (self.model, self.settings, self.lanes, self.where, provenance.versions())
        made = hashlib.sha256(repr(values).encode())
        numbers = np.zeros(0) if self.numbers is None else self.numbers
        for column in (self.root, numbers, *self.data):
            made.update(np.ascontiguousarray(column).tobytes())
        return made.hexdigest()

    def part(self, first: int, last: int) -> PosteriorsPart:
        """Lanes from `first` to before `last`, with their own data alone."""
        data = self.data
        if not self.settings.simulated:
            data = chosen(self.data, slice(first, last))
        numbers = np.arange(self.lanes) if self.numbers is None else self.numbers
        return PosteriorsPart(
            self.model, self.settings, data, numbers[first:last], self.root, self.where
        )


@dataclass(frozen=True, eq=False)
class PosteriorsPart:
    """Some lanes of `Posteriors`."""

    model: Model
    settings: LaneSettings
    data: Data
    numbers: np.ndarray
    root: np.ndarray
    where: Where

    def run(self) -> dict[str, np.ndarray]:
        """Fit, certify and, where that fails, refit.

        Returns
        -------
        dict
            As `effbayes.inference.lanes.run_lanes`, with ``method`` (place in `METHODS`) and ``ok``
            (lane,).
        """
        with runtime.on_device(self.where.platform) as device:
            plan = runtime.plan(device)
            shape = self.where.shape(device)
            found = self._weighted(self.settings, np.arange(len(self.numbers)), shape, plan)
            found["method"] = np.zeros(len(self.numbers), dtype=np.int8)
            found["ok"] = certified(found)
            failed = np.flatnonzero(~found["ok"])
            if len(failed):
                harder = replace(self.settings, importance=HARDER)
                again = self._weighted(harder, failed, shape, plan)
                again["ok"] = certified(again)
                again["method"] = np.ones(len(failed), dtype=np.int8)
                _take(found, failed, again)
            for lane in np.flatnonzero(~found["ok"]):
                _take(found, np.array([lane]), self._by_nuts(int(lane), plan))
        return found

    def _weighted(
        self, settings: LaneSettings, places: np.ndarray, shape: Shape, plan: Plan
    ) -> dict[str, np.ndarray]:
        parts = []
        for low in range(0, len(places), shape.lanes):
            some = places[low : low + shape.lanes]
            data = self.data
            if not settings.simulated:
                data = chosen(self.data, some)
            parts.append(
                lanes.run_lanes(
                    self.model, settings, shape, self.root, self.numbers[some], data, plan=plan
                )
            )
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _by_nuts(self, place: int, plan: Plan) -> dict[str, np.ndarray]:
        """One lane as every single fit is made, with its verdict."""
        number = self.numbers[place : place + 1]
        truth: dict[str, np.ndarray] = {}
        if self.settings.simulated:
            [(truth, data)] = lanes.simulate_lanes(self.model, self.root, number, self.data)
        else:
            data = chosen(self.data, place)
        root = np.array([self.root[0] ^ np.uint32(number[0]), ~self.root[1]], dtype=np.uint32)
        run = run_nuts(self.model, data, root, SamplerSettings(), plan=plan)
        names = quantities(self.model)
        verdict = diagnose({name: run.values[name] for name in names}, run.stats)
        draws = np.stack([run.values[name].ravel() for name in names])
        found = {
            "mean": draws.mean(axis=1),
            "sd": draws.std(axis=1),
            "quantile": np.quantile(draws, self.settings.probs, axis=1).T,
            "k_hat": np.array(np.nan),
            "ess": np.array(min(verdict.ess_bulk_min, verdict.ess_tail_min)),
            "method": np.array(METHODS.index("NUTS"), dtype=np.int8),
            "ok": np.array(verdict.ok),
        }
        if self.settings.kept:
            pick = np.linspace(0, draws.shape[1] - 1, self.settings.kept).astype(int)
            if self.settings.simulated:
                some = {
                    name: each.reshape(-1, *each.shape[2:])[pick]
                    for name, each in run.values.items()
                }
                found["rank"], found["truth"] = lanes.ranks_of(self.model, truth, data, some)
            else:
                found["draws"] = draws[:, pick].T
        return {name: np.asarray(each)[None] for name, each in found.items()}


def certified(found: dict[str, np.ndarray]) -> np.ndarray:
    """Which lanes have weights that can be trusted, dims (lane,); written so that NaN fails."""
    return (found["k_hat"] < K_LIMIT) & (found["ess"] >= ESS_LIMIT)


def _take(into: dict[str, np.ndarray], places: np.ndarray, results: dict[str, np.ndarray]) -> None:
    for name, column in into.items():
        column[places] = results[name]
