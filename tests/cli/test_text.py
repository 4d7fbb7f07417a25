"""What people see: text that fits, and nothing that a terminal would obey."""

import io
import re
import sys

import pytest

from effbayes.cli import layout, output, render
from effbayes.errors import EffbayesError
from tests.cli.program import NOT_CONVERGED, QUICK, run, run_on_terminal

CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
GO = ("sample", "--domain", "go", *QUICK)


# --- numbers -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "-"), (0.0, "0.00"), (15.71, "15.7"), (100.0, "100"), (-1.784, "-1.78"),
        (0.001, "0.00100"), (0.000999, "9.99e-04"), (1542.3, "1542"), (99_999.4, "99999"),
        (1e5, "1.00e+05"), (2.65e7, "2.65e+07"), (1e-300, "1.00e-300"),
    ],
)  # fmt: skip
def test_number(value, shown):
    assert render.number(value) == shown


def made(median, low, high, note=None):
    return {"median": median, "low": low, "high": high} | ({"note": note} if note else {})


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (made(15.7, 12.9, 21.1), "15.7 months (12.9 to 21.1)"),
        (made(15.7, 12.9, None, "x"), "15.7 months; longer than 12.9 months, or no progress"),
        (made(None, 12.9, None, "x"), "longer than 12.9 months, or no progress"),
        (made(None, None, None, "no progress: why"), "no progress: why"),
        (made(None, None, None), "-"),
    ],
)
def test_doubling_time(value, shown):
    assert render.doubling_time(value, "months") == shown


def test_an_estimate_with_an_end_beyond_numbers():
    value = made(1e308, 1.0, None, "beyond the range of double precision")
    assert render.estimate(value) == "1.00e+308 (1.00 to -; beyond the range of double precision)"
    assert render.estimate(made(2.0, 1.0, 4.0)) == "2.00 (1.00 to 4.00)"


# --- layout ------------------------------------------------------------------------------------


@pytest.mark.parametrize("columns", [20, 40, 60, 80, 100, 200])
@pytest.mark.parametrize("command", [("domains",), ("summarize",), ("diagnose",)])
def test_nothing_is_cut_at_any_width(kept, columns, command):
    path, _ = kept
    code, shown = run_on_terminal(*command, *([] if command == ("domains",) else [path]),
                                  columns=columns)  # fmt: skip
    assert code == 0
    plain = CODES.sub("", shown)
    assert max(map(len, plain.splitlines())) <= columns
    words = set(plain.split())
    if columns >= 40:
        expected = {
            "domains": {"resnet50-inference", "2017-07-04", "imagenet-fixed-hardware"},
            "summarize": {"transistor-density", "months", "sigma", "ai-and-compute-2018"},
            "diagnose": {"predictive", "divergences"},
        }[command[0]]
        assert expected <= words


def test_a_table_becomes_paragraphs_where_it_does_not_fit(monkeypatch):
    monkeypatch.setattr(sys, "stdout", stream := io.StringIO())
    monkeypatch.setattr(layout, "NARROWEST", 24)
    monkeypatch.setenv("COLUMNS", "24")
    with layout.page() as console:
        layout.table(console, ("name", "a long head"), [("one", "1"), ("two", "")])
        layout.table(console, ("name", "incomprehensibility"), [("one", "1"), ("two", "")])
    table, paragraphs = stream.getvalue().split("one\n", 1)
    assert re.search(r" one +1", table)
    assert paragraphs.replace("\n", " ").split() == ["incomprehensibility:", "1", "two"]


def test_a_pipe_is_wide(kept):
    path, _ = kept
    assert "factor over the span, new systems  " in run("summarize", path).out
    assert max(map(len, run("domains").out.splitlines())) > 100  # COLUMNS of the tests


def test_colour_only_on_a_terminal_that_wants_it(quick):
    path, _ = quick
    assert "\x1b[31m" in run_on_terminal("summarize", path)[1]
    assert "\x1b[31m" not in run_on_terminal("summarize", path, NO_COLOR="1")[1]
    assert "\x1b" not in run_on_terminal("summarize", path, TERM="dumb")[1]
    assert "\x1b" not in run("summarize", path).out


# --- progress ----------------------------------------------------------------------------------


def test_progress_on_a_terminal():
    code, shown = run_on_terminal(*GO)
    assert code == NOT_CONVERGED
    progress, _, result = shown.rpartition("\x1b[?25h")  # the cursor is back before the result
    assert "go/alphago-zero-level" in progress
    assert "compiling" in progress
    assert "60/60 steps" in progress
    assert "steps" not in result
    assert "doubling time" in result


def test_no_progress_when_quiet():
    code, shown = run_on_terminal(*GO, "--quiet")
    assert code == NOT_CONVERGED
    assert "steps" not in shown
    assert "\x1b[?25" not in shown


# --- what a terminal would obey ----------------------------------------------------------------


