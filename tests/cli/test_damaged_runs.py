"""A run file that is damaged, foreign or missing is refused with code 4, never a traceback."""

import json
import os

import h5py
import numpy as np
import pytest
import xarray as xr

from effbayes.store import _LENGTH, _seal_of
from tests.cli.program import run

RNG = np.random.default_rng(20260101)
COMMANDS = {
    "summarize": (),
    "diagnose": (),
    "factor": ("--from", "2020-01-01", "--to", "2021-01-01"),
}


def _seal(path):
    body = path.read_bytes()
    path.write_bytes(body + _seal_of(body))


@pytest.fixture
def refused(tmp_path):
    """Every command refuses a file of this content, with one line and nothing on stdout."""

    def check(content, command="summarize"):
        path = tmp_path / "run.nc"
        path.write_bytes(content)
        result = run(command, path, *COMMANDS[command], "--json")
        assert (result.code, result.out) == (4, "")
        assert result.err.startswith("effbayes: ")
        assert str(path) in result.err
        assert "Traceback" not in result.err

    return check


@pytest.fixture
def resealed(quick, tmp_path, refused):
    """A run that was changed with care: the seal fits."""

    def check(change):
        path = tmp_path / "changed.nc"
        path.write_bytes(quick[0].read_bytes()[:-_LENGTH])
        with h5py.File(path, "r+") as file:
            change(file)
        _seal(path)
        for command in COMMANDS:
            refused(path.read_bytes(), command)

    return check


def test_the_whole_file_is_read(quick):
    assert run("summarize", quick[0]).code == 5


@pytest.mark.parametrize("command", COMMANDS)
def test_truncated_anywhere(quick, refused, command):
    content = quick[0].read_bytes()
    times = 100 if command == "summarize" else 20
    edges = {0, 1, len(content) - 1, len(content) - _LENGTH}
    places = edges | set(RNG.integers(len(content), size=times).tolist())
    for place in sorted(places):
        refused(content[:place], command)


def test_one_byte_changed_anywhere(quick, refused):
    content = quick[0].read_bytes()
    for place in RNG.integers(len(content), size=100):
        changed = bytearray(content)
        changed[place] ^= 1 << int(RNG.integers(8))
        refused(bytes(changed))


def test_every_byte_of_the_seal_counts(quick, refused):
    content = quick[0].read_bytes()
    for place in range(len(content) - _LENGTH, len(content)):
        changed = bytearray(content)
        changed[place] ^= 1
        refused(bytes(changed))


def test_something_after_the_end(quick, refused):
    content = quick[0].read_bytes()
    refused(content + b"\n")
    refused(content + content)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"date,value\n2020-01-01,1\n",
        RNG.bytes(10_000),
        b"\x89HDF\r\n\x1a\n" + bytes(500),
    ],
    ids=["empty", "a line", "a table", "garbage", "an HDF5 that breaks off"],
)
def test_no_run_at_all(refused, content, command):
    refused(content, command)


def test_netcdf_of_another_program(tmp_path, refused):
    path = tmp_path / "foreign.nc"
    xr.Dataset({"rate": ("draw", np.ones(10))}).to_netcdf(path, engine="h5netcdf")
    refused(path.read_bytes())
    _seal(path)
    for command in COMMANDS:
        refused(path.read_bytes(), command)


def test_garbage_under_a_seal_that_fits(tmp_path, refused):
    path = tmp_path / "garbage.nc"
    path.write_bytes(RNG.bytes(1000))
    _seal(path)
    refused(path.read_bytes())


def test_another_schema(resealed):
    def change(file):
        about = json.loads(file.attrs["effbayes"])
        file.attrs["effbayes"] = json.dumps(about | {"schema": "effbayes.run/2"})

    resealed(change)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "null"])
def test_settings_that_are_none(resealed, text):
    def change(file):
        file.attrs["effbayes"] = text

    resealed(change)


@pytest.mark.parametrize("group", ["posterior", "sample_stats", "system_noise", "table"])
def test_a_group_that_is_gone(resealed, group):
    def change(file):
        del file[group]

    resealed(change)


@pytest.mark.parametrize("place", ["posterior/rate", "sample_stats/energy"])
def test_an_array_that_is_gone(resealed, place):
    def change(file):
        del file[place]

    resealed(change)


@pytest.mark.parametrize("key", ["sampler", "prior", "priors", "parameters", "model"])
def test_a_setting_that_is_gone(resealed, key):
    def change(file):
        about = json.loads(file.attrs["effbayes"])
        del about["settings"][key]
        file.attrs["effbayes"] = json.dumps(about)

    resealed(change)


def test_missing_unreadable_or_a_folder(tmp_path):
    for path in (tmp_path / "nowhere.nc", tmp_path, tmp_path / "x" / "y.nc"):
        for command, options in COMMANDS.items():
            result = run(command, path, *options)
            assert (result.code, result.out) == (4, "")
            assert "cannot be read" in result.err
    if os.geteuid():
        (tmp_path / "secret.nc").touch(mode=0)
        assert run("summarize", tmp_path / "secret.nc").code == 4
