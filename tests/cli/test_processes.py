"""What needs a process of its own: exit codes, signals, pipes."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time

import pytest

from effbayes.replicates.folder import Chunks
from tests.cli.program import EXECUTABLE, QUICK, strict_json

STARTS_WITHIN = 120
"""Seconds for imports and one compilation on a busy machine."""


def call(*arguments, **options):
    return subprocess.run(
        [EXECUTABLE, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=STARTS_WITHIN,
        check=False,
        **options,
    )


@pytest.mark.parametrize(
    "command",
    [[EXECUTABLE], [sys.executable, "-m", "effbayes"], [sys.executable, "-m", "effbayes.cli"]],
)
def test_ways_to_start(command):
    done = subprocess.run([*command, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("effbayes ")
    done = subprocess.run([*command, "nothing"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Usage: effbayes [OPTIONS]")


def test_exit_codes_of_the_process(table):
    assert call("domains").returncode == 0
    assert call("sample", "--domain", "nowhere").returncode == 2
    done = call("validate", table("date,value\n"))
    assert (done.returncode, done.stderr) == (3, "")
    done = call("summarize", "nowhere.nc")
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr == "effbayes: nowhere.nc cannot be read: No such file or directory\n"


def test_a_whole_job_through_pipes(tmp_path):
    path = tmp_path / "run.nc"
    done = call("sample", "--domain", "go", *QUICK, "--out", path, "--json")
    assert (done.returncode, done.stderr) == (5, "")
    assert strict_json(done.stdout)["sampler"]["draws"] == 10
    assert path.stat().st_size > 10_000


def test_a_reader_that_leaves_early():
    reading, writing = os.pipe()
    os.close(reading)
    for options in ((), ("--json",)):
        done = subprocess.run(
            [EXECUTABLE, "domains", *options],
            stdout=writing,
            stderr=subprocess.PIPE,
            text=True,
            timeout=STARTS_WITHIN,
            check=False,
        )
        assert (done.returncode, done.stderr) == (141, "")
    os.close(writing)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no such device")  # noqa: PTH110
@pytest.mark.parametrize("arguments", [["domains"], ["--version"], ["--help"], ["sample", "-h"]])
def test_a_disk_that_is_full(arguments):
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = subprocess.run(
            [EXECUTABLE, *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=STARTS_WITHIN,
            check=False,
        )
    assert done.returncode == 1
    assert re.fullmatch(r"effbayes: standard output cannot be written: .*\n", done.stderr)


@pytest.mark.parametrize(
    "environment",
    [{"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, {"PYTHONIOENCODING": "ascii"}],
    ids=["C locale", "ascii"],
)
def test_without_unicode(environment, table):
    path = table('series,date,value\n"é Ω",2020-01-01,4\n"é Ω",2021-01-01,2\n')
    done = call("validate", path, env={**os.environ, **environment})
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(r"\xe9 \u03a9: good")
    done = call("domains", env={**os.environ, **environment})
    assert done.returncode == 0
    assert done.stdout.isascii()


@pytest.fixture
def can_be_interrupted():
    """Let children hear of Ctrl-C also where this process, run in the background, does not."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("can_be_interrupted")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda each: each.name)
def test_interrupted(tmp_path, number):
    """Ctrl-C while sampling: code 130, one word, no run file, and the cursor is back."""
    controller, terminal = pty.openpty()
    process = subprocess.Popen(
        [
            EXECUTABLE,
            "sample",
            "--domain",
            "go",
            "--draws",
            "1000000",
            "--out",
            tmp_path / "run.nc",
        ],
        stdout=subprocess.PIPE,
        stderr=terminal,
        env={**os.environ, "TERM": "xterm"},
    )
    os.close(terminal)
    try:
        seen = read_until(controller, b" steps")
        process.send_signal(number)
        out, _ = process.communicate(timeout=STARTS_WITHIN)
        seen += read_until(controller, b"effbayes: interrupted")
    finally:
        process.kill()
        process.communicate()
        os.close(controller)
    assert (process.returncode, out) == (130, b"")
    assert b"effbayes: interrupted" in seen
    assert b"Traceback" not in seen
    assert seen.count(b"\x1b[?25l") == seen.count(b"\x1b[?25h") == 1
    assert list(tmp_path.iterdir()) == []


def test_what_is_finished_is_kept(tmp_path):
    """A calibration that is ended keeps its chunks, whole, and says only that it was ended."""
    folder = tmp_path / "chunks"
    series = ("--domain", "imagenet", "--series", "alexnet-training", "--point-values")
    command = ["calibrate", *series, "--sets", "1000000", "--folder", folder]
    with subprocess.Popen(
        [EXECUTABLE, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        end = time.monotonic() + 3 * STARTS_WITHIN
        while not list(folder.glob("*.chunk")) and time.monotonic() < end:
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=3 * STARTS_WITHIN)
    assert (process.returncode, out, err) == (130, "", "effbayes: interrupted\n")
    job = json.loads((folder / "job.json").read_bytes())
    chunks = Chunks(folder, job["digest"], job["lanes"], job["chunk"])
    kept = sorted(folder.glob("*.chunk"))
    assert kept
    assert all(chunks.read(int(path.stem.partition("-")[2])) is not None for path in kept)
    assert {path.name for path in folder.iterdir()} == {"job.json", *(each.name for each in kept)}


def read_until(controller, mark):
    """What a terminal received, up to a mark or its end."""
    seen = b""
    end = time.monotonic() + STARTS_WITHIN
    while mark not in seen and time.monotonic() < end:
        ready, _, _ = select.select([controller], [], [], 1.0)
        if not ready:
            continue
        try:
            content = os.read(controller, 65536)
        except OSError:
            break
        if not content:
            break
        seen += content
    assert mark in seen, seen[-500:]
    return seen
