"""Sample what the README shows, and write it there: the claims, the output, the figure.

    uv run python scripts/update_readme.py

The numbers between the markers of README.md are never typed by hand.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import effbayes as eb
from effbayes import wording

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
FIGURE = ROOT / "docs" / "figures" / "alexnet-training.svg"
DRAWS = 10_000  # per chain: the ends of wide intervals are printed to three digits
CAREFUL = 0.99  # of proposals accepted, where the default met a divergence
COMMAND = ("sample", "--domain", "imagenet")


def main() -> None:
    """Rewrite the generated parts of README.md and its figure."""
    text = README.read_text(encoding="utf-8")
    text = _replaced(text, "claims", _claims())
    text = _replaced(text, "output", f"```\n{_output()}\n```")
    README.write_text(text, encoding="utf-8")
    _figure()


def _claims() -> str:
    header = (
        "| claim | published | from the published data | from the corrected data | P(as fast) |",
        "|---|---|---|---|---|",
    )
    lines = [
        _line(claim)
        for claim in eb.published_claims()
        if claim.series  # what the catalogue has no series for is not within reach
    ]
    return "\n".join((*header, *lines))


def _line(claim: eb.Claim) -> str:
    as_published, corrected = (
        _sampled(eb.load_series(claim.domain, claim.series, published=published))
        for published in (True, False)
    )
    probability = corrected.prob_faster_than(claim.doubling_time_months)
    cells = (
        f"{claim.domain}/{claim.series}",
        f"{claim.factor:g}x, {claim.doubling_time_months:.3g} months",
        _cell(as_published),
        _cell(corrected),
        wording.probability(probability),
    )
    return f"| {' | '.join(cells)} |"


def _sampled(series: eb.Series) -> eb.Analysis:
    """So many draws of a wide posterior may hold a divergence: the verdict's advice is taken."""
    fit = eb.sample(series, draws=DRAWS)
    return fit if fit.verdict.ok else eb.sample(series, draws=DRAWS, target_accept=CAREFUL)


def _cell(fit: eb.Analysis) -> str:
    if not fit.verdict.ok:
        raise SystemExit(f"{fit.series.id}: {fit.verdict}")
    return wording.doubling_time(fit.doubling_time()._asdict())


def _output() -> str:
    found = subprocess.run(  # noqa: S603 - this very program
        [sys.executable, "-m", "effbayes", *COMMAND],
        check=True,
        stdout=subprocess.PIPE,  # what the program says of a failure is seen
        text=True,
        env={"PATH": "", "COLUMNS": "120", "NO_COLOR": "1"},
    )
    table = found.stdout.split("note:")[0]
    return "\n".join(line.rstrip() for line in table.splitlines() if line.strip())


def _figure() -> None:
    from effbayes import figures  # noqa: PLC0415 - the picture alone needs it

    fit = eb.sample(eb.load_series("imagenet", "alexnet-training"))
    FIGURE.write_bytes(figures.render(fit.plot(), "svg"))


def _replaced(text: str, name: str, content: str) -> str:
    pattern = re.compile(rf"(<!-- {name}: begin -->\n).*?(<!-- {name}: end -->)", re.DOTALL)
    if len(pattern.findall(text)) != 1:
        raise SystemExit(f"README.md must have the markers of {name} once")
    return pattern.sub(lambda match: f"{match[1]}{content}\n{match[2]}", text)


if __name__ == "__main__":
    main()
