"""Posteriors for algorithmic progress: how fast it is improving, and how sure we are.

Names are imported when they are first used, so that ``import effbayes`` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from effbayes.analysis import Analysis, load
    from effbayes.comparison import Comparison, compare
    from effbayes.dataset import Series, read_series, read_table, validate_table
    from effbayes.diagnostics import Diagnostics
    from effbayes.domains import (
        Claim,
        ReferenceRate,
        domain_names,
        load_domain,
        load_series,
        published_claims,
        reference_rates,
    )
    from effbayes.effective import Effective, effective_compute
    from effbayes.errors import (
        ClusterError,
        DataError,
        DeviceError,
        EffbayesError,
        Fault,
        RunFileError,
        UsageError,
    )
    from effbayes.fitting import sample
    from effbayes.forecasting import DateForecast, LevelForecast
    from effbayes.inference.nuts import SamplerSettings
    from effbayes.models.loglinear import Priors
    from effbayes.pooled import Pooled, load_pooled, sample_pooled
    from effbayes.replicates.many import Many, sample_many
    from effbayes.replicates.many_pooled import ManyPooled, sample_many_pooled
    from effbayes.reproduction import Reproduction, reproduce
    from effbayes.types import Estimate

__version__ = "0.1.0"

_HOME = {
    "Analysis": "analysis",
    "Claim": "domains",
    "ClusterError": "errors",
    "Comparison": "comparison",
    "DataError": "errors",
    "DateForecast": "forecasting",
    "DeviceError": "errors",
    "Diagnostics": "diagnostics",
    "EffbayesError": "errors",
    "Effective": "effective",
    "Estimate": "types",
    "Fault": "errors",
    "LevelForecast": "forecasting",
    "Many": "replicates.many",
    "ManyPooled": "replicates.many_pooled",
    "Pooled": "pooled",
    "Priors": "models.loglinear",
    "ReferenceRate": "domains",
    "Reproduction": "reproduction",
    "RunFileError": "errors",
    "SamplerSettings": "inference.nuts",
    "Series": "dataset",
    "UsageError": "errors",
    "compare": "comparison",
    "domain_names": "domains",
    "effective_compute": "effective",
    "load": "analysis",
    "load_domain": "domains",
    "load_pooled": "pooled",
    "load_series": "domains",
    "published_claims": "domains",
    "read_series": "dataset",
    "read_table": "dataset",
    "reference_rates": "domains",
    "reproduce": "reproduction",
    "sample": "fitting",
    "sample_many": "replicates.many",
    "sample_many_pooled": "replicates.many_pooled",
    "sample_pooled": "pooled",
    "validate_table": "dataset",
}

__all__ = [
    "Analysis",
    "Claim",
    "ClusterError",
    "Comparison",
    "DataError",
    "DateForecast",
    "DeviceError",
    "Diagnostics",
    "EffbayesError",
    "Effective",
    "Estimate",
    "Fault",
    "LevelForecast",
    "Many",
    "ManyPooled",
    "Pooled",
    "Priors",
    "ReferenceRate",
    "Reproduction",
    "RunFileError",
    "SamplerSettings",
    "Series",
    "UsageError",
    "compare",
    "domain_names",
    "effective_compute",
    "load",
    "load_domain",
    "load_pooled",
    "load_series",
    "published_claims",
    "read_series",
    "read_table",
    "reference_rates",
    "reproduce",
    "sample",
    "sample_many",
    "sample_many_pooled",
    "sample_pooled",
    "validate_table",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'effbayes' has no attribute {name!r}")
    value = getattr(import_module(f"effbayes.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
