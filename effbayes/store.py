"""A run on disk: netCDF that any ArviZ reads, with a seal that makes every change show.

The file is HDF5 as xarray writes it, followed by one line with the SHA-256 of all bytes before it.
HDF5 ignores what follows its end, so other tools read the file as it is; here a file without the
seal is foreign, and one whose seal does not fit was truncated or changed.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path
from typing import Any

import xarray as xr

from effbayes import tree
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
    path = Path(path)
    require_free(path, force=force)
    temporary: Path | None = None
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        run.to_netcdf(temporary, engine="h5netcdf")
        _seal(temporary)
        _umask(temporary)
        if force:
            temporary.replace(path)
        else:
            # A link fails where a rename would overwrite what came in between.
            os.link(temporary, path)
    except FileExistsError as error:
        raise RunFileError(_exists(path)) from error
    except OSError as error:
        raise RunFileError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def require_free(path: str | Path, *, force: bool = False) -> None:
    """Refuse a place where a run cannot be written, before the work is done.

    Raises
    ------
    RunFileError
        Something is there already, or the folder does not exist.
    """
    path = Path(path)
    if path.is_dir():
        raise RunFileError(f"{path} is a folder")
    if path.exists() and not force:
        raise RunFileError(_exists(path))
    if not path.parent.is_dir():
        raise RunFileError(f"the folder {path.parent} does not exist")
    if not os.access(path.parent, os.W_OK):
        raise RunFileError(f"the folder {path.parent} cannot be written to")


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


def _exists(path: Path) -> str:
    return f"{path} exists; give another name, or --force to replace it"


def _seal_of(body: bytes) -> bytes:
    return SEAL + hashlib.sha256(body).hexdigest().encode() + b"\n"


def _seal(path: Path) -> None:
    body = path.read_bytes()
    with path.open("ab") as file:
        file.write(_seal_of(body))
        file.flush()
        os.fsync(file.fileno())


def _umask(path: Path) -> None:
    """Give a temporary file, made private, the permissions of an ordinary new one."""
    mask = os.umask(0)
    os.umask(mask)
    path.chmod(0o666 & ~mask)
