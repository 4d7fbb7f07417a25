"""Several series pooled, and the result: a population, and an analysis of each of its members."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from effbayes import outputs, provenance
from effbayes import posterior as post
from effbayes.analysis import Analysis, kept_parts, read_as_a_run
from effbayes.dataset.series import Series
from effbayes.diagnostics import Chains, Diagnostics, diagnose
from effbayes.errors import RunFileError
from effbayes.fitting import described, drawn, labelled, sampler_settings
from effbayes.models.priors import require_priors
from effbayes.posterior import LARGE_PRIOR_SHARE, Interval
from effbayes.run_contents import GIVEN, OF_POPULATION, check_pooled
from effbayes.summary import SUMMARIES_SCHEMA, strict
from effbayes.types import Estimate, IntervalKind

if TYPE_CHECKING:
    import xarray as xr

    from effbayes.inference.nuts import Draws, Progress
    from effbayes.models.hierarchical import Priors
    from effbayes.store import Kept

REPORTED = ("doubling_time_typical", "doubling_time_new", "tau", "s")
"""Quantities of the population that a summary shows; months for the first two."""

OF_MEMBERS = ("alpha", "rate", "sigma", "doubling_time")


@dataclass(frozen=True, eq=False, kw_only=True)
class Member(Analysis):
    """One series of a pooled run: an `Analysis` that knows that it was not fitted alone."""

    @cached_property
    def diagnostics(self) -> Diagnostics:
        """Figures of this series; where the whole run failed, its reasons count here too."""
        own = super().diagnostics
        others = [each for each in self.settings["pooled"]["reasons"] if each not in own.reasons]
        said = tuple(f"of the pooled run: {each}" for each in others)
        return replace(own, reasons=own.reasons + said)

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know: how much of the numbers comes from the other series."""
        draws, priors = self.draws, self.settings["priors"]
        others = len(self.settings["pooled"]["series"]) - 1
        said = (
            f"Pooled with {others} other series: rate and noise are drawn towards those of a "
            "common population, and are not what this series says alone."
        )
        notes = [said]
        if self.series.n_obs == 2:
            notes.append(
                "Two observations leave no scatter to judge the noise by: sigma is known from the "
                "other series and the priors."
            )
        spread = float(np.var(np.log(draws["doubling_time"])))
        # Of a domain not yet seen: the variance of its mean, and the mean of its variance.
        unseen = float(np.var(draws["mu"]) + np.mean(draws["tau"] ** 2))
        if spread > LARGE_PRIOR_SHARE * unseen:
            notes.append(
                "Its rows leave more than a quarter of the variance that the log doubling time of "
                "a domain not yet seen has: its interval rests on the population."
            )
        before = priors["doubling_time_sdlog"] ** 2 + priors["tau_scale"] ** 2
        if spread > LARGE_PRIOR_SHARE * before:
            notes.append(
                f"The data leave {100 * min(spread / before, 1.0):.0f} % of the prior variance of "
                "the logarithm of the doubling time: another prior would give another interval."
            )
        return tuple(notes)


