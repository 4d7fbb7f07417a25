"""``effbayes reproduce``: as a table, as Markdown and as JSON."""

import re
from unittest.mock import patch

import pytest

from tests.cli.program import NOT_CONVERGED, QUICK, run, run_on_terminal

SECTIONS = [
    "Does it follow from its own data?",
    "Does the doubling time hold?",
    "Does the factor hold?",
    "Is it faster than the reference?",
    "Are the reference rates consistent?",
    "Reference rates",
    *(f"Finding {number}: " for number in range(1, 14)),
    "Made by",
]


@pytest.fixture(scope="module")
def fits():
    """The same few draws for every call."""
    from effbayes import reproduction

    return reproduction.reproduce(warmup=50, draws=10, chains=2)


@pytest.fixture
def made_once(fits):
    with patch("effbayes.reproduction.reproduce", lambda **_: fits):
        yield fits


def test_json(made_once):
    result = run("reproduce", "--json")
    assert (result.code, result.err) == (NOT_CONVERGED, "")
    assert result.json == made_once.summary()
    assert result.json["schema"] == "effbayes.reproduction/1"
    assert result.json["verdict"] == "not converged"


def test_markdown(made_once):
    result = run("reproduce", "--markdown")
    assert (result.code, result.err) == (NOT_CONVERGED, "")
    assert result.out.startswith("# Published claims beside their posteriors\n\n")
    heads = re.findall(r"^## (.*)$", result.out, re.MULTILINE)
    assert len(heads) == len(SECTIONS)
    assert all(head.startswith(wanted) for head, wanted in zip(heads, SECTIONS, strict=True))
    for table in re.findall(r"(?:^\|.*\n)+", result.out, re.MULTILINE):
        cells = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(cells) == 1
    assert result.out.endswith("\n")
    assert not result.out.endswith("\n\n")


@pytest.mark.parametrize("columns", [80, 100])
def test_text_fits_the_terminal(made_once, columns):
    code, out = run_on_terminal("reproduce", columns=columns, NO_COLOR="1")
    assert code == NOT_CONVERGED
    lines = re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", out).splitlines()
    assert max(map(len, lines)) <= columns
    for title in SECTIONS:
        assert any(line.startswith(title) for line in lines), title
    text = " ".join(" ".join(lines).split())
    assert "AlexNet at 62 epochs 30.6x" in text
    assert "Not converged: " in text
    assert "ResNet-50 2015-01-10, should be 2015-12-10" in text


def test_the_verdict_comes_before_the_numbers(made_once):
    out = run("reproduce").out
    assert out.index("not converged") < out.index("Does it follow")


def test_it_samples_and_says_if_it_did_not_converge():
    result = run("reproduce", *QUICK, "--json", "--quiet")
    assert (result.code, result.err) == (NOT_CONVERGED, "")
    assert result.json["sampler"]["draws"] == 10


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--json", "--markdown"), "give one of them"),
        (("--ci", "95"), "between 0 and 1"),
        (("--draws", "0"), "draws = 0, must be from 10"),
        (("--platform", "abacus"), "cpu, gpu, tpu"),
        (("--seed", "-1"), "from 0 to"),
    ],
)
def test_what_is_asked_wrongly(options, message):
    result = run("reproduce", *options)
    assert (result.code, result.out) == (2, "")
    assert message in result.err
