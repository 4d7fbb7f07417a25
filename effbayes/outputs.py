"""Files for the user: runs, pictures. Written whole or not at all, and never over another."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from effbayes.errors import RunFileError


@contextmanager
def whole(path: str | Path, *, force: bool = False) -> Iterator[Path]:
    """A temporary file that takes the place of `path` where the block ends well, and else is gone.

    Parameters
    ----------
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
        handle, name = tempfile.mkstemp(prefix=".effbayes.", suffix=".part", dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        yield temporary
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


def write(path: str | Path, content: bytes, *, force: bool = False) -> None:
    """Write a file whole or not at all; parameters and errors as in `whole`."""
    with whole(path, force=force) as temporary, temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def require_free(path: str | Path, *, force: bool = False) -> None:
    """Refuse a place where a file cannot be written, before the work is done.

    Raises
    ------
    RunFileError
        Something is there already, or the folder does not exist or cannot be written to.
    """
    path = Path(path)
    if path.is_dir():
        raise RunFileError(f"{path} is a folder")
    if os.path.lexists(path) and not force:
        raise RunFileError(_exists(path))
    if not path.parent.is_dir():
        raise RunFileError(f"the folder {path.parent} does not exist")
    if not os.access(path.parent, os.W_OK):
        raise RunFileError(f"the folder {path.parent} cannot be written to")


def _exists(path: Path) -> str:
    return f"{path} exists; give another name, or --force to replace it"


def _umask(path: Path) -> None:
    """Give a temporary file, made private, the permissions of an ordinary new one."""
    mask = os.umask(0)
    os.umask(mask)
    path.chmod(0o666 & ~mask)
