"""What the tests of this folder share."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

# So that they can import the reference beside them.
sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def tell(record_property):
    """Leaves in the report of a run how far off a test's comparisons are, in standard errors.

    `benchmarks/reliability` reads it there; nothing is decided by it.
    """

    def of(z):
        record_property("worst_z", float(np.abs(z).max()))
        record_property("compared", int(np.size(z)))

    return of
