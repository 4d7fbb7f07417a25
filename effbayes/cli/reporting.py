"""``effbayes report``: what is sent on to others."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from effbayes import outputs
from effbayes.cli import kept, options, output
from effbayes.cli.comparing import told
from effbayes.cli.progress import Reporter
from effbayes.cli.sampling import NOT_CONVERGED, keep_compiled
from effbayes.cli.sources import Source
from effbayes.errors import UsageError
from effbayes.report.formats import BESIDE, FORMATS, OF_NUMBERS, OF_PICTURES, numbers, require_ready

if TYPE_CHECKING:
    from effbayes.analysis import Analysis
    from effbayes.pooled import Pooled
    from effbayes.posterior import Interval
    from effbayes.report.document import Document

ENDINGS = {"html": "html", "htm": "html", "pdf": "pdf", "md": "md", "tex": "tex"}
ENDINGS |= {"json": "json", "csv": "csv"}
USUAL = {"draws": "draws.csv", "svg": "report-svg", "png": "report-png"}
"""Names of what is written where --out gives none; of other formats, the report with its ending."""


def report(
    runs: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="RUN...",
            help="Run files: one, several series, or models of one series (which are compared).",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The report, report.html if not given; for svg and png a folder.",
        ),
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option(
            "--format", metavar="|".join(FORMATS), help="If the ending of --out does not tell."
        ),
    ] = None,
    domain: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,NAME|all", help="Sample shipped domains, in place of run files."
        ),
    ] = None,
    series: options.SeriesName = None,
    seed: options.Seed = 0,
    ci: options.Ci = 0.95,
    interval: options.Kind = "eti",
    force: Annotated[bool, typer.Option("--force", help="Replace what is there.")] = False,
    platform: options.Platform = None,
    no_cache: options.NoCache = False,
    quiet: options.Quiet = False,
) -> None:
    """The report that people send on. One file of HTML, or PDF, Markdown, LaTeX, JSON, CSV.

    Give run files (effbayes sample --out RUN.nc), or a domain: effbayes report --domain imagenet
    --out imagenet.html
    """
    chosen, (wanted, out) = options.interval(ci, interval), _place(kind, out)
    beside = _beside(out, wanted)
    _require_free(out, beside, wanted, force=force)
    require_ready(wanted, folder=beside.name)
    _require_source(runs, domain, series, seed)
    with Reporter(quiet=quiet) as reporter:
        if runs:
            found: list[Any] = [kept.read(run) for run in runs]
            _require_alone(found)
        else:
            keep_compiled(cached=not no_cache)
            source = Source(domain, None, series, None, {})
            found = _sampled(source, reporter, seed=seed, platform=platform)
        good = all(one.verdict.ok for one in found)
        if wanted == "draws":
            outputs.write(out, _draws(_each(found)), force=force)
        elif wanted in OF_NUMBERS:
            outputs.write(out, numbers(_summaries(found, chosen), wanted), force=force)
        else:
            document = _document(found, chosen, reporter, platform, cached=not no_cache)
            _write(document, wanted, out, beside, force=force)
            good = all(verdict.ok for verdict in document.verdicts)
    output.write(f"{output.plain(str(out))}\n")
    if not good:
        raise typer.Exit(NOT_CONVERGED)


def _place(given: str | None, out: Path | None) -> tuple[str, Path]:
    """Format and file, of which one tells the other."""
    if given is not None and given not in FORMATS:
        raise UsageError(f"--format {given!r} is not one of {', '.join(FORMATS)}")
    if out is None:
        kind = given or "html"
        return kind, Path(USUAL.get(kind, f"report.{kind}"))
    if not out.name and given not in OF_PICTURES:
        raise UsageError(f"--out {str(out)!r} is a folder; give the name of a file")
    ending = out.suffix.removeprefix(".").lower()
    if given is not None:
        meant = ENDINGS.get(ending, given)
        if meant != given and (given, meant) != ("draws", "csv"):  # all draws are CSV, too
            raise UsageError(f"--out {str(out)!r} does not end as --format {given} does")
        return given, out
    if ending not in ENDINGS:
        there_are = ", ".join(f".{name}" for name in ENDINGS)
        raise UsageError(
            f"--out {str(out)!r}: a report ends with one of {there_are}; or give --format"
        )
    return ENDINGS[ending], out


def _require_source(
    runs: Sequence[Path] | None, domain: str | None, series: str | None, seed: int
) -> None:
    """Run files or a domain, and no option that has no part in what is given."""
    if bool(runs) == (domain is not None):
        raise UsageError("a report of what? give run files, or --domain NAME")
    if domain is None:
        series_of = "names one of a domain: add --domain, or give RUN#SERIES"
        options.require_none({"--series": series}, series_of)
        options.require_none({"--seed": seed or None}, "chooses draws, and those of a run are made")


def _beside(out: Path, kind: str) -> Path:
    """The folder of pictures beside a report, of formats that have one."""
    return out.with_name(f"{out.stem}-{kind}-figures") if kind in BESIDE else out


def _require_free(out: Path, beside: Path, kind: str, *, force: bool) -> None:
    """Fail before the work where its result could not be written."""
    if kind in OF_PICTURES:
        outputs.require_free_folder(out, force=force)
        return
    outputs.require_free(out, force=force)
    if kind in BESIDE:
        outputs.require_free_folder(beside, force=force)


def _sampled(source: Source, reporter: Reporter, **settings: Any) -> list[Analysis]:
    from effbayes.fitting import sample

    return [sample(one, progress=reporter.start(one.id), **settings) for one in source.read()]


def _require_alone(found: Sequence[Analysis | Pooled]) -> None:
    """A pooled run is not put beside others, in no format."""
    from effbayes.pooled import Pooled

    if len(found) > 1 and any(isinstance(one, Pooled) for one in found):
        raise UsageError(
            "a pooled run has a report of its own; RUN#SERIES is one of its series beside others"
        )


def _each(found: Sequence[Analysis | Pooled]) -> list[Analysis]:
    """All series, those of a pooled run one by one."""
    from effbayes.pooled import Pooled

    return [
        fit for one in found for fit in (one.members.values() if isinstance(one, Pooled) else [one])
    ]


def _document(
    found: Sequence[Analysis | Pooled],
    interval: Interval,
    reporter: Reporter,
    platform: str | None,
    *,
    cached: bool,
) -> Document:
    from effbayes.pooled import Pooled
    from effbayes.report import of_a_run, of_several

    how: dict[str, Any] = {"ci": interval.prob, "kind": interval.kind}
    first = found[0]
    if isinstance(first, Pooled):
        return of_several.pooled(first, **how)
    fits = _each(found)
    if len(fits) == 1:
        return of_a_run.document(first, **how)
    names = [fit.id for fit in fits]
    if len(set(names)) == 1:
        from effbayes.comparison import compare

        keep_compiled(cached=cached)
        comparison = compare(fits, platform=platform, progress=told(reporter))
        return of_a_run.document(first, comparison=comparison, **how)
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(
            f"runs of one series are compared, runs of several are put side by side; these are "
            f"both: {', '.join(twice)} has more than one"
        )
    return of_several.document(fits, **how)


def _summaries(found: Sequence[Analysis | Pooled], interval: Interval) -> dict[str, Any]:
    """What summarize --json prints of one run, or sample --json of several."""
    from effbayes.summary import SUMMARIES_SCHEMA

    each = [one.summary(*interval) for one in found]
    return each[0] if len(each) == 1 else {"schema": SUMMARIES_SCHEMA, "summaries": each}


def _draws(fits: Sequence[Analysis]) -> bytes:
    from effbayes.report import plain_numbers, spreadsheet

    return spreadsheet.render(*plain_numbers.draws(fits)).encode()


def _write(document: Document, kind: str, out: Path, beside: Path, *, force: bool) -> None:
    from effbayes.report import formats

    files = formats.render(document, kind, folder=beside.name)
    if files.content is None:
        outputs.write_folder(out, files.pictures, force=force)
        return
    if files.pictures:
        outputs.write_folder(beside, files.pictures, force=force)
    outputs.write(out, files.content, force=force)
