"""Finished chunks of a long job, kept in a folder: each written whole, sealed, read as numbers.

A chunk's file is NumPy's own format behind a digest of the job, its place in it and its content.
Nothing in it is code: arrays of objects are refused. A file that was cut short, changed or put in
another's place counts as not there, and is computed anew.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from effbayes import outputs
from effbayes.errors import RunFileError

SCHEMA = "effbayes.chunks/1"
JOB = "job.json"
_SEAL = hashlib.sha256().digest_size


@dataclass(frozen=True)
class Folder:
    """A folder for one job.

    Parameters
    ----------
    path
        Made where it does not exist, with those that it lies in.
    """

    path: Path

    def open(self, digest: str, lanes: int, chunk: int) -> Chunks:
        """Begin a job, or go on with it.

        Raises
        ------
        RunFileError
            The folder holds another job, or something else, or cannot be written.
        """
        job = {"schema": SCHEMA, "digest": digest, "lanes": lanes}
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            inside = [each.name for each in self.path.iterdir()]
            inside = [name for name in inside if not name.startswith(".effbayes.")]
        except OSError as error:
            raise RunFileError(f"{self.path} cannot be used: {error.strerror or error}") from error
        if JOB in inside:
            chunk = self._chunk_of(job)
        elif inside:
            raise RunFileError(f"{self.path} holds other files; give an empty folder")
        else:
            begun = json.dumps({**job, "chunk": chunk}, indent=2)
            outputs.write(self.path / JOB, begun.encode())
        return Chunks(self.path, digest, lanes, chunk)

    def _chunk_of(self, job: dict[str, Any]) -> int:
        """Lanes to a chunk of the job that is here, which must be the one that is asked for."""
        try:
            here = json.loads((self.path / JOB).read_bytes())
            chunk = int(here.pop("chunk"))
        except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
            raise RunFileError(f"{self.path / JOB} is damaged: {error}") from error
        if here != job or chunk < 1:
            raise RunFileError(
                f"{self.path} holds another job (other data, model, settings, seed, number of "
                "lanes or versions of packages); give another folder"
            )
        return chunk


@dataclass(frozen=True)
class Chunks:
    """Finished chunks of the job that a folder holds.

    Attributes
    ----------
    path
        The folder.
    digest, lanes
        Of the job.
    chunk
        Lanes to a chunk, as the job was begun.
    """

    path: Path
    digest: str
    lanes: int
    chunk: int

    def read(self, first: int) -> dict[str, np.ndarray] | None:
        """The chunk that begins at a lane; None where it is not there as it was written."""
        try:
            content = self._file(first).read_bytes()
        except OSError:
            return None
        body, seal = content[_SEAL:], content[:_SEAL]
        if self._seal(first, body) != seal:
            return None
        try:
            with np.load(io.BytesIO(body), allow_pickle=False) as arrays:
                return {name: arrays[name] for name in arrays.files}
        except (ValueError, BadZipFile, OSError, EOFError, AttributeError, TypeError):
            # Sealed, so somebody's doing: objects, or no arrays at all.
            return None

    def write(self, first: int, results: Mapping[str, np.ndarray]) -> None:
        """Keep a finished chunk.

        Raises
        ------
        RunFileError
            It cannot be written.
        """
        body = io.BytesIO()
        np.savez(body, allow_pickle=False, **results)
        content = body.getvalue()
        outputs.write(self._file(first), self._seal(first, content) + content, force=True)

    def _file(self, first: int) -> Path:
        return self.path / f"lanes-{first:012d}.chunk"

    def _seal(self, first: int, body: bytes) -> bytes:
        made = hashlib.sha256(
            f"{SCHEMA} {self.digest} {self.lanes} {self.chunk} {first}\n".encode()
        )
        made.update(body)
        return made.digest()
