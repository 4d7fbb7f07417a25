"""``calibrate``, ``bootstrap`` and ``sensitivity``: many posteriors at once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from effbayes.cli import options, output, replicating_text
from effbayes.cli.progress import Reporter
from effbayes.cli.sampling import NOT_CONVERGED, keep_compiled
from effbayes.cli.sources import Source
from effbayes.errors import UsageError

if TYPE_CHECKING:
    from effbayes.analysis import Analysis
    from effbayes.dataset import Series
    from effbayes.replicates.engine import Cluster

Domain = Annotated[str | None, typer.Option(metavar="NAME", help="A shipped domain.")]
Data = Annotated[Path | None, typer.Option(metavar="FILE.csv", help="Your own table.")]
ModelName = Annotated[str, typer.Option("--model", metavar="NAME", help="Model of one series.")]
Prior = Annotated[str, typer.Option(metavar="default|signed|reference", help="Prior.")]
Robust = Annotated[bool, typer.Option("--robust", help="Student's t noise (loglinear).")]
Folder = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER", help="Keep finished chunks here; a run that was stopped goes on from it."
    ),
]
Scheduler = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS", help="A Dask scheduler whose workers compute: tcp://host:8786."
    ),
]
Plot = Annotated[
    Path | None, typer.Option(metavar="FILE", help="A picture; its ending, svg, png or pdf.")
]
Force = Annotated[bool, typer.Option("--force", help="Replace the file of --plot.")]


def calibrate(
    domain: Domain = None,
    series: options.SeriesName = None,
    data: Data = None,
    model: ModelName = "loglinear",
    prior: Prior = "default",
    robust: Robust = False,
    sets: Annotated[int, typer.Option(help="Data sets to draw and fit.")] = 1000,
    false_alarm: Annotated[
        float, typer.Option(help="Probability that a right sampler fails.")
    ] = 0.01,
    point_values: options.PointValues = False,
    column: options.Columns = None,
    direction: options.Direction = None,
    where: options.Where = None,
    preset: options.Preset = None,
    date_format: options.DateFormat = None,
    unit: options.Unit = None,
    seed: options.Seed = 0,
    platform: options.Platform = None,
    folder: Folder = None,
    scheduler: Scheduler = None,
    plot: Plot = None,
    force: Force = False,
    no_cache: options.NoCache = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Whether the sampler is right on tables like yours. Data drawn from the model, each fitted.

    Ranks of true values must be uniform, and 95 % intervals have the truth 95 times of 100.
    """
    table = _table(column, direction, preset, date_format, unit)
    source = Source(domain, data, series, where, table, point_values=point_values)
    kind = _picture(plot, force=force)
    keep_compiled(cached=not no_cache)
    from effbayes import figures, outputs
    from effbayes.replicates import calibration
    from effbayes.replicates.posteriors import Where

    with Reporter(quiet=quiet) as reporter:
        found = calibration.calibrate(
            _one(source),
            model,
            prior=prior,  # type: ignore[arg-type]  # checked there
            robust=robust,
            where=source.rows,
            sets=sets,
            false_alarm=false_alarm,
            seed=seed,
            at=Where(platform),
            folder=folder,
            cluster=_cluster(scheduler),
            progress=reporter.start("calibrate", "data sets"),
        )
    document = found.summary()
    if plot is not None:
        ranks = {name: found.ranks[:, i] for i, name in enumerate(found.quantities)}
        title = f"{found.series.id}, {model}: {found.sets} data sets, {found.verdict}"
        picture = figures.ranks(ranks, found.band.lower, found.band.upper, title=title)
        outputs.write(plot, figures.render(picture, kind), force=force)
    output.write_json(document) if json else replicating_text.calibration(document)
    if not found.ok:
        raise typer.Exit(NOT_CONVERGED)