@dataclass(frozen=True, eq=False, kw_only=True)
class Pooled:
    """The posterior of several series at once, and the verdict on the sampler.

    Attributes
    ----------
    members
        An analysis of each series by its id, in the order given; the draws of all are joint, so a
        function of several is computed draw by draw.
    population
        Draws by name, dims (chain, draw): ``mu`` and ``tau``, mean and standard deviation of log
        doubling times (in months) between domains; ``s``, the median noise of a series in
        doublings; ``doubling_time_typical``, exp(mu); ``doubling_time_new``, of a domain not yet
        seen.
    stats
        Sampler statistics by ArviZ's names, dims (chain, draw).
    settings
        Model, priors and sampler, JSON-ready.
    made_by
        Versions, device and digests.
    """

    members: Mapping[str, Analysis]
    population: Mapping[str, Chains]
    stats: Mapping[str, Chains]
    settings: Mapping[str, Any]
    made_by: Mapping[str, Any]
    build_tree: Callable[[Pooled], xr.DataTree] = field(repr=False)

    @property
    def id(self) -> str:
        """Of all series."""
        return ", ".join(self.members)

    @cached_property
    def diagnostics(self) -> Diagnostics:
        """Figures and verdict for every quantity that is reported, of the population and all."""
        return _diagnose(self.members, self.population, self.stats)

    @property
    def verdict(self) -> Diagnostics:
        """``str(pooled.verdict)`` is "ok", or the reasons why not."""
        return self.diagnostics

    @cached_property
    def posterior(self) -> xr.DataTree:
        """Every group of ArviZ's schema, and under ``members`` a tree of each series."""
        return self.build_tree(self)

    def typical(self, ci: float = 0.95, kind: IntervalKind = "eti") -> Estimate:
        """Median doubling time of the population of domains, exp(mu), in months."""
        return post.estimate(self.population["doubling_time_typical"], Interval(ci, kind).check())

    def new_domain(self, ci: float = 0.95, kind: IntervalKind = "eti") -> Estimate:
        """Doubling time of a domain not yet seen, in months."""
        return post.estimate(self.population["doubling_time_new"], Interval(ci, kind).check())

    def summary(self, ci: float = 0.95, kind: IntervalKind = "eti") -> dict[str, Any]:
        """Everything reported, as strict JSON has it: population first, then each series."""
        interval = Interval(ci, kind).check()
        found = self.diagnostics.as_dict()
        figures = found.pop("quantities")
        return {
            "schema": SUMMARIES_SCHEMA,
            "model": self.settings["model"],
            "prior": self.settings["prior"],
            "ci": interval._asdict(),
            "population": {
                _shown(name): {
                    **post.as_dict(post.estimate(self.population[name], interval)),
                    **{key: strict(value) for key, value in figures[name].items()},
                }
                for name in REPORTED
            },
            "summaries": [each.summary(ci, kind) for each in self.members.values()],
            "diagnostics": {key: strict(value) for key, value in found.items()},
            "sampler": dict(self.settings["sampler"]),
            "provenance": dict(self.made_by),
        }

    def save(self, path: str | Path, *, force: bool = False) -> None:
        """Write the run to a file, whole or not at all.

        Raises
        ------
        RunFileError
            The file exists and `force` is False, or cannot be written.
        """
        from effbayes import store  # noqa: PLC0415 - xarray and HDF5 are slow to import

        outputs.require_free(path, force=force)  # before the posterior is labelled
        store.save(self.posterior, path, force=force)


def sample_pooled(
    series: Sequence[Series],
    *,
    prior: Priors | str = "default",
    robust: bool = False,
    seed: int = 0,
    platform: str | None = None,
    progress: Progress | None = None,
    **sampler: Any,
) -> Pooled:
    """Fit several series with one population of doubling times and noises, by NUTS.

    Parameters
    ----------
    series
        At least two, of different ids.
    prior
        A `effbayes.models.hierarchical.Priors` value, or ``"default"``, the one kind there is.
    robust
        Must be False: members have normal noise.
    seed
        The same seed gives the same draws, bit for bit, on the same machine.
    platform
        ``"cpu"``, ``"gpu"`` or ``"tpu"``; None is JAX's own choice.
    progress
        Called with steps done and steps in all, after every chunk of steps.
    **sampler
        Fields of `effbayes.SamplerSettings`.

    Returns
    -------
    Pooled
        Look at `Pooled.verdict` first.

    Raises
    ------
    UsageError, DataError, DeviceError
        Before anything is sampled.
    """
    # Imported here: the package's name, its help and its tables must not wait for JAX.
    from effbayes.models import hierarchical  # noqa: PLC0415

    settings = sampler_settings(sampler)
    priors = hierarchical.priors_of(prior)
    model = hierarchical.make_model(series, priors, robust=robust)
    data = hierarchical.data_from_many(series)
    draws, made_by = drawn(model, data, _digest(series), settings, seed, platform, progress)
    return _assemble(series, draws, described(model, settings, seed), made_by, platform)


def load_pooled(path: str | Path) -> Pooled:
    """Read a run that `Pooled.save` wrote.

    Raises
    ------
    RunFileError
        The file is missing, is not a pooled run, or was changed since it was written.
    """
    found = load_any(path)
    if not isinstance(found, Pooled):
        raise RunFileError(f"{path} is a run of one series ({found.series.id}): use effbayes.load")
    return found


def load_any(path: str | Path) -> Analysis | Pooled:
    """Read a run of one series or of several.

    Raises
    ------
    RunFileError
        The file is missing, is no run, or was changed since it was written.
    """
    from effbayes import store, tree  # noqa: PLC0415 - HDF5 is slow to import

    run = store.load(path)
    with read_as_a_run(path):
        if run.about["schema"] == tree.POOLED_SCHEMA:
            return _from_file(run)
        return Analysis(**kept_parts(run))


