"""What is under a final name is whole, whatever happens while it is written.

Files of every kind (a plain file, a folder of pictures, a run, a chunk, a program in the cache), in
a process that is killed before each of its steps in turn, beside others, or on a disk without room.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from effbayes import kept, outputs
from effbayes.errors import RunFileError

WRITERS = Path(__file__).parents[1] / "writers.py"
KINDS = ("file", "folder", "run", "chunk", "cache")
EXCLUSIVE = ("file", "folder", "run")
"""Kinds that replace nothing unless told to."""

OF_ITS_OWN = ("unshare", "-rm")
"""A process that may mount, seen by nobody else."""


@pytest.fixture(scope="module")
def run_file(alexnet_fit, tmp_path_factory):
    path = tmp_path_factory.mktemp("run") / "run.nc"
    alexnet_fit.save(path)
    return path


@pytest.fixture
def write(run_file, tmp_path):
    def start(what, *before):
        folder = tmp_path / what
        folder.mkdir()
        path = os.pathsep.join(each for each in sys.path if each)
        done = subprocess.run(
            [*before, sys.executable, "-W", "ignore", WRITERS, what, run_file, folder],
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
        assert set(told) == set(KINDS)
        return told

    return start


@pytest.fixture(scope="module")
def can_mount(tmp_path_factory):
    folder = tmp_path_factory.mktemp("disk")
    mount = ("mount", "-t", "tmpfs", "tmpfs", folder)
    if (
        shutil.which("unshare") is None
        or subprocess.run([*OF_ITS_OWN, *mount], capture_output=True, check=False).returncode
    ):
        pytest.skip("no disk of its own can be mounted here")


def test_killed_before_every_step(write):
    told = write("kill")
    for kind in KINDS:
        for how, old in (("anew", "none"), ("forced", "a")):
            found, after = told[kind][how]["found"], told[kind][how]["after"]
            steps = len(found) - 1
            assert steps >= 4, "no step was seen"
            # What was there before, and from one step on the new one; never anything else.
            assert found == [old] * found.count(old) + ["b"] * found.count("b"), (kind, how)
            assert found[0] == old
            assert found[-1] == "b"
            assert after == [[0, "c"]] * steps, (kind, how)
            assert told[kind][how]["left"] > 0, "no temporary file was ever left"


@pytest.mark.parametrize("what", ["together", "without-links"])
def test_several_at_once(write, what):
    told = write(what)
    for kind in KINDS:
        for how in ("anew", "forced"):
            for each in told[kind][how]:
                codes, alone = each["codes"], kind in EXCLUSIVE and how == "anew"
                won = [letter for letter, code in codes.items() if code == 0]
                lost = [code for code in codes.values() if code != 0]
                # Of those who may not replace, one wins and the others say why they did not.
                assert len(won) == (1 if alone else 4), (kind, how, codes)
                assert set(lost) <= {4}
                assert each["found"] in won
                assert kind == "chunk" or each["names"] == ["final"]


def failed(told, said):
    for kind in KINDS:
        for each in told[kind]:
            assert (each["found"], each["names"]) == ("none", []), kind
            if kind == "cache":
                assert each["code"] == 0, "what cannot be kept is no error"
            else:
                assert each["code"] == 4, kind
                assert said in each["said"]


@pytest.mark.usefixtures("can_mount")
def test_a_disk_that_is_full(write):
    failed(write("full", *OF_ITS_OWN), "cannot be written: No space left on device")


def test_a_file_that_grows_too_long(write):
    failed(write("limited"), "cannot be written: File too large")


@pytest.mark.usefixtures("can_mount")
def test_a_disk_that_cannot_be_written_to(write):
    failed(write("read-only", *OF_ITS_OWN), "cannot be written to")


def test_below_a_file(tmp_path):
    (tmp_path / "file").write_text("mine")
    path = tmp_path / "file" / "final"
    with pytest.raises(RunFileError, match="does not exist"):
        outputs.write(path, b"x")
    with pytest.raises(RunFileError, match="does not exist"):
        outputs.write_folder(path, {"a": b"x"})
    kept.write(path, b"x")
    assert kept.read(path) is None
    assert (tmp_path / "file").read_text() == "mine"


def test_another_error_of_a_link_is_not_taken_for_a_file_system_without(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("effbayes.outputs.os.link", full)
    with pytest.raises(RunFileError, match="No space left"):
        outputs.write(tmp_path / "final", b"x")
    assert os.listdir(tmp_path) == []


def test_an_interrupt_leaves_nothing(tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("effbayes.outputs.os.fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        outputs.write(tmp_path / "final", b"x")
    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        kept.write(tmp_path / "final", b"x")
    monkeypatch.setattr(Path, "write_bytes", interrupted)
    with pytest.raises(KeyboardInterrupt):
        outputs.write_folder(tmp_path / "final", {"a": b"x"})
    assert os.listdir(tmp_path) == []
