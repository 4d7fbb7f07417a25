"""What `benchmarks/many.py` measures of effbayes's lanes; a task's `what` says which."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import many_shared
import numpy as np

import effbayes as eb
from effbayes import runtime
from effbayes.errors import OutOfMemoryError
from effbayes.inference import lanes
from effbayes.inference.importance import ESS_LIMIT, K_LIMIT, importance
from effbayes.inference.lanes import Lanes, LaneSettings, Shape
from effbayes.models.contract import Data, data_from_series
from effbayes.models.loglinear import LogLinear
from effbayes.replicates import calibration
from effbayes.replicates.posteriors import HARDER, METHODS, Posteriors, Where, importance_for

SERIES = eb.load_series("imagenet", "alexnet-training").without_bounds()
MODEL = LogLinear(censored=False)
KEPT = 1000
CHECKED = 500
PLACES = [lanes.quantities(MODEL).index(name) for name in many_shared.NAMES]


def settings(kept: int = 0, *, simulated: bool = False) -> LaneSettings:
    return LaneSettings(importance_for(MODEL), simulated=simulated, kept=kept)


def draw(asked: dict[str, Any]) -> None:
    """Data sets from the prior, on the dates of the series."""
    template = data_from_series(SERIES)
    with runtime.on_device(asked["platform"]):
        root, numbers = runtime.key_bits(asked["seed"]), np.arange(asked["sets"])
        _, drawn = lanes.simulate_lanes(MODEL, root, numbers, template)
    n = SERIES.n_obs
    columns = {f"data_{name}": column for name, column in drawn._asdict().items()}
    np.savez(asked["data"], t=template.t[:n], y=drawn.y[:, :n], centre=template.y_mean, **columns)


def kept_data(asked: dict[str, Any]) -> Data:
    with np.load(asked["data"]) as kept:
        return Data(*(kept[f"data_{name}"][: asked["sets"]] for name in Data._fields))


def posteriors(asked: dict[str, Any]) -> None:
    """Certified posteriors of given data sets."""
    data, sets = kept_data(asked), asked["sets"]
    where = Where(asked["platform"])
    # Not the key that the data sets were drawn with.
    root = runtime.key_bits(asked["seed"] + 1)

    def fit(kept: int) -> dict[str, np.ndarray]:
        return Posteriors(MODEL, settings(kept), Lanes(data), sets, root, where).run()

    with many_shared.Clock() as first:
        fit(0)
    with many_shared.Clock() as clock:
        found = fit(0)
    some = np.sort(np.random.default_rng(asked["seed"]).permutation(sets)[:CHECKED])
    draws = np.moveaxis(fit(KEPT)["draws"][some], 2, 1)[:, PLACES]
    draws = draws.reshape(len(some), len(PLACES), 4, KEPT // 4)
    many_shared.answer(
        asked,
        {
            "sets": sets,
            "certified": int(found["ok"].sum()),
            "wall_s": clock.wall,
            "cpu_s": clock.cpu,
            "first_call_wall_s": first.wall,
            "fitted_by": {
                name: int(np.sum(found["method"] == place)) for place, name in enumerate(METHODS)
            },
            "draws": settings().importance.number,
            "ess_quantiles": np.quantile(found["ess"], (0.0, 0.01, 0.5)).tolist(),
            "resampled_checked": len(some),
            "resampled_draws": KEPT,
            "resampled_pass_arviz": int(sum(map(many_shared.certified, draws))),
            "mean": found["mean"][:, PLACES].tolist(),
            "sd": found["sd"][:, PLACES].tolist(),
        },
    )


def growth(asked: dict[str, Any]) -> None:
    """Seconds and memory of simulated lanes, ranked, without a folder."""

    def fit(number: int) -> dict[str, np.ndarray]:
        root = runtime.key_bits(asked["seed"])
        data, where = Lanes(data_from_series(SERIES)), Where(asked["platform"])
        return Posteriors(MODEL, settings(99, simulated=True), data, number, root, where).run()

    fit(asked["warm_up"])
    _compile_harder(settings(99, simulated=True), Where(asked["platform"]))
    warm = many_shared.peak_mib()
    with many_shared.Clock() as clock:
        found = fit(asked["lanes"])
    many_shared.answer(
        asked,
        {
            "lanes": asked["lanes"],
            "wall_s": clock.wall,
            "cpu_s": clock.cpu,
            "certified": int(found["ok"].sum()),
            "fitted_by": {
                name: int(np.sum(found["method"] == place)) for place, name in enumerate(METHODS)
            },
            "peak_mib_before": warm,
            "peak_mib": many_shared.peak_mib(),
        },
    )


def widths(asked: dict[str, Any]) -> None:
    """Seconds to a lane by how many are side by side; every width once per round."""
    data = kept_data(asked)
    number = len(data.y)
    root = runtime.key_bits(asked["seed"] + 1)
    found: dict[int, dict[str, Any]] = {}
    with runtime.on_device(asked["platform"]) as device:
        plan = runtime.plan(device)
        calls: dict[int, Callable[[], Any]] = {}
        for width in asked["widths"]:
            shape = Shape(-(-number // width) * width, width)
            calls[width] = lambda shape=shape: lanes.run_lanes(
                MODEL, settings(), shape, root, np.arange(number), Lanes(data), plan=plan
            )
            with many_shared.Clock() as first:
                try:
                    calls[width]()
                except OutOfMemoryError as error:
                    # Wider ones do not fit into memory either.
                    del calls[width]
                    found[width] = {"failed": str(error).splitlines()[0]}
                    break
            found[width] = {"first_call_wall_s": first.wall, "wall_us": [], "cpu_us": []}
        for _ in range(asked["rounds"]):
            for width, call in calls.items():
                with many_shared.Clock() as clock:
                    call()
                # Lanes beyond those asked for are computed too.
                computed = -(-number // width) * width
                found[width]["wall_us"].append(clock.wall / computed * 1e6)
                found[width]["cpu_us"].append(clock.cpu / computed * 1e6)
    many_shared.answer(asked, {"lanes": number, "widths": found})


def precision(asked: dict[str, Any]) -> None:
    """Densities, gradients and whole lanes, in double and in single precision, and the limit."""
    wide, device = kept_data(asked), runtime.device(asked["platform"])
    found: dict[str, Any] = {}
    for name, x64 in (("float64", True), ("float32", False)):
        with jax.enable_x64(x64), jax.default_device(device):
            found[name] = _in_precision(wide, np.dtype(name), asked)
    means = [np.array(each.pop("mean")) for each in found.values()]
    sd = np.array(found["float64"].pop("sd"))
    found["float32"].pop("sd")
    away = np.abs(means[1] - means[0]) / sd
    known = np.isfinite(away)
    found["float32"]["mean_away_from_float64_in_sd"] = {
        "median": float(np.median(away[known])),
        "max": float(np.max(away[known])),
        "not_finite": int(np.sum(~known)),
    }
    many_shared.answer(asked, found)


def _in_precision(wide: Data, dtype: np.dtype, asked: dict[str, Any]) -> dict[str, Any]:
    floats = [column if column.dtype == bool else column.astype(dtype) for column in wide]
    data = Data(*map(jnp.asarray, floats))
    number, draws = len(wide.y), settings().importance.draws
    width = asked["width"]
    positions = jax.random.normal(jax.random.key(1), (number, draws, 3), dtype)

    def mapped(one: Callable[..., Any]) -> Callable[..., Any]:
        every = lambda lane: jax.vmap(lambda at: one(at, lane[1]))(lane[0])  # noqa: E731
        return lambda positions, data: jax.lax.map(every, (positions, data), batch_size=width)

    def lane(asked: tuple[Any, Data]) -> Any:
        key, own = asked
        starts = [MODEL.initial(key, own, far=jnp.asarray(far)) for far in (0, 1)]
        density = lambda at: MODEL.log_density(at, own)  # noqa: E731
        weighted = importance(density, jnp.stack(starts), settings().importance, key)
        rate = jax.vmap(lambda at: MODEL.constrain(at, own)["rate"])(weighted.position)
        rate = jnp.where(weighted.weight > 0.0, rate, 0.0)
        mean = rate @ weighted.weight
        sd = jnp.sqrt((rate - mean) ** 2 @ weighted.weight)
        return mean, sd, weighted.k_hat, weighted.ess

    keys = jax.random.split(jax.random.key(2), number)
    whole = jax.jit(lambda keys, data: jax.lax.map(lane, (keys, data), batch_size=width))
    mean, sd, k_hat, ess = map(np.asarray, whole(keys, data))
    evaluations = number * draws
    density = _rate(mapped(MODEL.log_density), (positions, data), evaluations)
    slope = _rate(mapped(jax.grad(MODEL.log_density)), (positions, data), evaluations)
    return {
        "lanes": number,
        "lane": _rate(whole, (keys, data), number),
        "certified_at_once": int(np.sum((k_hat < K_LIMIT) & (ess >= ESS_LIMIT))),
        "mean": mean.tolist(),
        "sd": sd.tolist(),
        "density": density | _operations(MODEL.log_density, positions, data),
        "gradient": slope | _operations(jax.grad(MODEL.log_density), positions, data),
        "limit": _limits(dtype),
    }


def _rate(call: Callable[..., Any], arguments: tuple[Any, ...], number: int) -> dict[str, float]:
    """How many a second, best of five: of the wall and of all cores."""
    compiled = jax.jit(call).lower(*arguments).compile()
    jax.block_until_ready(compiled(*arguments))
    wall, cpu = [], []
    for _ in range(5):
        with many_shared.Clock() as clock:
            jax.block_until_ready(compiled(*arguments))
        wall.append(clock.wall)
        cpu.append(clock.cpu)
    return {"per_wall_s": number / min(wall), "per_cpu_s": number / max(min(cpu), 1e-9)}


def _operations(one: Callable[..., Any], positions: Any, data: Data) -> dict[str, float]:
    """Of one evaluation, as XLA counts them."""
    first = jax.tree.map(lambda column: column[0], data)
    cost = jax.jit(one).lower(positions[0, 0], first).compile().cost_analysis() or {}
    names = ("flops", "transcendentals")
    return {f"{name}_each": float(cost[name]) for name in names if name in cost}


def _limits(dtype: np.dtype) -> dict[str, Any]:
    """Fused multiply-adds and exponentials a second of arrays that stay in the nearest cache."""
    size, steps, chain = 2048, 2000, 32
    x = jnp.linspace(0.0, 1.0, size, dtype=dtype)
    if x.devices().pop().platform != "cpu":
        size = 2**22
        x = jnp.linspace(0.0, 1.0, size, dtype=dtype)
        steps = 50

    def multiply_add(x: Any) -> Any:
        def step(_: int, x: Any) -> Any:
            for _ in range(chain):
                x = x * 0.999 + 0.001
            return x

        return jax.lax.fori_loop(0, steps, step, x)

    def exponentials(x: Any) -> Any:
        return jax.lax.fori_loop(0, steps, lambda _, x: jnp.exp(-x), x)

    square = np.ones((768, 768), dtype)
    began = time.process_time()
    for _ in range(8):
        square @ square
    blas = 8 * 2 * 768**3 / max(time.process_time() - began, 1e-9)
    flops = _rate(multiply_add, (x,), 2 * size * steps * chain)
    return {
        "multiply_add_flops": flops,
        "exp": _rate(exponentials, (x,), size * steps),
        "numpy_matmul_flops_per_cpu_s": blas,
    }


def sbc(asked: dict[str, Any]) -> None:
    """Calibration of the log-linear model, compiled before."""
    where = Where(asked["platform"])
    with many_shared.Clock() as first:
        calibration.calibrate(SERIES, sets=asked["warm_up"], seed=asked["seed"], at=where)
        ranked = LaneSettings(probs=calibration.PROBS, simulated=True, kept=calibration.KEPT)
        _compile_harder(ranked, where)
    with many_shared.Clock() as clock:
        found = calibration.calibrate(SERIES, sets=asked["lanes"], seed=asked["seed"] + 1, at=where)
    with many_shared.Clock() as judging:
        verdict = found.verdict
    many_shared.answer(
        asked,
        {
            "sets": asked["lanes"],
            "wall_s": clock.wall,
            "cpu_s": clock.cpu,
            "judging_wall_s": judging.wall,
            "judging_cpu_s": judging.cpu,
            "first_call_wall_s": first.wall,
            "verdict": verdict,
            "certified": int(found.certified.sum()),
            "peak_mib": many_shared.peak_mib(),
        },
    )


def _compile_harder(asked: LaneSettings, where: Where) -> None:
    """The program for lanes that need more draws, which few data sets ask for."""
    harder = replace(asked, importance=HARDER)
    with runtime.on_device(where.platform) as device:
        shape, root, plan = (
            where.shape(device, HARDER.draws),
            runtime.key_bits(0),
            runtime.plan(device),
        )
        data = Lanes(data_from_series(SERIES))
        lanes.run_lanes(MODEL, harder, shape, root, np.arange(1), data, plan=plan)


TASKS = {
    "draw": draw,
    "posteriors": posteriors,
    "growth": growth,
    "widths": widths,
    "precision": precision,
    "sbc": sbc,
}


if __name__ == "__main__":
    made = many_shared.task()
    TASKS[made["what"]](made)
