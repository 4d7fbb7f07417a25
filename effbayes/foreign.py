"""Run files that this user has not read before: HDF5 first meets them in a process of its own.

A seal shows damage, not intent. Made on purpose, a file of a hundred kilobytes lets the HDF5
library loop for minutes, fill gigabytes or crash before it sees that anything is wrong. So the
first reading is done where that costs one clear error, and files that passed are remembered.
"""

from __future__ import annotations

import subprocess
import sys

from effbayes import kept

CPU_SECONDS, WALL_SECONDS = 5, 60
"""Reading takes a tenth of a second; the second is for machines that are busy with other things."""

MEMORY = 256 * 2**20
BYTES_PER_SECOND = 20 * 2**20
"""What a larger file may take more."""

PROBE = """
import io, sys

import h5py
import numpy

cpu_seconds, memory = map(int, sys.argv[1:])
if sys.platform == "linux":
    import resource

    pages = int(open("/proc/self/statm").read().split()[0])
    limit = pages * resource.getpagesize() + memory
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds))


def read(group):
    dict(group.attrs)
    for name in group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            sys.exit(f"{name} is a link")
        found = group[name]
        if isinstance(found, h5py.Group):
            read(found)
            continue
        if not isinstance(found, h5py.Dataset) or found.external or found.is_virtual:
            sys.exit(f"{name} is no array of the file itself")
        dict(found.attrs)
        found[()]


with h5py.File(io.BytesIO(sys.stdin.buffer.read()), "r") as file:
    read(file)
"""

_known: set[str] = set()


def fault(content: bytes, digest: str) -> str:
    """Why HDF5 cannot read a file; empty where it can.

    Parameters
    ----------
    content
        A file of HDF5.
    digest
        Its SHA-256, by which it is remembered.
    """
    folder = kept.folder()
    if digest in _known or (folder and kept.read(folder / "runs" / digest) is not None):
        return ""
    found = _probe(content)
    if not found:
        remember(digest)
    return found


def remember(digest: str) -> None:
    """Note that a file of this digest can be read: it was written here, or it was tried."""
    _known.add(digest)
    if folder := kept.folder():
        kept.write(folder / "runs" / digest, b"")


def _probe(content: bytes) -> str:
    more = len(content) // BYTES_PER_SECOND
    limits = [str(CPU_SECONDS + more), str(MEMORY + 8 * len(content))]
    try:
        done = subprocess.run(  # noqa: S603 - the program is the one that runs, and its text above
            [sys.executable, "-P", "-c", PROBE, *limits],
            input=content,
            capture_output=True,
            timeout=WALL_SECONDS + more,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return "reading it does not end"
    if done.returncode < 0:
        return "reading it does not end, or breaks the HDF5 library"
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").split("\n")
        return next((line for line in reversed(said) if line.strip()), "for no reason told")
    return ""
