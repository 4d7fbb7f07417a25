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
from effbayes.diagnostics import diagnose, log_mean_exp
from effbayes.inference import lanes
from effbayes.inference.importance import ESS_LIMIT, K_LIMIT, ImportanceSettings
from effbayes.inference.lanes import Lanes, LaneSettings, Shape, quantities
from effbayes.inference.nuts import SamplerSettings, run_nuts
from effbayes.inference.predictive import pointwise
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
            # A multiple of the width: lanes left over would be a program of another width.
            return Shape(-(-LANES_ON_A_CPU // width) * width, width)
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
    own
        What lanes have of their own: data, priors, a row left out.
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
    own: Lanes
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
        for column in (self.root, numbers, *self.own.data, self.own.priors, self.own.row):
            made.update(np.ascontiguousarray(column).tobytes())
        return made.hexdigest()

    def part(self, first: int, last: int) -> PosteriorsPart:
        """Lanes from `first` to before `last`, with their own data alone."""
        own = _some(self.own, slice(first, last), self.settings)
        numbers = np.arange(self.lanes) if self.numbers is None else self.numbers
        return PosteriorsPart(
            self.model,
            self.settings,
            own,
            numbers[first:last],
            self.root,
            self.where,
            first // max(last - first, 1),
        )


@dataclass(frozen=True, eq=False)
class PosteriorsPart:
    """Some lanes of `Posteriors`."""

    model: Model
    settings: LaneSettings
    own: Lanes
    numbers: np.ndarray
    root: np.ndarray
    where: Where
    turn: int = 0
    """Parts take turns on the devices of a host."""

    def run(self) -> dict[str, np.ndarray]:
        """Fit, certify and, where that fails, refit.

        Returns
        -------
        dict
            As `effbayes.inference.lanes.run_lanes`, with ``method`` (place in `METHODS`) and ``ok``
            (lane,).
        """
        with runtime.on_device(self.where.platform, self.turn) as device:
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
            own = _some(self.own, some, settings)
            numbers = self.numbers[some]
            parts.append(
                lanes.run_lanes(self.model, settings, shape, self.root, numbers, own, plan=plan)
            )
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _by_nuts(self, place: int, plan: Plan) -> dict[str, np.ndarray]:
        """One lane as every single fit is made, with its verdict."""
        model, whole, truth = self._lane(place)
        data, settings = whole, self.settings
        if settings.leaves_out:
            data = lanes.without_row(whole, int(self.own.row[place]))
        number = np.uint32(self.numbers[place])
        root = np.array([self.root[0] ^ number, ~self.root[1]], dtype=np.uint32)
        run = run_nuts(model, data, root, SamplerSettings(), plan=plan)
        names = quantities(model)
        verdict = diagnose({name: run.values[name] for name in names}, run.stats)
        draws = np.stack([run.values[name].ravel() for name in names])
        found: dict[str, Any] = {
            "mean": draws.mean(axis=1),
            "sd": draws.std(axis=1),
            "quantile": np.quantile(draws, settings.probs, axis=1).T,
            "k_hat": np.nan,
            "ess": min(verdict.ess_bulk_min, verdict.ess_tail_min),
            "method": np.int8(METHODS.index("NUTS")),
            "ok": verdict.ok,
        }
        if settings.leaves_out:
            key = runtime.split_key(int(root[0]))["predictive"]
            each = pointwise(model, key, run.values, whole, plan=plan).log_likelihood
            found["elpd"], found["elpd_mcse"] = log_mean_exp(each[..., int(self.own.row[place])])
        pick = np.linspace(0, draws.shape[1] - 1, max(settings.kept, 1)).astype(int)
        if settings.simulated:
            some = {
                name: each.reshape(-1, *each.shape[2:])[pick] for name, each in run.values.items()
            }
            found["rank"], found["truth"] = lanes.ranks_of(model, truth, data, some)
        elif settings.kept:
            found["draws"] = draws[:, pick].T
        return {name: np.asarray(each)[None] for name, each in found.items()}

    def _lane(self, place: int) -> tuple[Model, Data, dict[str, np.ndarray]]:
        """Model and whole data of a lane, and its true values where it was simulated."""
        model = self.model
        if self.settings.varied:
            numbers = zip(self.settings.varied, map(float, self.own.priors[place]), strict=True)
            model = lanes.with_priors(model, dict(numbers))
        if not self.settings.simulated:
            return model, chosen(self.own.data, place), {}
        number = self.numbers[place : place + 1]
        truth, data = lanes.simulate_lanes(model, self.root, number, self.own.data)
        return model, chosen(data, 0), {name: np.asarray(each[0]) for name, each in truth.items()}


def _some(own: Lanes, which: Any, settings: LaneSettings) -> Lanes:
    """What some of the lanes have of their own."""
    if settings.simulated:
        return own
    priors = own.priors[which] if settings.varied else ()
    return Lanes(chosen(own.data, which), priors, own.row[which] if settings.leaves_out else ())


def certified(found: dict[str, np.ndarray]) -> np.ndarray:
    """Which lanes have weights that can be trusted, dims (lane,); written so that NaN fails."""
    return (found["k_hat"] < K_LIMIT) & (found["ess"] >= ESS_LIMIT)


def _take(into: dict[str, np.ndarray], places: np.ndarray, results: dict[str, np.ndarray]) -> None:
    for name, column in into.items():
        column[places] = results[name]
