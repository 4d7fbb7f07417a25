"""The report as LaTeX: nothing of a table is a command, and every engine sets all of it."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest
from example_report import HOSTILE
from hypothesis import given
from hypothesis import strategies as st
from small_report import BAD, HOSTILE_MORE, drawn, small, strings_of

from effbayes import figures
from effbayes.errors import UsageError
from effbayes.report.latex import LETTERS, MATHS, SIGNS, metadata, render, text

ALL = [*HOSTILE, *HOSTILE_MORE]
ENGINES = ("pdflatex", "lualatex", "xelatex")

COMMANDS = {command for sign in SIGNS.values() for command in re.findall(r"\\[a-z]+|\\.", sign)}
COMMANDS |= {rf"\{name}" for name in MATHS.values() if name.isalpha()}
COMMANDS |= {r"\ensuremath", r"\allowbreak", r"\href"}


def without_commands(latex):
    """What TeX reads as text; of a link, that which is shown."""
    return re.sub(r"\\href\{[^}]*\}|\\[a-zA-Z]+|\\.", "", latex)


def test_everything_is_there_and_in_order():
    document = small(rows=3)
    latex = render(document, picture_folder="pictures")
    at = 0
    for said in strings_of(document):
        expected = said.text if said.kind == "formula" else text(said.text)
        if said.kind == "code":
            expected = expected.replace(" ", "\\ ")
        at = latex.index(expected, at)
    assert r"\fittingpicture{pictures/trend.pdf}" in latex
    assert r"\begin{tabular}" in latex
    assert r"\endhead" not in latex


def test_a_long_table_goes_on_over_pages():
    assert r"\endhead" in render(small(rows=26), picture_folder="pictures")


def test_a_failed_verdict_stands_above_the_answer():
    latex = render(small(verdicts=(BAD,)), picture_folder="pictures")
    assert latex.index("cannot be relied on") < latex.index("R-{}hat is 1.31")
    assert latex.index("R-{}hat is 1.31") < latex.index("Efficiency doubles")


def test_a_star_at_the_start_of_a_row_is_no_part_of_the_command_before_it():
    latex = render(small("*AlexNet"), picture_folder="pictures")
    assert "*}AlexNet" in latex
    assert not re.search(r"(?<!\{)\*(?!\})", latex.replace(r"\section*{", ""))


@pytest.mark.parametrize("folder", ["a%b", "a{b", "a\\b", "a\nb", "a#b", "ä", "", "a$b", "a~b"])
def test_a_folder_that_tex_would_act_on_is_refused(folder):
    with pytest.raises(UsageError, match="cannot take pictures"):
        render(small(), picture_folder=folder)


SIGNED = st.text(st.sampled_from("\\{}$&#%_^~<>|\"'`-,[] \n\tab?!α²"))


@pytest.mark.parametrize("escaped", [text, metadata])
@given(content=st.one_of(SIGNED, st.text(), st.sampled_from(ALL)))
def test_no_active_sign_is_left(escaped, content):
    latex = escaped(content)
    assert set(re.findall(r"\\[a-zA-Z]+|\\.", latex)) <= COMMANDS
    rest = without_commands(latex)
    assert rest.count("{") == rest.count("}")
    assert not set(rest.replace("{}^{", "{")) & set("$&#%_^\\\n\x00")
    assert not re.search(r"--|,,|``|''|<<|>>|\?`|!`", latex)
    latex.encode()


def compiled(latex, engine, folder):
    """The log of a report that an engine has set."""
    if shutil.which(engine) is None:
        pytest.skip(f"{engine} is not installed")
    needed = ["lmodern.sty", "booktabs.sty", *(["pzdr.tfm"] if engine == "xelatex" else [])]
    if subprocess.run(["kpsewhich", *needed], capture_output=True, check=False).returncode:
        pytest.skip(f"{engine} lacks one of {', '.join(needed)}")
    pictures = folder / "pictures"
    pictures.mkdir()
    (pictures / "trend.pdf").write_bytes(figures.render(drawn(), "pdf"))
    (folder / "report.tex").write_text(latex, encoding="utf-8")
    command = [engine, "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "report"]
    done = subprocess.run(command, cwd=folder, capture_output=True, check=False, timeout=240)
    log = (folder / "report.log").read_text(encoding="utf-8", errors="replace")
    assert done.returncode == 0, log[-3000:]
    return log


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("long", [True, False], ids=["long", "short"])
def test_engines_set_hostile_strings(engine, long, tmp_path):
    strings = ALL if long else [one for one in ALL if len(one) < 1000]
    letters = "".join(sorted({*SIGNS, *MATHS, *LETTERS}))
    document = small(f"{' / '.join(strings)} {letters}", verdicts=(BAD,), rows=27 if long else 2)
    log = compiled(render(document, picture_folder="pictures"), engine, tmp_path)
    assert "Missing character" not in log
    assert [float(pt) for pt in re.findall(r"Overfull \\hbox \(([\d.]+)pt", log)] == []
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix != ".out") == [
        "pictures", "report.aux", "report.log", "report.pdf", "report.tex",
    ]  # fmt: skip
