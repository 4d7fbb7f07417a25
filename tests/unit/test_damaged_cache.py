"""A program in the cache that is damaged, or somebody's doing, is made anew, and nothing is run."""

from __future__ import annotations

import pickle
from pathlib import Path

import jax
import numpy as np
import pytest

from effbayes import kept, runtime
from effbayes.inference import machine_code

RNG = np.random.default_rng(20260301)


def twice(x):
    return {"y": 2.0 * x}


@pytest.fixture
def use(tmp_path):
    """Use the program; whether it had to be made."""
    made = []

    def shapes():
        made.append(True)
        return (jax.ShapeDtypeStruct((3,), "float32"),)

    def call():
        made.clear()
        plan = runtime.plan(runtime.device("cpu"))._replace(folder=tmp_path / "programs")
        found = machine_code.compiled(twice, shapes, made_from=("twice",), plan=plan)
        result = found.call(np.arange(3, dtype=np.float32))
        np.testing.assert_array_equal(result["y"], [0.0, 2.0, 4.0])
        return bool(made)

    assert call()
    assert not call(), "it was not kept"
    return call


@pytest.fixture
def program(use, tmp_path):
    [path] = (tmp_path / "programs").iterdir()
    return path


class Trap:
    """A pickle that makes a file where it is read."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def test_any_damage(use, program):
    whole = program.read_bytes()
    changed = []
    for place in RNG.integers(len(whole), size=40):
        one = bytearray(whole)
        one[place] ^= 1 << int(RNG.integers(8))
        changed.append(bytes(one))
    cut = [whole[:length] for length in (0, 1, len(whole) - 1, *RNG.integers(len(whole), size=10))]
    for content in [*changed, *cut, whole + b"\0", RNG.bytes(10_000)]:
        program.write_bytes(content)
        assert kept.read(program) is None
    assert use()
    assert kept.read(program) is not None
    assert not use(), "it was not made good"


@pytest.mark.parametrize("body", [b"", b"\n", b"[]\n", b"{}\n", b'{"arguments": 1}\n', b"\xff\n"])
def test_another_thing_under_a_seal_that_fits(use, program, body):
    for code in (b"", RNG.bytes(100)):
        kept.write(program, body + code)
        assert use()
        assert not use()


def test_a_pickle_is_not_read(use, program, tmp_path):
    mark = tmp_path / "mark"
    header, _, _ = kept.read(program).partition(b"\n")
    trap = pickle.dumps(Trap(mark))
    for body in (trap, header + b"\n" + trap, trap + b"\n" + trap):
        kept.write(program, body)
        assert use()
        assert not mark.exists()
    pickle.loads(trap)  # noqa: S301 - it is what is tested
    assert mark.exists(), "the trap does not work"


def test_a_link_in_its_place(use, program, tmp_path):
    mine = tmp_path / "mine"
    mine.write_bytes(b"mine")
    for target in (mine, tmp_path / "nowhere", program):
        program.unlink()
        program.symlink_to(target)
        assert use()
        assert not program.is_symlink()
        assert not use()
    assert mine.read_bytes() == b"mine"
    assert not (tmp_path / "nowhere").exists()


def test_a_folder_in_its_place(use, program):
    program.unlink()
    program.mkdir()
    (program / "mine").touch()
    assert use()
    assert use(), "it cannot be kept"
    assert (program / "mine").exists()
    assert [each.name for each in program.parent.iterdir()] == [program.name]
