"""A process that was started with less than usual, or otherwise: the numbers are the same."""

from __future__ import annotations

import os
import re
import resource
import shutil
import signal
import subprocess
import sys
from collections import Counter
from datetime import datetime

import pytest

import effbayes as eb
from effbayes import kept as kept_files
from effbayes import provenance
from effbayes.cli import surroundings
from tests.cli.program import EXECUTABLE, NOT_CONVERGED, QUICK, run, run_on_terminal

STARTS_WITHIN = 120
CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
NUMBER = re.compile(r"\d[\d.e+-]*\d|\d")
NOBODY = ("unshare", "--map-user=54321")
"""A process of a user who is in no list of users, with the rights of the one who starts it."""


def start(command, **environment):
    """Start a process; a value of None takes a variable away."""
    given = {**os.environ, **environment}
    return subprocess.Popen(
        list(map(str, command)),
        env={name: value for name, value in given.items() if value is not None},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process):
    out, err = process.communicate(timeout=STARTS_WITHIN)
    return process.returncode, out, err


# --- languages and times -----------------------------------------------------------------------

AS_ITS_HOST = (
    "import locale; locale.setlocale(locale.LC_ALL, '')"
    "\nprint(locale.localeconv()['decimal_point'])"
    "\nfrom effbayes.cli import main; main()"
)
"""As in a program that has taken over the user's language, which Python's own start does not."""


@pytest.fixture(scope="module")
def languages(tmp_path_factory):
    """Locales that write numbers with a comma, or have another small i."""
    folder = tmp_path_factory.mktemp("locales")
    for name in ("de_DE", "tr_TR"):
        command = ["localedef", "-i", name, "-f", "UTF-8", folder / f"{name}.UTF-8"]
        if (
            shutil.which("localedef") is None
            or subprocess.run(command, capture_output=True, check=False).returncode
        ):
            pytest.skip("no locales can be made here")
    return folder


@pytest.mark.parametrize("name", ["de_DE", "tr_TR"])
def test_languages_change_no_byte(quick, languages, tmp_path, name):
    path, _ = quick
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    calls = [("summarize", path, "--json"), ("report", path, "--out", there / "a.md")]
    found = [
        start([sys.executable, "-c", AS_ITS_HOST, *call], LC_ALL=f"{name}.UTF-8", LOCPATH=languages)
        for call in calls
    ]
    run("report", path, "--out", here / "a.md")
    for call, process in zip(calls, found, strict=True):
        code, out, err = ended(process)
        point, _, text = out.partition("\n")
        assert (code, point, err) == (NOT_CONVERGED, ",", ""), "the language was not taken over"
        assert call[0] == "report" or text == run(*call).out
    made = [each.relative_to(here) for each in here.rglob("*") if each.is_file()]
    assert len(made) > 3
    assert all((there / each).read_bytes() == (here / each).read_bytes() for each in made)


