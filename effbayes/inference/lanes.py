"""Many posteriors of one model at once: one compiled program for every lane.

A lane is a posterior: of a series of its own, or of a data set drawn from the model (calibration).
It is fitted by `effbayes.inference.importance` and reduced on the device to what is asked for. Its
random numbers follow from the root key and its number alone, so that the same lane gives the same
figures wherever and beside whatever it runs; only how many lanes are computed side by side
(`width`) is part of the program.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from threading import Lock
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.scipy.linalg import solve_triangular

from effbayes.arrays import PerDraw, RandomKey
from effbayes.errors import OutOfMemoryError, UsageError
from effbayes.inference.importance import ImportanceSettings, importance
from effbayes.inference.machine_code import compiled
from effbayes.inference.pareto import from_ordinal, ordinal
from effbayes.models.contract import Data, Model
from effbayes.runtime import Plan

LOG_JOINT = "log_joint"
"""Name under which the log density of parameters and data is ranked: it sees what no parameter
alone does (Modrak et al. 2023, doi:10.1214/23-BA1404)."""

PURPOSES = ("truth", "data", "start", "draws", "completed", "kept")


@dataclass(frozen=True)
class LaneSettings:
    """What each lane computes.

    Attributes
    ----------
    importance
        Numbers of draws.
    probs
        Probabilities of the quantiles.
    simulated
        Data are drawn from the model's prior, on the dates of what is given, and the true values
        are ranked among `kept` draws.
    kept
        Draws of equal weight that leave the device; 0 for none.
    varied
        Names of the priors' numbers that each lane has of its own.
    leaves_out
        Each lane leaves out a row of its own and predicts it; of models of one series.
    """

    importance: ImportanceSettings = field(default_factory=ImportanceSettings)
    probs: tuple[float, ...] = (0.025, 0.25, 0.5, 0.75, 0.975)
    simulated: bool = False
    kept: int = 0
    varied: tuple[str, ...] = ()
    leaves_out: bool = False

    def __post_init__(self) -> None:
        if not all(0.0 < prob < 1.0 for prob in self.probs) or not self.probs:
            raise UsageError(f"probabilities {self.probs}, must be between 0 and 1")
        if self.simulated and not self.kept:
            raise UsageError("to be ranked, true values need draws that are kept")
        if self.simulated and (self.varied or self.leaves_out):
            raise UsageError("simulated lanes have the priors and all rows of their template")


class Lanes(NamedTuple):
    """What lanes have of their own; the first dim of every array is the lane.

    Attributes
    ----------
    data
        Of simulated lanes one template, without that dim.
    priors
        Numbers of the priors in the order of `LaneSettings.varied`, dims (lane, varied).
    row
        Place of the row that is left out, dims (lane,).
    """

    data: Data
    priors: Any = ()
    row: Any = ()


class Shape(NamedTuple):
    """What else a program is compiled for.

    Attributes
    ----------
    lanes
        Of a call.
    width
        Of them, computed side by side.
    """

    lanes: int
    width: int

    def halved(self) -> Shape:
        """For a device without memory for this one."""
        width = max(self.width // 2, 1)
        return Shape(max(self.lanes // 2 // width, 1) * width, width)


def quantities(model: Model, members: int = 0) -> tuple[str, ...]:
    """Names of what every lane reports, in order; of a model of several series, so many of them."""
    of_members = [f"{name}[{i}]" for i in range(members) for name in model.reported_of_members]
    return (*model.reported, *of_members)


def moments_of(model: Model, members: int = 0) -> np.ndarray:
    """Which of `quantities` have a mean: a doubling time has none, its rate may be nearly zero."""
    return np.array([not name.startswith("doubling_time") for name in quantities(model, members)])


def members_of(model: Model, data: Data) -> int:
    """How many series a lane of a model of several has; 0 where it has one."""
    return data.y.shape[-2] if model.reported_of_members else 0


def columns_of(model: Model, values: Mapping[str, Any]) -> Any:
    """What `quantities` names, along a new first dim; members' values have theirs last."""
    scalars = [values[name] for name in model.reported]
    of_members = [values[name] for name in model.reported_of_members]
    rest: list[Any] = []
    if of_members:
        rest = [one[..., i] for i in range(of_members[0].shape[-1]) for one in of_members]
    return _stack([*scalars, *rest])


def _stack(columns: Sequence[Any]) -> Any:
    return (np if isinstance(columns[0], np.ndarray) else jnp).stack(columns)


