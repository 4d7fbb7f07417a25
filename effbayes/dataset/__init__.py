"""Tables of observations: read, checked and frozen. Nothing here imports pandas or JAX."""

from effbayes.dataset.options import TableOptions
from effbayes.dataset.presets import PRESETS
from effbayes.dataset.reading import read_series, read_table, validate_table
from effbayes.dataset.series import Series

__all__ = ["PRESETS", "Series", "TableOptions", "read_series", "read_table", "validate_table"]