def test_labels_are_shown_as_they_are(quick):
    path, result = quick
    assert result.code == NOT_CONVERGED
    code, shown = run_on_terminal("factor", path, "--from", "[red]x[/red]", "--to", "plain")
    assert code == NOT_CONVERGED
    assert "[red]x[/red] (2020-01-01) to plain (2023-01-01)" in shown


@pytest.mark.parametrize(
    ("label", "shown"),
    [("\x1b[31mred\x07", r"\x1b[31mred\x07"), ("\u202eabc", r"\u202eabc")],
)
def test_labels_are_not_obeyed(quick, label, shown):
    path, _ = quick
    for arguments in (("--from", label, "--to", "plain"), ("--from", "plain", "--to", label)):
        code, seen = run_on_terminal("factor", path, *arguments)
        assert code == NOT_CONVERGED
        assert label not in seen
        assert shown in seen
        found = run("factor", path, *arguments, "--json")
        assert found.out.isascii()
        assert label in (found.json["from"], found.json["to"])


@pytest.mark.parametrize("bad", ["\x1b[32m", "\u202e", "\x9b32m", "\r"])
def test_names_and_cells_of_a_table_are_not_obeyed(table, bad):
    name = f"a{bad}b"
    good = table(f'series,date,value\n"{name}",2020-01-01,4\n"{name}",2021-01-01,2\n')
    broken = table(f'date,"a{bad}b",value\n2020,1,"a{bad}b"\na{bad}b,1,2\n', "broken.csv")
    calls = [
        ("validate", good),
        ("validate", broken),
        ("validate", broken, "--column", f"value={name}"),
        ("validate", good, "--column", f"value=z{name}"),
        ("sample", "--data", broken),
        ("sample", "--data", good, *QUICK),
        ("sample", "--data", good, "--series", f"z{name}"),
        ("sample", "--data", good, "--where", f"'{name}'"),
        ("sample", "--data", good, "--unit", name, *QUICK),
        ("sample", "--domain", name),
    ]
    for call in calls:
        code, seen = run_on_terminal(*call)
        assert code in {0, 2, 3, NOT_CONVERGED}
        assert name not in seen, call
        # What a terminal needs for colour and progress is ours; the carriage return too.
        assert bad == "\r" or bad not in seen, call


@pytest.mark.parametrize("bad", ["[red]x[/red]", "[/]", "[link=x]", ":smile:"])
def test_markup_is_text(table, bad):
    good = table(f'series,date,value\n"{bad}",2020-01-01,4\n"{bad}",2021-01-01,2\n')
    broken = table(f"date,value\n{bad},1\n2020,{bad}\n", "broken.csv")
    assert f"{bad}: good" in run_on_terminal("validate", good)[1]
    _, shown = run_on_terminal("validate", broken, columns=200)
    assert f"date = {bad}" in shown
    assert f"value = {bad}" in shown
    _, shown = run_on_terminal("sample", "--data", good, *QUICK)
    progress, _, result = shown.rpartition("\x1b[?25h")
    assert bad in progress
    assert CODES.sub("", result).strip().startswith(f"{bad}\n")
    assert bad in run_on_terminal("sample", "--domain", bad)[1]


def test_a_name_of_a_file_that_is_no_text(tmp_path):
    path = tmp_path / "x\udce9\x1b[31m.csv"
    path.write_text("date,value\n2020-01-01,4\n2021-01-01,2\n")
    assert run("validate", path).out.startswith(r"x\udce9\x1b[31m: good")
    assert run("validate", path, "--json").json["valid"] is True
    path.write_text("date,value\n")
    result = run("sample", "--data", path)
    assert result.code == 3
    assert result.err.startswith(r"effbayes: x\udce9\x1b[31m.csv: ")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_an_encoding_that_lacks_a_letter(table, monkeypatch, encoding):
    path = table("series,date,value\nΩ,2020-01-01,4\nΩ,2021-01-01,2\n")
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "argv", ["effbayes", "validate", str(path)])
    monkeypatch.setattr(sys, "stdout", stream)
    from effbayes.cli import main

    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 0
    assert stream.buffer.getvalue().startswith(rb"\u03a9: good; 2 of 2 rows")


# --- what cannot be written --------------------------------------------------------------------


class Failing(io.StringIO):
    def __init__(self, error):
        super().__init__()
        self.error = error

    def write(self, _text):
        raise self.error


def test_a_full_disk(monkeypatch):
    monkeypatch.setattr(sys, "stdout", Failing(OSError(28, "No space left on device")))
    with pytest.raises(EffbayesError, match="cannot be written: No space left"):
        output.write("x")


def test_a_reader_that_has_gone(monkeypatch):
    monkeypatch.setattr(sys, "stdout", Failing(BrokenPipeError()))
    with pytest.raises(output.ReaderGoneError):
        output.write_json({})


def test_a_stream_that_is_closed(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    output.write("x")
    assert output.Sheet().isatty() is False


def test_json_is_strict():
    with pytest.raises(ValueError, match="JSON"):
        output.write_json({"x": float("nan")})
    assert output.nulls({"x": [float("inf"), 1.0, "nan", True, None]}) == {
        "x": [None, 1.0, "nan", True, None]
    }