SURROUNDINGS = [
    {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    {"LC_ALL": "POSIX", "LANG": "POSIX", "PYTHONUTF8": "0"},
    {"LC_ALL": "nowhere", "TZ": "XXX+24", "FORCE_COLOR": "1", "NO_COLOR": None, "COLUMNS": "1"},
    {"LC_ALL": "tr_TR.UTF-8", "TZ": "XXX-24", "TERM": "dumb", "COLUMNS": "nonsense"},
    {"TZ": "Pacific/Kiritimati", "TERM": None, "HOME": None, "PATH": None},
]


def test_json_has_the_same_bytes_everywhere(quick):
    path, _ = quick
    expected = run("summarize", path, "--json").out
    command = [EXECUTABLE, "summarize", path, "--json"]
    processes = [start(command, **environment) for environment in SURROUNDINGS]
    for environment, process in zip(SURROUNDINGS, processes, strict=True):
        assert ended(process) == (NOT_CONVERGED, expected, ""), environment


def test_a_run_sampled_elsewhere_has_the_same_numbers(quick, monkeypatch):
    path, result = quick
    monkeypatch.setenv("TZ", "XXX-24")
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert run("sample", "--data", path.parent / "mine.csv", *QUICK, "--json").out == result.out


class LongAgo(datetime):
    """A machine whose clock was never set."""

    @classmethod
    def now(cls, tz=None):
        return datetime(1970, 1, 1, tzinfo=tz)


def test_a_clock_that_was_never_set(quick, tmp_path, monkeypatch):
    monkeypatch.setattr(provenance, "datetime", LongAgo)
    monkeypatch.setattr("time.time", lambda: 0.0)
    path, result = quick
    table, out = path.parent / "mine.csv", tmp_path / "run.nc"
    made = run("sample", "--data", table, *QUICK, "--out", out, "--json")
    assert (made.code, made.out) == (NOT_CONVERGED, result.out)
    assert run("summarize", out, "--json").out == result.out
    for name in ("a.html", "a.csv", "a.svg"):
        command = "plot" if name.endswith("svg") else "report"
        assert run(command, out, "--out", tmp_path / name).code == NOT_CONVERGED
    assert eb.load(out).posterior.attrs["created_at"].startswith("1970-01-01T00:00:00")


# --- colour and width --------------------------------------------------------------------------


def test_colour_that_is_forced_changes_no_word(quick, monkeypatch):
    path, _ = quick
    plain = run("summarize", path).out
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "140")
    assert "\x1b[31m" not in run("summarize", path).out, "NO_COLOR wins"
    monkeypatch.delenv("NO_COLOR")
    coloured = run("summarize", path).out
    assert "\x1b[31m" in coloured
    assert CODES.sub("", coloured).split() == plain.split()
    monkeypatch.setenv("TERM", "dumb")
    assert "\x1b" not in run("summarize", path).out


NARROW = {
    "summarize": (),
    "diagnose": (),
    "factor": ("--from", "2013-01-01", "--to", "2019-01-01"),
    "forecast": ("--at", "2030-01-01"),
    "convert": ("--from", "2013-01-01", "--to", "2019-01-01"),
}


@pytest.mark.parametrize("command", NARROW)
def test_forty_columns_lose_no_number(kept, command):
    path, _ = kept
    first = (100, "pfs-days", "--run", path) if command == "convert" else (path,)
    wide = run(command, *first, *NARROW[command])
    code, shown = run_on_terminal(command, *first, *NARROW[command], columns=40)
    narrow = CODES.sub("", shown)
    assert code == wide.code == 0
    assert max(map(len, narrow.splitlines())) <= 40
    expected, found = (Counter(NUMBER.findall(text)) for text in (wide.out, narrow))
    assert len(expected) >= 5
    # The head of a column may be said again in every row.
    assert not expected - found
    assert set(found) == set(expected)


# --- what is missing ---------------------------------------------------------------------------


@pytest.mark.parametrize("closed", ["2>&-", "<&- >&- 2>&-"])
def test_streams_that_are_closed(quick, tmp_path, closed):
    path, _ = quick
    expected, out = tmp_path / "expected.csv", tmp_path / "report.csv"
    shell = f'"$0" report "$1" --out "$2" {closed}'
    report = start(["sh", "-c", shell, EXECUTABLE, path, out])
    wrong = start(["sh", "-c", f'"$0" nothing {closed}', EXECUTABLE])
    run("report", path, "--out", expected)
    assert ended(report) == (NOT_CONVERGED, "" if ">&- " in closed else f"{out}\n", "")
    # Nothing was opened under the number of a stream, where others write.
    assert out.read_bytes() == expected.read_bytes()
    assert ended(wrong) == (2, "", "")


def test_streams_that_are_closed_are_opened_on_nothing():
    show = (
        "import os\nfrom effbayes.cli.surroundings import borne\nwith borne():"
        "\n    found = [os.readlink(f'/proc/self/fd/{i}') for i in range(3)]"
        "\n    other = os.open('/', os.O_RDONLY)"
        "\nos._exit(found != [os.devnull] * 3 or other < 3)"
    )
    assert ended(start(["sh", "-c", '"$0" -c "$1" <&- >&- 2>&-', sys.executable, show]))[0] == 0


@pytest.fixture(scope="module")
def nobody():
    command = [*NOBODY, "true"]
    if (
        shutil.which("unshare") is None
        or subprocess.run(command, capture_output=True, check=False).returncode
    ):
        pytest.skip("no other user can be made here")