def run_lanes(
    model: Model,
    settings: LaneSettings,
    shape: Shape,
    root: np.ndarray,
    numbers: np.ndarray,
    own: Lanes,
    *,
    plan: Plan,
) -> dict[str, np.ndarray]:
    """Compute lanes of one model.

    Parameters
    ----------
    model
        Frozen value.
    settings
        What to compute.
    shape
        Lanes of the program: at least as many as there are numbers; the rest is computed and
        dropped.
    root
        Bits of the root key, dims (2,).
    numbers
        Of the lanes, dims (lane,).
    own
        Of as many lanes as there are numbers.
    plan
        From `effbayes.runtime.plan`.

    Raises
    ------
    OutOfMemoryError
        The device has no room for `Shape.width` lanes side by side.

    Returns
    -------
    dict
        ``mean``, ``sd`` (lane, quantity), NaN of doubling times; ``quantile`` (lane, quantity,
        prob); ``k_hat``, ``ess`` (lane,); where asked for ``draws`` (lane, draw, quantity),
        ``rank`` and ``truth`` (lane, quantity, with `LOG_JOINT` the last), ``elpd`` and
        ``elpd_mcse`` (lane,).
    """
    missing = shape.lanes - len(numbers)
    numbers = np.concatenate([numbers, np.repeat(numbers[-1:], missing)]).astype(np.uint32)
    columns = own.data._asdict()
    if not settings.simulated:
        columns |= {"priors": own.priors, "row": own.row}
        columns = {
            name: _padded(np.asarray(column), missing)
            for name, column in columns.items()
            if not (isinstance(column, tuple) and not column)
        }
    shapes = tuple((name, np.shape(x), np.asarray(x).dtype.str) for name, x in columns.items())
    try:
        # Some devices say that a program is too large when it is compiled.
        with _compiling:
            call = _program(model, settings, shape, shapes, plan)
        found = call(root, numbers, columns)
        return {name: np.asarray(each)[: shape.lanes - missing] for name, each in found.items()}
    except jax.errors.JaxRuntimeError as error:
        if _OUT_OF_MEMORY not in str(error):
            raise
        kind = plan.device.device_kind
        raise OutOfMemoryError(f"{kind}: no memory for {shape.width} lanes at once") from error


def simulate_lanes(
    model: Model, root: np.ndarray, numbers: np.ndarray, data: Data
) -> tuple[dict[str, np.ndarray], Data]:
    """True values and data of simulated lanes, as `run_lanes` drew them; first dim the lane."""
    truth, drawn = _simulating(model)(root, numbers.astype(np.uint32), data)
    return jax.tree.map(np.asarray, (truth, drawn))


@lru_cache(maxsize=8)
def _simulating(model: Model) -> Any:
    def every(root: Any, numbers: Any, data: Data) -> Any:
        return jax.vmap(lambda number: _simulated(model, _key(root, number), data))(numbers)

    return jax.jit(every)


