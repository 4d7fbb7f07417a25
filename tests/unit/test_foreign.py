"""Files of strangers are read in a process of their own, whatever HDF5 makes of them."""

import hashlib
import io

import h5py
import numpy as np
import pytest

from effbayes import foreign, kept


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch, tmp_path):
    """A cache of this test's own, and no memory of files read before."""
    monkeypatch.setattr(foreign, "_known", set())
    monkeypatch.delenv(kept.NO_CACHE, raising=False)
    monkeypatch.setenv(kept.FOLDER, str(tmp_path / "cache"))


def made(fill):
    """A file of HDF5, and its digest."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        fill(file)
    content = buffer.getvalue()
    return content, hashlib.sha256(content).hexdigest()


def ordinary(file):
    file["group/x"] = np.arange(5.0)
    file["text"] = "AlexNet"
    file.attrs["effbayes"] = "{}"


def huge(file):
    file.create_dataset("x", shape=(2**33,), dtype="f8", chunks=(2**20,))


def packed(file):
    zeros = np.zeros(2**27, dtype="i1")
    for i in range(4):
        file.create_dataset(f"x{i}", data=zeros, compression="gzip", chunks=(2**27,))


def soft(file):
    ordinary(file)
    file["other"] = h5py.SoftLink("/group")


def external(file):
    ordinary(file)
    file["other"] = h5py.ExternalLink("/etc/hostname", "/")


def raw(file):
    file.create_dataset("x", shape=(4,), dtype="i1", external=[("/etc/hostname", 0, 4)])


def virtual(file):
    layout = h5py.VirtualLayout(shape=(4,), dtype="i1")
    layout[:] = h5py.VirtualSource("/etc/hostname", "x", shape=(4,))
    file.create_virtual_dataset("x", layout)


def test_an_ordinary_file_is_tried_once(monkeypatch):
    content, digest = made(ordinary)
    assert foreign.fault(content, digest) == ""
    monkeypatch.setattr(foreign, "_probe", lambda _: "tried again")
    assert foreign.fault(content, digest) == ""
    monkeypatch.setattr(foreign, "_known", set())
    assert foreign.fault(content, digest) == "", "a later process finds the digest in the cache"
    other = made(huge)
    assert foreign.fault(*other) == "tried again"


def test_without_a_cache_each_process_tries_once(monkeypatch):
    monkeypatch.setenv(kept.NO_CACHE, "1")
    content, digest = made(ordinary)
    assert foreign.fault(content, digest) == ""
    monkeypatch.setattr(foreign, "_known", set())
    monkeypatch.setattr(foreign, "_probe", lambda _: "tried again")
    assert foreign.fault(content, digest) == "tried again"


@pytest.mark.parametrize(
    ("fill", "why"),
    [
        (huge, "Memory|allocate"),
        (soft, "is a link"),
        (external, "is a link"),
        (raw, "no array of the file itself"),
        (virtual, "no array of the file itself"),
    ],
)
def test_what_is_refused(fill, why):
    content, digest = made(fill)
    fault = foreign.fault(content, digest)
    assert any(word in fault for word in why.split("|")), fault
    assert digest not in foreign._known
    assert foreign.fault(content, digest) == fault, "a refusal is not remembered as a success"


def test_what_unpacks_to_more_than_the_memory_is_refused(monkeypatch):
    content, digest = made(packed)
    assert len(content) < 2**20
    monkeypatch.setattr(foreign, "MEMORY", 2**26)
    assert foreign.fault(content, digest)


@pytest.mark.parametrize("text", [b"", b"\x89HDF\r\n\x1a\n", b"\0" * 1000])
def test_what_is_no_hdf5_is_refused(text):
    assert foreign.fault(text, "0" * 64)


@pytest.mark.parametrize("program", ["while True: pass", "import os; os.abort()"])
def test_what_never_ends_or_breaks_the_library_is_refused(monkeypatch, program):
    limits, rest = foreign.PROBE.split("def read", 1)
    monkeypatch.setattr(foreign, "PROBE", f"{limits}\n{program}\ndef read{rest}")
    monkeypatch.setattr(foreign, "CPU_SECONDS", 1)
    assert "breaks the HDF5 library" in foreign.fault(*made(ordinary))


def test_what_waits_for_ever_is_refused(monkeypatch):
    monkeypatch.setattr(foreign, "PROBE", "import time; time.sleep(60)")
    monkeypatch.setattr(foreign, "WALL_SECONDS", 1)
    assert "does not end" in foreign.fault(*made(ordinary))
