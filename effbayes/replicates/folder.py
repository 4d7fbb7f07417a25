"""Finished chunks of a long job, kept in a folder: each written whole, sealed, read as numbers.

A chunk's file is NumPy's own format behind a digest of its content. Nothing in it is code: arrays
of objects are refused. A file that was cut short or changed counts as not there, and is computed
anew.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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

    def open(self, digest: str, lanes: int, chunk: int) -> None:
        """Begin a job, or go on with it.

        Raises
        ------
        RunFileError
            The folder holds another job, or something else, or cannot be written.
        """
        job = {"schema": SCHEMA, "digest": digest, "lanes": lanes, "chunk": chunk}
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            inside = [each.name for each in self.path.iterdir()]
            inside = [name for name in inside if not name.startswith(".effbayes.")]
        except OSError as error:
            raise RunFileError(f"{self.path} cannot be used: {error.strerror or error}") from error
        if JOB in inside:
            if self._job() != job:
                raise RunFileError(
                    f"{self.path} holds another job (other data, model, settings, seed or number "
                    "of lanes); give another folder"
                )
        elif inside:
            raise RunFileError(f"{self.path} holds other files; give an empty folder")
        else:
            outputs.write(self.path / JOB, json.dumps(job, indent=2).encode())

    def read(self, first: int) -> dict[str, np.ndarray] | None:
        """The chunk that begins at a lane; None where it is not there as it was written."""
        try:
            content = self._chunk(first).read_bytes()
        except OSError:
            return None
        body, seal = content[_SEAL:], content[:_SEAL]
        if hashlib.sha256(body).digest() != seal:
            return None
        with np.load(io.BytesIO(body), allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}

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
        sealed = hashlib.sha256(content).digest() + content
        outputs.write(self._chunk(first), sealed, force=True)

    def _chunk(self, first: int) -> Path:
        return self.path / f"lanes-{first:012d}.chunk"

    def _job(self) -> Any:
        try:
            return json.loads((self.path / JOB).read_bytes())
        except (OSError, ValueError) as error:
            raise RunFileError(f"{self.path / JOB} is damaged: {error}") from error
