"""Lanes that are posteriors: fitted by weighted draws, certified, and refitted where that fails.

The cheapest right way comes first: weighted draws; the lanes whose weights cannot be trusted get
many more of them; what still fails is sampled by NUTS and judged as every single fit is. What fails
even that is reported, lane by lane.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import count
from threading import Lock
from typing import Any, NamedTuple

import numpy as np

from effbayes import provenance, runtime
from effbayes.diagnostics import diagnose, log_mean_exp
from effbayes.errors import DeviceError, OutOfMemoryError, UsageError
from effbayes.inference import lanes
from effbayes.inference.importance import ESS_LIMIT, K_LIMIT, ImportanceSettings
from effbayes.inference.lanes import Lanes, LaneSettings, Shape, quantities
from effbayes.inference.machine_code import sources
from effbayes.inference.nuts import SamplerSettings, run_nuts
from effbayes.inference.predictive import pointwise
from effbayes.inference.proposals import Mixture
from effbayes.models.contract import Data, Model, chosen
from effbayes.replicates import engine
from effbayes.replicates.folder import Folder
from effbayes.runtime import Plan

METHODS = ("weighted draws", "more weighted draws", "NUTS")
"""How a lane was fitted, by its number in `method`."""

FEW_QUANTITIES = 3
HARDER = ImportanceSettings(draws=1024, fits=24, rounds=8)
"""For lanes whose weights could not be trusted."""

_POPULATION = Mixture((0.9, 0.05, 0.05), begin=1.05, wide=1.3, wider=1.02, freedoms_of_rest=8)
_OF_A_POPULATION = ImportanceSettings(draws=1536, fits=8, rounds=4, least=300, good=0.12)
_MEMBERS = 8
"""Chosen on data sets drawn from the hierarchical model of so many series, 27 coordinates."""

CHUNK = 1024
"""Lanes to a part where they take few draws: a second or so of work."""

DRAWS_ON_A_CPU, WIDTHS_ON_A_CPU = 2048, 8
DRAWS_ON_AN_ACCELERATOR = 2**21
"""Draws side by side, and how often so many in a call of a CPU's program. Measured (docs/many.md):
on a CPU nearly any number will do; an accelerator is full from two million on, and little is gained
by more."""

PARTS_OF_AN_ACCELERATOR = 2
"""At a time: while one is computed, the host makes ready the next."""


def importance_for(model: Model, members: int = 0) -> ImportanceSettings:
    """Numbers of draws that certify nearly every lane of a model at once.

    What a t wastes where a normal would do grows with the number of coordinates, and falls with the
    square of its degrees of freedom: for more series these grow, and so do the numbers of draws.
    """
    if model.common_coordinates is not None:
        more = max(members / _MEMBERS, 1.0)
        mixture = replace(
            _POPULATION,
            common=model.common_coordinates,
            freedoms_of_rest=round(_POPULATION.freedoms_of_rest * more**0.5),
        )
        settings = _OF_A_POPULATION
        return replace(
            settings,
            draws=round(settings.draws * more),
            least=round(settings.least * more),
            mixture=mixture,
        )
    few = len(model.reported) <= FEW_QUANTITIES
    return ImportanceSettings(rounds=4 if few else 8)


def harder(settings: ImportanceSettings) -> ImportanceSettings:
    """For lanes whose weights could not be trusted."""
    if settings.mixture.common is None:
        return HARDER
    return replace(settings, draws=2 * settings.draws, fits=12, rounds=8, least=2 * settings.least)


class Cut(NamedTuple):
    """How a job is cut into parts: see `effbayes.replicates.engine.run`."""

    chunk: int
    grain: int | None
    threads: int


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

    def shape(self, device: Any, draws: int) -> Shape:
        """Of the programs, for lanes with so many draws to a round."""
        if device.platform == "cpu":
            width = self.width or max(DRAWS_ON_A_CPU // draws, 1)
            lanes = max(WIDTHS_ON_A_CPU * DRAWS_ON_A_CPU // draws, 1)
            # A multiple of the width: lanes left over would be a program of another width.
            return Shape(-(-lanes // width) * width, width)
        width = self.width or max(DRAWS_ON_AN_ACCELERATOR // draws, 1)
        return Shape(width, width)

    def cut(self, draws: int) -> Cut:
        """Of a job of lanes with so many draws to a round."""
        devices = runtime.devices(self.platform)
        lanes = self.shape(devices[0], draws).lanes
        if devices[0].platform == "cpu":
            chunk = max(CHUNK * ImportanceSettings().draws // draws, 1)
            # Whole calls, for what is missing in one is computed all the same.
            return Cut(-(-chunk // lanes) * lanes, lanes, runtime.at_once(self.platform))
        return Cut(lanes, None, PARTS_OF_AN_ACCELERATOR * len(devices))


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
    turns
        Of its parts on the devices of a host, counted as they are made.
    """

    model: Model
    settings: LaneSettings
    own: Lanes
    lanes: int
    root: np.ndarray
    where: Where = Where()
    numbers: np.ndarray | None = None
    turns: Iterator[int] = field(default_factory=count, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.settings.leaves_out and self.model.reported_of_members:
            raise UsageError("rows are left out of models of one series alone")

    @property
    def digest(self) -> str:
        """Of all that decides the results."""
        device, again = runtime.devices(self.where.platform)[0], harder(self.settings.importance)
        values = (
            self.model,
            self.settings,
            again,
            (K_LIMIT, ESS_LIMIT),
            SamplerSettings(),
            self.lanes,
            device.platform,
            [self.where.shape(device, each.draws) for each in (self.settings.importance, again)],
            provenance.versions(),
            sources(),
        )
        made = hashlib.sha256(repr(values).encode())
        numbers = np.zeros(0) if self.numbers is None else self.numbers
        for column in (self.root, numbers, *self.own.data, self.own.priors, self.own.row):
            array = np.ascontiguousarray(column)
            made.update(f"{array.dtype.str}{array.shape}".encode())
            made.update(array.tobytes())
        return made.hexdigest()

    def run(
        self,
        *,
        folder: Folder | None = None,
        cluster: engine.Cluster | None = None,
        progress: engine.Progress | None = None,
    ) -> dict[str, np.ndarray]:
        """Every lane, as `PosteriorsPart.run` has it; options as `engine.run`."""
        cut = self.where.cut(self.settings.importance.draws)
        return engine.run(self, **cut._asdict(), folder=folder, cluster=cluster, progress=progress)

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
            # Not from the lanes: the last part may be shorter, and a job that goes on lacks some.
            next(self.turns),
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
            found = self._weighted(self.settings, np.arange(len(self.numbers)), plan)
            found["method"] = np.zeros(len(self.numbers), dtype=np.int8)
            found["ok"] = certified(found)
            failed = np.flatnonzero(~found["ok"])
            if len(failed):
                settings = replace(self.settings, importance=harder(self.settings.importance))
                again = self._weighted(settings, failed, plan)
                again["ok"] = certified(again)
                again["method"] = np.ones(len(failed), dtype=np.int8)
                _take(found, failed, again)
            for lane in np.flatnonzero(~found["ok"]):
                _take(found, np.array([lane]), self._by_nuts(int(lane)))
        return found

    def _weighted(
        self, settings: LaneSettings, places: np.ndarray, plan: Plan
    ) -> dict[str, np.ndarray]:
        parts: list[dict[str, np.ndarray]] = []
        done = 0
        while done < len(places):
            shape = self._shape(settings, plan)
            some = places[done : done + shape.lanes]
            own, numbers = _some(self.own, some, settings), self.numbers[some]
            try:
                parts.append(
                    lanes.run_lanes(self.model, settings, shape, self.root, numbers, own, plan=plan)
                )
            except OutOfMemoryError as error:
                if shape.width == 1:
                    raise
                self._halve(settings, plan, shape, error)
                continue
            done += len(some)
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _shape(self, settings: LaneSettings, plan: Plan) -> Shape:
        """Of the program; smaller where its memory was found too small before."""
        whole = self.where.shape(plan.device, settings.importance.draws)
        return _fitting.get(self._program(settings, plan), whole)

    def _program(self, settings: LaneSettings, plan: Plan) -> tuple[Any, ...]:
        """What tells it from others, but for its shape."""
        rows = np.shape(self.own.data.y)
        rows = rows if settings.simulated else rows[1:]
        return self.model, settings, self.where, plan.device, rows

    def _halve(
        self, settings: LaneSettings, plan: Plan, failed: Shape, error: OutOfMemoryError
    ) -> None:
        """From now on half as many lanes to a call as in the one that failed."""
        with _halving:
            # Unless another thread was here with the same one.
            if self._shape(settings, plan) != failed:
                return
            smaller = failed.halved()
            _fitting[self._program(settings, plan)] = smaller
        warnings.warn(
            f"{error}; goes on with {smaller.width}, which may change the last digits",
            stacklevel=2,
        )

    def _by_nuts(self, place: int) -> dict[str, np.ndarray]:
        """One lane as every single fit is made, with its verdict."""
        with runtime.on_device(_platform_of_chains(self.where.platform)) as device:
            return self._sampled(place, runtime.plan(device))

    def _sampled(self, place: int, plan: Plan) -> dict[str, np.ndarray]:
        model, whole, truth = self._lane(place)
        data, settings = whole, self.settings
        if settings.leaves_out:
            data = lanes.without_row(whole, int(self.own.row[place]))
        number = np.uint32(self.numbers[place])
        root = np.array([self.root[0] ^ number, ~self.root[1]], dtype=np.uint32)
        run = run_nuts(model, data, root, SamplerSettings(), plan=plan)
        columns = lanes.columns_of(model, run.values)
        names = quantities(model, lanes.members_of(model, data))
        verdict = diagnose(dict(zip(names, columns, strict=True)), run.stats)
        draws = columns.reshape(len(names), -1)
        has_moments = lanes.moments_of(model, lanes.members_of(model, data))
        found: dict[str, Any] = {
            "mean": np.where(has_moments, draws.mean(axis=1), np.nan),
            "sd": np.where(has_moments, draws.std(axis=1), np.nan),
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


_halving = Lock()
_fitting: dict[Any, Shape] = {}
"""Shapes of programs that this process found to fit into memory, where the first did not."""


def _platform_of_chains(platform: str | None) -> str | None:
    """The processor, if JAX may use it: one fit is too small for an accelerator."""
    try:
        runtime.devices("cpu")
    except DeviceError:
        return platform
    return "cpu"


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
