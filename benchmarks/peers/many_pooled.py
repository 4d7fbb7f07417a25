"""The eight series of the post, pooled: data sets, and effbayes's lanes; `what` says which.

Data sets are drawn from the hierarchical model on the dates of the series, with exact values. Their
rows lie end to end: dates `t`, the series that a row is `of`, values `y` (set, row), and the
`centre` of each level's prior.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import many_shared
import numpy as np

sys.path.append(str(Path(__file__).resolve().parents[1]))

from shared import POST

import effbayes as eb
from effbayes import runtime
from effbayes.inference import lanes
from effbayes.inference.lanes import Lanes, LaneSettings
from effbayes.models import hierarchical
from effbayes.models.contract import Data
from effbayes.replicates.posteriors import METHODS, Posteriors, Where, importance_for

SERIES = [one.without_bounds() for name in POST for one in eb.load_domain(name).values()]
MODEL = hierarchical.make_model(SERIES, hierarchical.Priors(), robust=False)


def draw(asked: dict[str, Any]) -> None:
    template = hierarchical.data_from_many(SERIES)
    with runtime.on_device(asked["platform"]):
        root, numbers = runtime.key_bits(asked["seed"]), np.arange(asked["sets"])
        _, drawn = lanes.simulate_lanes(MODEL, root, numbers, template)
    mask = np.asarray(template.mask)
    columns = {f"data_{name}": column for name, column in drawn._asdict().items()}
    np.savez(
        asked["data"],
        t=np.asarray(template.t)[mask],
        of=np.nonzero(mask)[0],
        y=np.asarray(drawn.y)[:, mask],
        centre=np.asarray(template.y_mean),
        **columns,
    )


def posteriors(asked: dict[str, Any]) -> None:
    with np.load(asked["data"]) as kept:
        data = Data(*(kept[f"data_{name}"][: asked["sets"]] for name in Data._fields))
    # Not the key that the data sets were drawn with.
    root = runtime.key_bits(asked["seed"] + 1)
    settings = LaneSettings(importance_for(MODEL, len(SERIES)))

    def fit() -> dict[str, np.ndarray]:
        where = Where(asked["platform"])
        return Posteriors(MODEL, settings, Lanes(data), asked["sets"], root, where).run()

    with many_shared.Clock() as first:
        fit()
    with many_shared.Clock() as clock:
        found = fit()
    names = lanes.quantities(MODEL, len(SERIES))
    places = [i for i, name in enumerate(names) if not name.startswith("doubling_time")]
    many_shared.answer(
        asked,
        {
            "sets": asked["sets"],
            "certified": int(found["ok"].sum()),
            "wall_s": clock.wall,
            "cpu_s": clock.cpu,
            "first_call_wall_s": first.wall,
            "fitted_by": {
                name: int(np.sum(found["method"] == place)) for place, name in enumerate(METHODS)
            },
            "ess_quantiles": np.quantile(found["ess"], (0.0, 0.01, 0.5)).tolist(),
            "mean": found["mean"][:, places].tolist(),
            "sd": found["sd"][:, places].tolist(),
        },
    )


if __name__ == "__main__":
    made = many_shared.task()
    {"draw": draw, "posteriors": posteriors}[made["what"]](made)
