"""A run on disk: netCDF that any ArviZ reads, with a seal that makes every change show.

The file is HDF5 as xarray writes it, followed by one line with the SHA-256 of all bytes before it.
HDF5 ignores what follows its end, so other tools read the file as it is; here a file without the
seal is foreign, and one whose seal does not fit was truncated or changed.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from effbayes import foreign, outputs, tree
from effbayes.errors import RunFileError

if TYPE_CHECKING:
    import xarray as xr

SEAL = b"\neffbayes-seal-sha256:"
_HEX = 64
_LENGTH = len(SEAL) + _HEX + 1

SECONDS = {"days": 86400, "hours": 3600, "minutes": 60, "seconds": 1}
"""In each unit that dates are counted in."""

UNREADABLE = (OSError, ValueError, KeyError, TypeError, RuntimeError, OverflowError, MemoryError)
"""What HDF5 and JSON raise where a file is not what it seems; a recursion is a RuntimeError."""


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
    outputs.require_free(path, force=force)
    # In memory: where a disk is full, HDF5 ends the process as it closes a file.
    body = bytes(run.to_netcdf(engine="h5netcdf"))
    seal = _seal_of(body)
    outputs.write(path, body + seal, force=force)
    foreign.remember(_digest_of(seal))


@dataclass(frozen=True)
class Kept:
    """A run of a file that was read, or one of several in it.

    Attributes
    ----------
    content
        Of the file, without its seal: a file that is replaced meanwhile changes nothing.
    about
        Settings, provenance, and the fields of the series, as they were written.
    path
        Of the file, for messages.
    place
        Path of the run within the file; empty for the whole.
    """

    content: bytes = field(repr=False)
    about: Mapping[str, Any]
    path: Path
    place: str = ""

    def arrays(self, group: str) -> dict[str, np.ndarray]:
        """Arrays of a group by name, those of its axes among them; none where there is no group.

        Read without xarray, which takes longer to import than all else does here.

        Raises
        ------
        RunFileError
            The group cannot be read.
        """
        import h5py  # noqa: PLC0415 - slow to import

        place = f"{self.place}/{group}"
        try:
            with h5py.File(io.BytesIO(self.content), "r") as file:
                if place not in file:
                    return {}
                return {name: _decoded(array) for name, array in file[place].items()}
        except UNREADABLE as error:
            raise RunFileError(f"{self.path}: its {group} cannot be read: {error}") from error

    def member(self, place: str) -> Kept:
        """One of several runs in the file.

        Raises
        ------
        KeyError
            There is none in this place.
        """
        return _kept(self.content, self.path, place)

    def tree(self) -> xr.DataTree:
        """All of it, in memory."""
        import xarray as xr  # noqa: PLC0415 - slow to import

        with xr.open_datatree(io.BytesIO(self.content), engine="h5netcdf") as opened:
            found: Any = opened[self.place] if self.place else opened
            # One by one: DataTree.load passes over a variable that has the name of its group.
            for node in found.subtree:
                for variable in node.variables.values():
                    variable.load()
            return cast("xr.DataTree", found)


def load(path: str | Path) -> Kept:
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
    if fault := foreign.fault(body, _digest_of(seal)):
        raise RunFileError(f"{path} cannot be read as a run: {fault}")
    try:
        return _kept(body, path)
    except UNREADABLE as error:
        raise RunFileError(f"{path} cannot be read as a run: {error}") from error


def _kept(content: bytes, path: Path, place: str = "") -> Kept:
    import h5py  # noqa: PLC0415 - slow to import

    with h5py.File(io.BytesIO(content), "r") as file:
        about = json.loads(file[f"/{place}"].attrs[tree.ATTRIBUTE])
    if not isinstance(about, dict) or "schema" not in about:
        raise ValueError("it does not say what it is")
    return Kept(content, about, path, place)


def _decoded(variable: Any) -> np.ndarray:
    """An array as xarray decodes what it wrote itself: text, truth values, dates and numbers."""
    values, attributes = variable[()], variable.attrs
    if values.dtype == object:
        return np.asarray(variable.asstr()[()], dtype=object)
    if attributes.get("dtype") == "bool":
        if values.dtype.kind not in "bi":
            raise ValueError("a truth value is no whole number")
        return np.asarray(values.astype(bool))
    unit, since, origin = str(attributes.get("units", "")).partition(" since ")
    if since:
        if values.dtype.kind != "i":
            raise ValueError("a date is no whole number")
        start = np.datetime64(origin.replace(" ", "T"), "s")
        return np.asarray(start + (SECONDS[unit] * values.astype("int64")).astype("timedelta64[s]"))
    return np.asarray(values)


def _seal_of(body: bytes) -> bytes:
    return SEAL + hashlib.sha256(body).hexdigest().encode() + b"\n"


def _digest_of(seal: bytes) -> str:
    """The digest that a seal holds."""
    return seal[len(SEAL) :].decode("ascii").strip()
