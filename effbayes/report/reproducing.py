"""How a run is made again, and how it is cited."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from effbayes import domains
from effbayes.models import catalogue
from effbayes.models.catalogue import POOLED
from effbayes.report.document import Block, Code, Paragraph, Points, Section

if TYPE_CHECKING:
    from effbayes.dataset import Series

DEFAULTS = {"warmup": 1000, "draws": 1000, "chains": 4, "target_accept": 0.95}
MAX_TREE_DEPTH = 10
OPTIONS = {name: "--" + name.replace("_", "-") for name in DEFAULTS}

METHODS = """\
No-U-turn sampler: Hoffman and Gelman 2014, Journal of Machine Learning Research 15.
R-hat and effective sample size: Vehtari et al. 2021, https://doi.org/10.1214/20-BA1221
Power-scaling sensitivity: Kallioinen et al. 2024, https://doi.org/10.1007/s11222-023-10366-5
Exact leave-one-out and stacking: Yao et al. 2018, https://doi.org/10.1214/17-BA1091
What a Bayesian report must say: Kruschke 2021, https://doi.org/10.1038/s41562-021-01177-7
""".splitlines()


def again(all_series: Sequence[Series], settings: Mapping[str, Any]) -> Section:
    """What to run, in as far as it can be known from a run."""
    blocks: list[Block] = [Code(command(all_series, settings) + "\n")]
    if member := settings.get("pooled"):
        names = ", ".join(member["series"])
        blocks.append(
            Paragraph(f"This series is one of a pooled run, which is made as a whole: {names}.")
        )
    if not all(map(_ships, all_series)):
        blocks.append(
            Paragraph(
                "The table was the reader's own: put its path in place of TABLE.csv, and the "
                "options that describe its columns. The digest below is that of the data as read."
            )
        )
    if unsaid := _unsaid(settings):
        blocks.append(
            Paragraph(
                "Made in Python, with settings that the command line does not have and that are "
                f"missing above: {', '.join(unsaid)}."
            )
        )
    blocks.append(
        Paragraph(
            "The same seed, versions and device give the same draws, bit for bit. Another device "
            "or version gives the same numbers within Monte Carlo error."
        )
    )
    return Section("again", "How to make it again", tuple(blocks))


def command(all_series: Sequence[Series], settings: Mapping[str, Any]) -> str:
    """``effbayes sample ...`` with every option that is not a default.

    Parameters
    ----------
    all_series
        Of one run each, or all those of a pooled run.
    settings
        Of the run or runs.

    Returns
    -------
    str
        A line for each run; of a pooled run that no choice of domains gives, lines of Python.
    """
    if settings["model"] == POOLED:
        return _pooled(all_series, settings)
    return "\n".join(
        shlex.join(["effbayes", "sample", *_table(one, settings["model"]), *_options(settings)])
        for one in all_series
    )


def _options(settings: Mapping[str, Any]) -> list[str]:
    """Options of model and sampler."""
    words = []
    for name, default in (("model", "loglinear"), ("prior", "default")):
        if settings[name] != default:
            words += [f"--{name}", settings[name]]
    if settings["noise"] == "student_t":
        words.append("--robust")
    sampler = settings["sampler"]
    for name, number in DEFAULTS.items():
        if sampler[name] != number:
            words += [OPTIONS[name], str(sampler[name])]
    return [*words, "--seed", str(sampler["seed"])]


def _table(series: Series, model: str) -> list[str]:
    """Options that say which rows of which table."""
    if not _ships(series):
        words, usual = _own_table(series), "all"
    else:
        words = ["--domain", series.domain, "--series", series.name]
        if series.published:
            words.append("--published")
        shipped = _shipped(series)
        if shipped.has_bounds and not series.has_bounds:
            words.append("--point-values")
        usual = catalogue.with_rows(model, shipped).rows
    if series.rows != usual:
        words += ["--where", str(series.rows)]
    return words


def _own_table(series: Series) -> list[str]:
    """Options that say how a table of the reader's own is read, as far as its series knows."""
    words = ["--data", "TABLE.csv"]
    return words if series.direction == "falling" else [*words, "--direction", series.direction]


