"""What holds for any input, asked where inputs are generated and where they are fuzzed."""

from collections.abc import Callable, Mapping

import numpy as np

from effbayes.dataset.series import Series
from effbayes.errors import EffbayesError

LONGEST_MESSAGE = 100_000
"""Characters; however many faults a table has, a person can look at what is said of them."""


def read_or_refused(read: Callable[[], Mapping[str, Series]]) -> None:
    """A table becomes series that models can take as they are, or is refused in words."""
    found, refusal = {}, None
    try:
        found = read()
    except EffbayesError as error:
        refusal = error
    if refusal is not None:
        assert refusal.exit_code in {2, 3}
        assert 0 < len(str(refusal).strip()) < LONGEST_MESSAGE
        return
    assert found
    for series in found.values():
        assert series.n_obs >= 2
        point = np.isfinite(series.value) & (series.value > 0)
        bound = np.isfinite(series.value_low) | np.isfinite(series.value_high)
        assert (point | bound).all()
        assert not np.isnat(series.date).any()
        assert np.isfinite(series.value_sd).all()
        assert np.isfinite(series.date_sd_days).all()
