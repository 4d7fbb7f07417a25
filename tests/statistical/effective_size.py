"""How many independent draws chains are worth."""

from __future__ import annotations

import numpy as np
from arviz_stats.base import array_stats
from numpy.typing import NDArray


def effective_size(draws: NDArray[np.float64]) -> float:
    """Bulk effective sample size; dims (chain, draw)."""
    return float(array_stats.ess(draws, chain_axis=0, draw_axis=1, method="bulk"))