def _from_file(run: Kept) -> Pooled:
    from effbayes import tree  # noqa: PLC0415 - as above

    settings, made_by, names = (run.about[name] for name in ("settings", "made_by", "series"))
    members = [run.member(f"members/{i}") for i in range(len(names))]
    parts = {one.id: one for one in (Member(**kept_parts(each)) for each in members)}
    if list(parts) != names:
        raise ValueError(f"its members are {', '.join(parts) or 'none'}")
    kept = run.arrays("posterior")
    population = {name: kept[name] for name in OF_POPULATION if name in kept}
    stats = tree.without_axes(run.arrays("sample_stats"))
    of_members = [(one.settings, one.draws) for one in parts.values()]
    check_pooled(settings, made_by, population, stats, of_members)
    require_priors(settings["model"], settings["prior"], settings["priors"])
    return Pooled(
        members=parts,
        population=population,
        stats=stats,
        settings=settings,
        made_by=made_by,
        build_tree=lambda _: run.tree(),
    )


def _assemble(
    series: Sequence[Series],
    draws: Draws,
    settings: Mapping[str, Any],
    made_by: Mapping[str, Any],
    platform: str | None,
) -> Pooled:
    """Take the draws of a run apart into its population and its members."""
    population = {name: draws.values[name] for name in OF_POPULATION}

    def member(number: int, reasons: Sequence[str]) -> Member:
        one = series[number]
        pooled = {"series": [each.id for each in series], "reasons": list(reasons)}
        return Member(
            series=one,
            draws={name: draws.values[name][..., number] for name in OF_MEMBERS}
            | {name: draws.values[name] for name in GIVEN},
            noise=draws.noise[..., number],
            stats=draws.stats,
            settings={**settings, "pooled": pooled},
            made_by={
                **made_by,
                "data_sha256": provenance.data_digest(one),
                "pooled_sha256": made_by["data_sha256"],
            },
            build_tree=lambda analysis: _member_tree(analysis, platform),
        )

    alone = {one.id: member(number, ()) for number, one in enumerate(series)}
    reasons = _diagnose(alone, population, draws.stats).reasons
    return Pooled(
        members={one.id: member(number, reasons) for number, one in enumerate(series)},
        population=population,
        stats=draws.stats,
        settings=settings,
        made_by=made_by,
        build_tree=_build_tree,
    )


def _diagnose(
    members: Mapping[str, Analysis],
    population: Mapping[str, Chains],
    stats: Mapping[str, Chains],
) -> Diagnostics:
    quantities = {name: population[name] for name in REPORTED}
    for name, one in members.items():
        quantities |= {f"{quantity} of {name}": draws for quantity, draws in one.judged.items()}
    return diagnose(quantities, stats)


def _digest(series: Sequence[Series]) -> str:
    """SHA-256 over the digests of all series, in their order."""
    digests = "\n".join(provenance.data_digest(each) for each in series)
    return hashlib.sha256(digests.encode()).hexdigest()


def _member_tree(analysis: Analysis, platform: str | None) -> xr.DataTree:
    """Label one series of a run, with what follows from its draws."""
    from effbayes.models import contract, hierarchical  # noqa: PLC0415 - JAX is slow to import

    data = contract.data_from_series(analysis.series)
    priors = hierarchical.Priors(**analysis.settings["priors"])
    model = hierarchical.Member(priors=priors, censored=analysis.series.has_bounds)
    return labelled(analysis, model, data, platform)


def _build_tree(pooled: Pooled) -> xr.DataTree:
    """Label a pooled run: the groups of all series together, and a tree of each."""
    from effbayes import pooled_tree  # noqa: PLC0415 - xarray is slow to import

    stacked = {
        name: np.stack([one.draws[name] for one in pooled.members.values()], axis=-1)
        for name in OF_MEMBERS
    }
    return pooled_tree.build(
        trees={name: one.posterior for name, one in pooled.members.items()},
        population=pooled.population,
        of_members=stacked,
        about={"settings": pooled.settings, "made_by": pooled.made_by},
    )


def _shown(name: str) -> str:
    return f"{name}_months" if name.startswith("doubling_time") else name
