"""The main path on one page: fit a model to a series, and label what comes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from operator import index
from typing import TYPE_CHECKING, Any

from effbayes import provenance
from effbayes.analysis import Analysis
from effbayes.dataset.series import Series
from effbayes.errors import UsageError
from effbayes.types import PriorName

if TYPE_CHECKING:
    import xarray as xr

    from effbayes.inference.nuts import Draws, Progress, SamplerSettings
    from effbayes.models.contract import Data, Model
    from effbayes.models.priors import TrendPriors
    from effbayes.types import Rows

PRIOR_DRAWS = 1000
POINTWISE_LIMIT = 2**26
"""Draws times rows past which pointwise groups (8 bytes each) are left out of the tree."""


def sample(  # noqa: PLR0913 - the options of a fit, each by its own name
    series: Series,
    model: str = "loglinear",
    *,
    prior: PriorName | TrendPriors = "default",
    robust: bool = False,
    where: Rows | None = None,
    seed: int = 0,
    platform: str | None = None,
    progress: Progress | None = None,
    **sampler: Any,
) -> Analysis:
    """Fit a model to a series with NUTS, and diagnose the run.

    Parameters
    ----------
    series
        From `load_domain` or `read_series`.
    model
        ``"loglinear"``, ``"frontier"``, ``"records"``, ``"changepoint"`` or ``"drift"``.
    prior
        ``"default"``, ``"signed"`` or ``"reference"``, or a value of the model's own `Priors`.
    robust
        Student's t noise in place of normal (loglinear).
    where
        ``"all"`` rows or ``"frontier"`` (records); None is what the model needs (frontier: all,
        records: the records), or the series' own choice.
    seed
        The same seed gives the same draws, bit for bit, on the same machine.
    platform
        ``"cpu"``, ``"gpu"`` or ``"tpu"``; None is JAX's own choice.
    progress
        Called with steps done and steps in all, after every chunk of steps.
    **sampler
        Fields of `effbayes.SamplerSettings`: warmup, draws, chains, target_accept,
        max_tree_depth.

    Returns
    -------
    Analysis
        Look at `Analysis.verdict` first.

    Raises
    ------
    UsageError, DataError, DeviceError
        Before anything is sampled.
    """
    # Imported here: the package's name, its help and its tables must not wait for JAX.
    from effbayes.models import catalogue, contract  # noqa: PLC0415

    series = catalogue.with_rows(model, series, where)
    settings = sampler_settings(sampler)
    fitted = catalogue.make_model(model, series, prior, robust=robust)
    data = contract.data_from_series(series)
    draws, made_by = drawn(
        fitted, data, provenance.data_digest(series), settings, seed, platform, progress
    )
    return Analysis(
        series=series,
        draws=draws.values,
        noise=draws.noise,
        stats=draws.stats,
        settings=described(fitted, settings, seed),
        made_by=made_by,
        build_tree=lambda analysis: labelled(analysis, fitted, data, platform),
    )


def drawn(
    model: Model,
    data: Data,
    digest: str,
    settings: SamplerSettings,
    seed: int,
    platform: str | None,
    progress: Progress | None,
) -> tuple[Draws, dict[str, Any]]:
    """Draws of a model given its data, and what made them; `digest` is of the data."""
    from effbayes import runtime  # noqa: PLC0415 - as in `sample`
    from effbayes.inference import nuts  # noqa: PLC0415

    with runtime.on_device(platform) as device:
        root = runtime.key_bits(runtime.stream(seed, digest))
        plan = runtime.plan(device)
        found = nuts.run_nuts(model, data, root, settings, plan=plan, progress=progress)
        name = f"{device.platform}:{device.device_kind}"
    made_by = {**provenance.versions(), "device": name, "x64": True, "data_sha256": digest}
    return found, made_by


def sampler_settings(given: Mapping[str, Any]) -> SamplerSettings:
    """Settings of a sampler from options by name.

    Raises
    ------
    UsageError
        There is no such setting, or it cannot have that value.
    """
    from effbayes.inference.nuts import SamplerSettings  # noqa: PLC0415 - as in `sample`

    unknown = set(given) - set(SamplerSettings.__dataclass_fields__)
    if unknown:
        raise UsageError(f"no sampler setting {', '.join(sorted(unknown))}")
    return SamplerSettings(**given)


def described(model: Model, settings: SamplerSettings, seed: int) -> dict[str, Any]:
    """Everything that decides the draws beside the data, JSON-ready."""
    return {
        **model.describe(),
        "prior": model.prior_name,
        "parameters": list(model.parameters),
        "sampler": {"method": "nuts", **asdict(settings), "seed": index(seed)},
    }


def labelled(analysis: Analysis, model: Model, data: Data, platform: str | None) -> xr.DataTree:
    """A run as a tree, with what follows from its draws unless that would fill the memory."""
    from effbayes import runtime, tree  # noqa: PLC0415
    from effbayes.inference import predictive  # noqa: PLC0415

    with runtime.on_device(platform) as device:
        plan = runtime.plan(device)
        seed = analysis.settings["sampler"]["seed"]
        keys = runtime.split_key(runtime.stream(seed, analysis.made_by["data_sha256"]))
        elements = analysis.draws["rate"].size * len(data.y)
        pointwise = None
        if elements <= POINTWISE_LIMIT:
            pointwise = predictive.pointwise(
                model, keys["predictive"], analysis.draws, data, plan=plan
            )
        number = min(PRIOR_DRAWS, max(POINTWISE_LIMIT // len(data.y), 1))
        prior = predictive.prior_draws(model, keys["prior"], data, number, plan=plan)
    return tree.build(
        series=analysis.series,
        draws=analysis.draws,
        noise=analysis.noise,
        stats=analysis.stats,
        about={"settings": analysis.settings, "made_by": analysis.made_by},
        pointwise=pointwise,
        prior=prior,
    )