def _pooled(all_series: Sequence[Series], settings: Mapping[str, Any]) -> str:
    """How series are pooled: all of some domains, or in Python those that were chosen."""
    names = settings.get("pooled", {}).get("series") or [one.id for one in all_series]
    of_domains = [name.partition("/")[::2] for name in names]
    first, ship = all_series[0], all(map(_ships, all_series))
    chosen = any(one.rows != (_shipped(one).rows if ship else "all") for one in all_series)
    where = ["--where", str(first.rows)] if chosen else []
    if not ship:
        words = [*_own_table(first), *where, *_options(settings)]
        return shlex.join(["effbayes", "sample", *words])
    wanted = list(dict.fromkeys(domain for domain, _ in of_domains))
    found = [(domain, name) for domain in wanted for name in domains.load_domain(domain)]
    in_words = not chosen or len({one.rows for one in all_series}) == 1
    python = not in_words or any(one.published or _lost_bounds(one) for one in all_series)
    if found == of_domains and not python:
        words = ["--domain", ",".join(wanted), *where, *_options(settings)]
        return shlex.join(["effbayes", "sample", *words])
    sampler = settings["sampler"]
    given = [f"{name}={sampler[name]}" for name in DEFAULTS if sampler[name] != DEFAULTS[name]]
    how = ", ".join(["series", *given, f"seed={sampler['seed']}"])
    known = {one.id: one for one in all_series}
    lines = []
    for name, (domain, own_name) in zip(names, of_domains, strict=True):
        end = ", published=True" if first.published else ""
        end += f", where={known.get(name, first).rows!r})" if chosen else ")"
        end += ".without_bounds()" if any(map(_lost_bounds, all_series)) else ""
        lines.append(f'    eb.load_series("{domain}", "{own_name}"{end},')
    head, foot = "import effbayes as eb\n\nseries = [", f"]\nrun = eb.sample_pooled({how})"
    return "\n".join([head, *lines, foot])


def _unsaid(settings: Mapping[str, Any]) -> list[str]:
    """Settings of a run that no option of the command line gives."""
    usual = catalogue.usual_priors(settings["model"], settings["prior"])
    found = [
        f"{name} = {value:g} of the prior"
        for name, value in settings["priors"].items()
        if name != "kind" and usual.get(name) != value
    ]
    depth = settings["sampler"].get("max_tree_depth", MAX_TREE_DEPTH)
    return found + ([] if depth == MAX_TREE_DEPTH else [f"max_tree_depth = {depth}"])


def _ships(series: Series) -> bool:
    return series.domain in domains.domain_names()


def _shipped(series: Series) -> Series:
    """The series as the catalogue has it."""
    return domains.load_series(series.domain, series.name, published=series.published)


def _lost_bounds(series: Series) -> bool:
    """Whether a series that ships has bounds that the run left out."""
    return _ships(series) and not series.has_bounds and _shipped(series).has_bounds


def cite(all_series: Sequence[Series], version: str) -> Section:
    """Software, data and methods."""
    sources = dict.fromkeys(
        source for series in all_series for source in series.source if source.strip()
    )
    blocks: list[Block] = [
        Paragraph("Cite the software, and the sources of the data that the result rests on."),
        Code(
            "@software{effbayes,\n"
            "  title   = {effbayes: posteriors for algorithmic progress},\n"
            "  author  = {{The effbayes developers}},\n"
            f"  version = {{{version}}},\n"
            "}\n"
        ),
    ]
    if sources:
        blocks += [Paragraph("Sources of the rows:"), Points(tuple(sources))]
    blocks += [Paragraph("Methods:"), Points(tuple(METHODS))]
    return Section("cite", "How to cite", tuple(blocks))


def made_by(made: Mapping[str, Any], settings: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Versions, device, digests and seed, as labels and text."""
    shown = {name: str(value) for name, value in made.items() if value is not None}
    sampler = settings["sampler"]
    shown["sampler"] = (
        f"{sampler['method']}, {sampler['chains']} chains of {sampler['draws']} draws after "
        f"{sampler['warmup']} of warmup, target acceptance {sampler['target_accept']:g}"
    )
    shown["seed"] = str(sampler["seed"])
    return tuple(shown.items())
