"""Many posteriors with effbayes's own loop over single fits, for reference."""

from __future__ import annotations

from dataclasses import replace

import many_shared
import numpy as np

import effbayes as eb


def main() -> None:
    asked = many_shared.task()
    sets = many_shared.sets_of(asked)
    template = eb.load_series("imagenet", "alexnet-training").without_bounds()
    verdicts: list[bool] = []

    def fit(number: int, values: np.ndarray) -> np.ndarray:
        column = template.value.copy()
        column[template.used] = 2.0**values
        found = eb.sample(replace(template, value=column), seed=number)
        verdicts.append(found.verdict.ok)
        return np.stack([found.draws[name] for name in many_shared.NAMES])

    fit(0, sets.y[0])
    verdicts.clear()
    with many_shared.Clock() as clock:
        draws = [fit(number, values) for number, values in enumerate(sets.y, 1)]
    own = {"own_verdict_ok": sum(verdicts)}
    many_shared.answer(asked, many_shared.figures(np.stack(draws), clock, **own))


if __name__ == "__main__":
    main()