def ranks_of(
    model: Model, truth: Mapping[str, np.ndarray], data: Data, draws: Mapping[str, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Ranks of true values among draws, dims (quantity,), and the true values."""
    rank, true = _ranking(model)(dict(truth), dict(draws), data)
    return np.asarray(rank), np.asarray(true)


@lru_cache(maxsize=8)
def _ranking(model: Model) -> Any:
    return jax.jit(lambda truth, draws, data: _ranks(model, truth, draws, data))


_OUT_OF_MEMORY = "RESOURCE_EXHAUSTED"
"""In the text of JAX's error."""

_compiling = Lock()
"""Threads that need the same program wait for the one that compiles it."""


def _padded(column: np.ndarray, missing: int) -> np.ndarray:
    return np.concatenate([column, np.repeat(column[-1:], missing, axis=0)])


@lru_cache(maxsize=64)
def _program(model: Model, settings: LaneSettings, shape: Shape, shapes: Any, plan: Plan) -> Any:
    def arguments() -> tuple[Any, ...]:
        columns = {name: jax.ShapeDtypeStruct(dims, dtype) for name, dims, dtype in shapes}
        numbers = jax.ShapeDtypeStruct((shape.lanes,), "uint32")
        return jax.ShapeDtypeStruct((2,), "uint32"), numbers, columns

    def every(root: Any, numbers: Any, columns: Any) -> dict[str, Array]:
        def simulated(number: Any) -> dict[str, Array]:
            return _lane(model, settings, _key(root, number), Lanes(Data(**columns)))

        def given(lane: Any) -> dict[str, Array]:
            number, own = lane
            own = dict(own)
            priors, row = own.pop("priors", ()), own.pop("row", ())
            return _lane(model, settings, _key(root, number), Lanes(Data(**own), priors, row))

        if settings.simulated:
            return jax.lax.map(simulated, numbers, batch_size=shape.width)
        return jax.lax.map(given, (numbers, columns), batch_size=shape.width)

    _linear_algebra()
    made_from = ("lanes", repr(model), repr(settings), shape, shapes)
    return compiled(every, arguments, made_from=made_from, plan=plan).call


@cache
def _linear_algebra() -> None:
    """Make JAX look up its linear algebra, which machine code that was kept calls unseen.

    Without that, a process that loads such a program and has compiled none of its own would crash.
    """
    unit = jnp.eye(2)
    jax.block_until_ready(solve_triangular(jnp.linalg.cholesky(unit), unit, lower=True))


def _key(root: Any, number: Any) -> RandomKey:
    return jax.random.fold_in(jax.random.wrap_key_data(jnp.asarray(root)), number)


def _keys(key: RandomKey) -> dict[str, RandomKey]:
    return {name: jax.random.fold_in(key, i) for i, name in enumerate(PURPOSES)}


def _simulated(model: Model, key: RandomKey, data: Data) -> tuple[dict[str, Array], Data]:
    keys = _keys(key)
    truth = model.prior_draw(keys["truth"], data)
    return truth, model.simulate(keys["data"], truth, data)


def _lane(model: Model, settings: LaneSettings, key: RandomKey, own: Lanes) -> dict[str, Array]:
    keys = _keys(key)
    whole = own.data
    truth: dict[str, Array] = {}
    if settings.varied:
        model = with_priors(
            model, dict(zip(settings.varied, own.priors, strict=True)), checked=False
        )
    if settings.simulated:
        truth, whole = _simulated(model, key, whole)
    data = without_row(whole, own.row) if settings.leaves_out else whole
    starts = jnp.stack([model.initial(keys["start"], data, far=jnp.asarray(far)) for far in (0, 1)])
    found = importance(
        lambda position: model.log_density(position, data),
        starts,
        settings.importance,
        keys["draws"],
    )

    def at(position: Array, key: RandomKey) -> dict[str, Array]:
        values = model.constrain(position, data)
        return values | model.complete(key, values, data)

    values = jax.vmap(at)(
        found.position, jax.random.split(keys["completed"], found.weight.shape[0])
    )
    columns = columns_of(model, values)
    # Of a draw without weight nothing is known to be finite.
    columns = jnp.where(found.weight[None] > 0.0, columns, 0.0)
    mean = jnp.where(moments_of(model, members_of(model, whole)), columns @ found.weight, jnp.nan)
    variance = (columns - mean[:, None]) ** 2 @ found.weight
    probs = jnp.asarray(settings.probs)
    reported = {
        "mean": mean,
        "sd": jnp.sqrt(variance),
        "quantile": jax.vmap(lambda column: quantiles(column, found.weight, probs))(columns),
        "k_hat": found.k_hat,
        "ess": found.ess,
    }
    if settings.leaves_out:
        reported |= _predicted(model, values, found.weight, whole, own.row)
    if not settings.kept:
        return reported
    picked = _resampled(found.weight, settings.kept, keys["kept"])
    if not settings.simulated:
        return reported | {"draws": columns[:, picked].T}
    rank, true = _ranks(model, truth, {name: x[picked] for name, x in values.items()}, data)
    return reported | {"rank": rank, "truth": true}


def with_priors(model: Any, numbers: Mapping[str, Any], *, checked: bool = True) -> Model:
    """A model with other numbers in its priors; unchecked while a program is traced."""
    priors = replace(model.priors, **numbers) if checked else model.priors.at(numbers)
    made: Model = replace(model, priors=priors)
    return made


def without_row(data: Data, row: Any) -> Data:
    """Data whose mask leaves out a row; what priors take from the table stays."""
    return data._replace(mask=data.mask & (jnp.arange(data.mask.shape[-1]) != row))


def _predicted(
    model: Model, values: Mapping[str, Array], weight: PerDraw, data: Data, row: Any
) -> dict[str, Array]:
    """Log predictive density of the row left out, and its Monte Carlo standard error."""
    each = jax.vmap(lambda at: model.log_likelihood(at, data)[row])(dict(values))
    each = jnp.where(weight > 0.0, each, -jnp.inf)
    peak = jnp.max(each)
    density = jnp.exp(each - peak)
    mean = weight @ density
    error = jnp.sqrt(weight**2 @ (density - mean) ** 2)
    return {"elpd": peak + jnp.log(mean), "elpd_mcse": error / mean}


def quantiles(values: PerDraw, weight: PerDraw, probs: Array) -> Array:
    """Quantiles of weighted draws, linear between the middles of their weights; dims (prob,)."""
    ordered, share = jax.lax.sort_key_val(ordinal(values), weight)
    return jnp.interp(probs, jnp.cumsum(share) - 0.5 * share, from_ordinal(ordered))


def _resampled(weight: PerDraw, number: int, key: RandomKey) -> Array:
    """Places of draws of equal weight: each independently, by its weight."""
    total = jnp.cumsum(weight)
    picked = jnp.searchsorted(total, jax.random.uniform(key, (number,)) * total[-1])
    return jnp.minimum(picked, weight.shape[0] - 1)


def _ranks(
    model: Model, truth: Mapping[str, Array], draws: Mapping[str, Array], data: Data
) -> tuple[Array, Array]:
    def of(values: Mapping[str, Array]) -> Array:
        joint = model.log_prior(values, data) + jnp.sum(model.log_likelihood(values, data))
        return jnp.append(columns_of(model, values), joint)

    true = of(truth)
    return jnp.sum(jax.vmap(of)(dict(draws)) < true[None], axis=0), true
