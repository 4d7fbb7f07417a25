"""A run on disk: netCDF that any ArviZ reads, with a seal that makes every change show.

The file is HDF5 as xarray writes it, followed by one line with the SHA-256 of all bytes before it.
HDF5 ignores what follows its end, so other tools read the file as it is; here a file without the
seal is foreign, and one whose seal does not fit was truncated or changed.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import xarray as xr

from effbayes import outputs, tree
from effbayes.errors import RunFileError

SEAL = b"\neffbayes-seal-sha256:"
_HEX = 64
_LENGTH = len(SEAL) + _HEX + 1


def save(run: xr.DataTree, path: str | Path, *, force: bool = False) -> None:
    """Write a run whole or not at all.

    Parameters
    ----------
    run
        From `effbayes.tree.build`.
    path
        Where to; the folder must exist.
    force
        Replace a file that is there.

    Raises
    ------
    RunFileError
        The file exists and `force` is False, or it cannot be written.
    """
    with outputs.whole(path, force=force) as temporary:
        run.to_netcdf(temporary, engine="h5netcdf")
        _seal(temporary)


def load(path: str | Path) -> xr.DataTree:
    """Read a run into memory.

    Raises
    ------
    RunFileError
        The file is missing, foreign, truncated or changed.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RunFileError(f"{path} cannot be read: {error.strerror or error}") from error
    body, seal = content[:-_LENGTH], content[-_LENGTH:]
    if not seal.startswith(SEAL):
        raise RunFileError(f"{path} is not a whole run of effbayes: it lacks the seal at its end")
    if seal != _seal_of(body):
        raise RunFileError(f"{path} was changed since it was written: its seal does not fit")
    try:
        with xr.open_datatree(path, engine="h5netcdf") as opened:
            return opened.load()
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise RunFileError(f"{path} cannot be read as a run: {error}") from error


def load_parts(path: str | Path) -> tuple[dict[str, Any], xr.DataTree]:
    """A run's plain arrays and settings, and its tree.

    Raises
    ------
    RunFileError
        As `load`; or the run has another version's schema.
    """
    run = load(path)
    try:
        return tree.parts(run), run
    except (KeyError, ValueError, TypeError) as error:
        raise RunFileError(f"{path} is not a run that this version reads: {error}") from error


def _seal_of(body: bytes) -> bytes:
    return SEAL + hashlib.sha256(body).hexdigest().encode() + b"\n"


def _seal(path: Path) -> None:
    body = path.read_bytes()
    with path.open("ab") as file:
        file.write(_seal_of(body))
        file.flush()
        os.fsync(file.fileno())
