"""A run on disk: what is read back, what is refused, and what is never overwritten."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from pathlib import Path

import arviz
import h5py
import numpy as np
import pytest
import xarray as xr

import effbayes as eb
from effbayes import outputs, store


@pytest.fixture(scope="module")
def saved(alexnet_fit, tmp_path_factory):
    path = tmp_path_factory.mktemp("run") / "run.nc"
    alexnet_fit.save(path)
    return path


def test_round_trip(alexnet_fit, saved):
    loaded = eb.load(saved)
    assert loaded.summary() == alexnet_fit.summary()
    assert loaded.summary(0.5, "hdi") == alexnet_fit.summary(0.5, "hdi")
    assert loaded.series.label == alexnet_fit.series.label
    np.testing.assert_array_equal(loaded.series.value_low, alexnet_fit.series.value_low)
    assert loaded.efficiency_factor("AlexNet", "EfficientNet-b0", "observed") == (
        alexnet_fit.efficiency_factor("AlexNet", "EfficientNet-b0", "observed")
    )
    xr.testing.assert_identical(
        loaded.posterior["posterior"].to_dataset(),
        alexnet_fit.posterior["posterior"].to_dataset(),
    )


def test_arrays_are_read_as_xarray_reads_them(alexnet_fit, saved):
    loaded = eb.load(saved)
    assert set(loaded.posterior.children) == set(alexnet_fit.posterior.children)
    for name, group in loaded.posterior.children.items():
        arrays = loaded.arrays(name)
        assert set(arrays) == set(group.variables)
        for each, array in arrays.items():
            expected = group[each].to_numpy()
            assert array.dtype.kind.replace("O", "U") == expected.dtype.kind.replace("O", "U")
            np.testing.assert_array_equal(array, expected)
            np.testing.assert_array_equal(alexnet_fit.arrays(name)[each], expected)
    assert loaded.arrays("nothing") == alexnet_fit.arrays("nothing") == {}


def test_a_run_does_not_need_its_file_any_more(alexnet_fit, tmp_path):
    path = tmp_path / "run.nc"
    alexnet_fit.save(path)
    loaded = eb.load(path)
    path.write_text("something else")
    xr.testing.assert_identical(loaded.posterior, eb.load(saved_again(loaded, path)).posterior)


def saved_again(fit, path):
    fit.save(path, force=True)
    return path


def test_arviz_reads_the_file_as_it_is(alexnet_fit, saved):
    opened = arviz.from_netcdf(saved)
    np.testing.assert_array_equal(opened["posterior"]["rate"], alexnet_fit.draws["rate"])


def test_nothing_else_is_left_in_the_folder(saved):
    assert os.listdir(saved.parent) == ["run.nc"]
    assert stat.S_IMODE(saved.stat().st_mode) & 0o400


def test_an_existing_file_is_kept_unless_forced(alexnet_fit, tmp_path):
    path = tmp_path / "run.nc"
    path.write_text("precious")
    with pytest.raises(eb.RunFileError, match="exists"):
        alexnet_fit.save(path)
    assert path.read_text() == "precious"
    alexnet_fit.save(path, force=True)
    assert eb.load(path).verdict.ok
    assert os.listdir(tmp_path) == ["run.nc"]


def test_a_name_that_is_taken_is_refused_before_the_run_is_labelled(alexnet_fit, tmp_path):
    def build(_):
        raise AssertionError("labelled for nothing")

    path = tmp_path / "run.nc"
    path.write_text("precious")
    with pytest.raises(eb.RunFileError, match="exists"):
        replace(alexnet_fit, build_tree=build).save(path)


def test_the_mask_of_the_process_is_left_as_it_is(tmp_path, monkeypatch):
    before = os.umask(0o027)
    try:
        with monkeypatch.context() as patched:
            if Path("/proc/self/status").exists():
                patched.setattr("effbayes.outputs.os.umask", None)
            outputs.write(tmp_path / "file", b"x")
            outputs.write_folder(tmp_path / "folder", {"one": b"x"})
    finally:
        assert os.umask(before) == 0o027
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("file", "folder")]
    assert modes == [0o640, 0o750]


def test_a_file_that_appears_meanwhile_is_kept(alexnet_fit, tmp_path, monkeypatch):
    path = tmp_path / "run.nc"
    tree = alexnet_fit.posterior
    monkeypatch.setattr("effbayes.outputs.os.fsync", lambda _: path.write_text("came first"))
    with pytest.raises(eb.RunFileError, match="exists"):
        store.save(tree, path)
    assert path.read_text() == "came first"
    assert os.listdir(tmp_path) == ["run.nc"]


def test_a_failed_write_leaves_nothing(alexnet_fit, tmp_path, monkeypatch):
    tree = alexnet_fit.posterior

    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("effbayes.outputs.os.fsync", full)
    with pytest.raises(eb.RunFileError, match="No space left"):
        store.save(tree, tmp_path / "run.nc")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("place", ["missing/run.nc", "."])
def test_places_that_cannot_be_written(place, tmp_path):
    with pytest.raises(eb.RunFileError):
        outputs.require_free(tmp_path / place)


def test_every_truncation_is_refused(saved, tmp_path):
    content = saved.read_bytes()
    rng = np.random.default_rng(0)
    for length in [0, 1, len(content) - 1, *rng.integers(0, len(content), 100)]:
        path = tmp_path / "cut.nc"
        path.write_bytes(content[:length])
        with pytest.raises(eb.RunFileError):
            eb.load(path)


def test_every_changed_byte_is_refused(saved, tmp_path):
    content = bytearray(saved.read_bytes())
    rng = np.random.default_rng(1)
    for place in [0, len(content) - 1, *rng.integers(0, len(content), 100)]:
        changed = content.copy()
        changed[place] ^= 1 << int(rng.integers(8))
        path = tmp_path / "changed.nc"
        path.write_bytes(changed)
        with pytest.raises(eb.RunFileError):
            eb.load(path)


def test_foreign_files_are_refused(alexnet_fit, tmp_path):
    foreign = tmp_path / "foreign.nc"
    alexnet_fit.posterior.to_netcdf(foreign, engine="h5netcdf")
    with pytest.raises(eb.RunFileError, match="not a whole run"):
        eb.load(foreign)
    with pytest.raises(eb.RunFileError, match="No such file"):
        eb.load(tmp_path / "missing.nc")
    with pytest.raises(eb.RunFileError):
        eb.load(tmp_path)


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ("effbayes.run/9", "newer version: upgrade effbayes"),
        ("effbayes.run/0", "older version: sample again"),
        ("effbayes.pooled-run/2", "newer version: upgrade effbayes"),
        ("effbayes.walk/1", "is that of no run"),
        ("effbayes.run/x", "is that of no run"),
    ],
)
def test_a_sealed_file_of_another_schema_is_refused(alexnet_fit, tmp_path, schema, said):
    tree = alexnet_fit.posterior.copy()
    tree.attrs["effbayes"] = tree.attrs["effbayes"].replace("effbayes.run/1", schema)
    store.save(tree, tmp_path / "other.nc")
    with pytest.raises(eb.RunFileError, match=said) as caught:
        eb.load(tmp_path / "other.nc")
    assert schema in str(caught.value)


@pytest.mark.parametrize(
    ("attributes", "why"),
    [({"dtype": "bool"}, "truth value"), ({"units": "days since 2012-01-01"}, "date")],
)
def test_numbers_with_fractions_are_no_truth_values_and_no_dates(attributes, why):
    with h5py.File("x", "w", driver="core", backing_store=False) as file:
        variable = file.create_dataset("x", data=np.array([0.5, np.nan]))
        variable.attrs.update(attributes)
        with pytest.raises(ValueError, match=f"{why} is no whole number"):
            store._decoded(variable)
