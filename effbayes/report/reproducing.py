"""How a run is made again, and how it is cited."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from effbayes.report.document import Block, Code, Paragraph, Points, Section

if TYPE_CHECKING:
    from effbayes.dataset import Series

DEFAULTS = {"warmup": 1000, "draws": 1000, "chains": 4, "target_accept": 0.95}
OPTIONS = {name: "--" + name.replace("_", "-") for name in DEFAULTS}

METHODS = """\
No-U-turn sampler: Hoffman and Gelman 2014, Journal of Machine Learning Research 15.
R-hat and effective sample size: Vehtari et al. 2021, https://doi.org/10.1214/20-BA1221
Power-scaling sensitivity: Kallioinen et al. 2024, https://doi.org/10.1007/s11222-023-10366-5
Exact leave-one-out and stacking: Yao et al. 2018, https://doi.org/10.1214/17-BA1091
What a Bayesian report must say: Kruschke 2021, https://doi.org/10.1038/s41562-021-01177-7
""".splitlines()


def again(all_series: Sequence[Series], settings: Mapping[str, Any]) -> Section:
    """The command, in as far as it can be known from a run."""
    blocks: list[Block] = [Code(command(all_series, settings) + "\n")]
    if not all(_ships(series) for series in all_series):
        blocks.append(
            Paragraph(
                "The table was the reader's own: put its path in place of TABLE.csv, and the "
                "options that describe its columns. The digest below is that of the data as read."
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
    """``effbayes sample ...`` with every option that is not a default."""
    words = ["effbayes", "sample", *_table(all_series)]
    for name, default in (("model", "loglinear"), ("prior", "default")):
        if settings[name] != default:
            words += [f"--{name}", settings[name]]
    if settings["noise"] == "student_t":
        words.append("--robust")
    sampler = settings["sampler"]
    for name, number in DEFAULTS.items():
        if sampler[name] != number:
            words += [OPTIONS[name], f"{sampler[name]:g}"]
    words += ["--seed", str(sampler["seed"])]
    return shlex.join(words)


def _table(all_series: Sequence[Series]) -> list[str]:
    """Options that say which rows."""
    first = all_series[0]
    if all(map(_ships, all_series)):
        words = ["--domain", ",".join(dict.fromkeys(series.domain for series in all_series))]
        if len(all_series) == 1:
            words += ["--series", first.name]
    else:
        words = ["--data", "TABLE.csv"]
        if first.direction != "falling":
            words += ["--direction", first.direction]
    if first.published:
        words.append("--published")
    if any(map(_lost_bounds, all_series)):
        words.append("--point-values")
    if len(all_series) == 1:
        words += ["--where", str(first.rows)]
    return words


def _ships(series: Series) -> bool:
    from effbayes import domains  # noqa: PLC0415 - reads the catalogue

    return series.domain in domains.domain_names()


def _lost_bounds(series: Series) -> bool:
    """Whether a series that ships has bounds that the run left out."""
    from effbayes import domains  # noqa: PLC0415 - as above

    if series.has_bounds or not _ships(series):
        return False
    shipped = domains.load_series(series.domain, series.name, published=series.published)
    return shipped.has_bounds


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