def bootstrap(
    domain: Domain = None,
    series: options.SeriesName = None,
    data: Data = None,
    model: ModelName = "loglinear",
    prior: Prior = "default",
    robust: Robust = False,
    tables: Annotated[int, typer.Option(help="Tables to draw and fit.")] = 1000,
    ci: options.Ci = 0.95,
    point_values: options.PointValues = False,
    column: options.Columns = None,
    direction: options.Direction = None,
    where: options.Where = None,
    preset: options.Preset = None,
    date_format: options.DateFormat = None,
    unit: options.Unit = None,
    seed: options.Seed = 0,
    platform: options.Platform = None,
    folder: Folder = None,
    scheduler: Scheduler = None,
    no_cache: options.NoCache = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """The bootstrap over rows, beside the posterior. Each table of drawn rows is fitted."""
    table = _table(column, direction, preset, date_format, unit)
    source = Source(domain, data, series, where, table, point_values=point_values)
    keep_compiled(cached=not no_cache)
    from effbayes.replicates import resampling
    from effbayes.replicates.posteriors import Where

    with Reporter(quiet=quiet) as reporter:
        found = resampling.bootstrap(
            _one(source),
            model,
            prior=prior,  # type: ignore[arg-type]  # checked there
            robust=robust,
            where=source.rows,
            tables=tables,
            ci=ci,
            seed=seed,
            at=Where(platform),
            folder=folder,
            cluster=_cluster(scheduler),
            progress=reporter.start("bootstrap", "tables"),
        )
    document = found.summary()
    output.write_json(document) if json else replicating_text.bootstrap(document)
    if document["not_certified"]:
        raise typer.Exit(NOT_CONVERGED)


def sensitivity(
    domain: Domain = None,
    series: options.SeriesName = None,
    data: Data = None,
    model: ModelName = "loglinear",
    prior: Prior = "default",
    ci: options.Ci = 0.95,
    point_values: options.PointValues = False,
    column: options.Columns = None,
    direction: options.Direction = None,
    where: options.Where = None,
    preset: options.Preset = None,
    date_format: options.DateFormat = None,
    unit: options.Unit = None,
    seed: options.Seed = 0,
    platform: options.Platform = None,
    plot: Plot = None,
    force: Force = False,
    no_cache: options.NoCache = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Which choices move the doubling time, and by how much. Refits, and power-scaling."""
    table = _table(column, direction, preset, date_format, unit)
    source = Source(domain, data, series, where, table, point_values=point_values)
    kind = _picture(plot, force=force)
    keep_compiled(cached=not no_cache)
    from effbayes import figures, outputs
    from effbayes.fitting import sample
    from effbayes.replicates import sensitivity as refits

    with Reporter(quiet=quiet) as reporter:
        one = _one(source)
        with reporter.steps("sensitivity") as told:
            found = refits.sensitivity(
                one,
                model,
                prior=prior,
                where=source.rows,
                ci=ci,
                seed=seed,
                platform=platform,
                progress=told,
            )
        fit = sample(
            one,
            model,
            prior=prior,  # type: ignore[arg-type]  # checked there
            where=source.rows,
            seed=seed,
            platform=platform,
            progress=reporter.start(model),
        )
    document = found.summary() | _power_scaling(fit)
    if plot is not None:
        picture = figures.tornado(
            _bar(document["base"]),
            [_bar(row) for row in document["refits"]],
            title=f"{one.id}, {model}: what moves the doubling time",
        )
        outputs.write(plot, figures.render(picture, kind), force=force)
    output.write_json(document) if json else replicating_text.sensitivity(document)
    if not (found.ok and fit.verdict.ok):
        raise typer.Exit(NOT_CONVERGED)


def _table(
    column: Any,
    direction: str | None,
    preset: str | None,
    date_format: str | None,
    unit: str | None,
) -> Mapping[str, Any]:
    return {
        "--column": column,
        "--direction": direction,
        "--preset": preset,
        "--date-format": date_format,
        "--unit": unit,
    }


def _one(source: Source) -> Series:
    found = source.read()
    if len(found) > 1:
        names = ", ".join(one.name for one in found)
        raise UsageError(f"this takes one series: add --series with one of {names}")
    return found[0]


def _cluster(address: str | None) -> Cluster | None:
    if address is None:
        return None
    from effbayes.replicates import cluster

    return cluster.Dask(cluster.connect(address))


def _picture(plot: Path | None, *, force: bool) -> str:
    """Kind of a picture, refused before the work is done."""
    if plot is None:
        return ""
    from effbayes import figures, outputs

    kind = plot.suffix.removeprefix(".").lower()
    if kind not in figures.FORMATS:
        endings = ", ".join(f".{name}" for name in figures.FORMATS)
        raise UsageError(f"--plot {str(plot)!r}: a picture ends with one of {endings}")
    outputs.require_free(plot, force=force)
    return kind


def _power_scaling(fit: Analysis) -> dict[str, Any]:
    """As the document has it; where it cannot be had, the refits are still worth their time."""
    try:
        return {"power_scaling": fit.power_scaling()}
    except UsageError as error:
        return {"power_scaling": None, "note": f"no power-scaling: {error}"}


def _bar(row: Mapping[str, Any]) -> Any:
    from effbayes.figures.refits import Bar

    time = row["doubling_time_months"]
    ends = (time["low"], time["median"], time["high"])
    return Bar(row["kind"], row["choice"], *ends, ok=row["verdict"] == "ok")