@pytest.mark.usefixtures("nobody")
def test_a_user_who_is_nobody_and_has_no_home(quick, tmp_path):
    path, result = quick
    how = {"HOME": None, "EFFBAYES_NO_CACHE": None, "MPLCONFIGDIR": None, "XDG_CACHE_HOME": None}
    calls = [
        ("doctor", "--json"),
        ("summarize", path, "--json"),
        ("report", path, "--out", tmp_path / "a.html"),
    ]
    processes = [start([*NOBODY, EXECUTABLE, *call], **how) for call in calls]
    about, summary, report = map(ended, processes)
    assert about[0] == 0
    assert os.devnull in about[1]
    assert summary == (NOT_CONVERGED, result.out, "")
    assert report[0] == NOT_CONVERGED
    assert "Traceback" not in report[2]
    assert (tmp_path / "a.html").stat().st_size > 100_000
    assert [each.name for each in tmp_path.iterdir()] == ["a.html"]


def test_no_home_keeps_no_program(monkeypatch):
    def unknown(_):
        raise KeyError

    monkeypatch.setattr("pwd.getpwuid", unknown)
    for name in ("HOME", kept_files.NO_CACHE, "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    assert kept_files.folder() is None
    monkeypatch.setenv(kept_files.FOLDER, "~/programs")
    assert kept_files.folder() is None
    with surroundings.borne():
        assert os.environ["HOME"] == os.devnull
    monkeypatch.setenv("HOME", "/somewhere")
    with surroundings.borne():
        assert os.environ["HOME"] == "/somewhere"


# --- signals -----------------------------------------------------------------------------------

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""The first is Python's own; the last, that a terminal is gone."""

WRITING = {
    "sample": ("sample", "--domain", "go", *QUICK, "--out", "run.nc"),
    "report": ("report", "RUN", "--out", "report.html"),
    "pictures": ("report", "RUN", "--out", "pictures", "--format", "svg"),
    "plot": ("plot", "RUN", "--out", "trend.svg"),
}


@pytest.fixture
def heard():
    """No signal is ignored, as SIGHUP is under nohup."""
    before = {each: signal.getsignal(each) for each in SIGNALS}
    for each, handler in before.items():
        if handler is signal.SIG_IGN:
            signal.signal(each, signal.SIG_DFL)
    yield
    for each, handler in before.items():
        signal.signal(each, handler)


@pytest.mark.usefixtures("heard")
@pytest.mark.parametrize(
    ("what", "number"),
    [
        *(("sample", number) for number in SIGNALS),
        *((what, signal.SIGTERM) for what in ("report", "pictures", "plot")),
    ],
)
def test_a_signal_while_writing_leaves_nothing(quick, tmp_path, monkeypatch, what, number):
    before = [signal.getsignal(each) for each in SIGNALS]
    written = []

    def ends(*_):
        written.extend(os.listdir(tmp_path))
        os.kill(os.getpid(), number)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("effbayes.outputs.os.fsync", ends)
    monkeypatch.setattr("effbayes.outputs._umask", ends)
    arguments = [quick[0] if each == "RUN" else each for each in WRITING[what]]
    result = run(*arguments)
    assert result.code == 130
    assert result.err == "effbayes: interrupted\n"
    assert any(name.startswith(".effbayes.") for name in written), "it was not writing"
    assert list(tmp_path.iterdir()) == []
    assert [signal.getsignal(each) for each in SIGNALS] == before


@pytest.mark.parametrize("what", WRITING)
def test_no_room_for_a_file(quick, tmp_path, monkeypatch, what):
    """As on a full disk, which `unit/test_writing.py` mounts: no file may pass a thousand bytes."""
    monkeypatch.chdir(tmp_path)
    arguments = [quick[0] if each == "RUN" else each for each in WRITING[what]]
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        result = run(*arguments)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert result.code == 4
    assert re.fullmatch(r"effbayes: \S+ cannot be written: File too large\n", result.err)
    # Numbers that were sampled are told, though they could not be kept.
    assert bool(result.out) == (what == "sample")
    assert list(tmp_path.iterdir()) == []


def test_a_signal_that_is_ignored_is_ignored_on(monkeypatch):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with surroundings.borne():
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)
