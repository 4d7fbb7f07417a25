"""Files for the user: runs, pictures. Written whole or not at all, and never over another."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from effbayes.errors import RunFileError


def write(path: str | Path, content: bytes, *, force: bool = False) -> None:
    """Write a file whole or not at all.

    Parameters
    ----------
    path
        Where to; the folder must exist.
    content
        Of the file.
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
        temporary = Path(name)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        _umask(temporary)
        if force:
            temporary.replace(path)
        else:
            _put(temporary, path)
    except FileExistsError as error:
        raise RunFileError(_exists(path)) from error
    except OSError as error:
        raise RunFileError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


WITHOUT_LINKS = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK)
"""What file systems say that have no second name for a file, as of USB sticks."""


def _put(temporary: Path, path: Path) -> None:
    """Give a file its name, unless something has that name."""
    try:
        # A link fails where a rename would overwrite what came in between.
        os.link(temporary, path)
    except OSError as error:
        if error.errno not in WITHOUT_LINKS:
            raise
        # The name is taken first, by an empty file, then given to the whole one.
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        temporary.replace(path)


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
    path.chmod(0o666 & ~_mask())


def _mask() -> int:
    """What new files of this process are not permitted.

    Where the system does not tell, it is set and set back, which other threads can come between:
    to a strict one, so that none of their files is open to all.
    """
    try:
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("Umask:"):
                return int(line.split()[1], 8)
    except (OSError, ValueError):
        pass
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def write_folder(path: str | Path, files: Mapping[str, bytes], *, force: bool = False) -> None:
    """Write some files into a folder: all of them or, where the folder is new, none.

    Parameters
    ----------
    path
        The folder; the one that it is in must exist.
    files
        By name.
    force
        Replace files in a folder that is there; others in it stay.

    Raises
    ------
    RunFileError
        The folder exists and `force` is False, or it cannot be written.
    """
    path = Path(path)
    require_free_folder(path, force=force)
    temporary: Path | None = None
    try:
        temporary = Path(tempfile.mkdtemp(prefix=".effbayes.", dir=path.parent))
        for name, content in files.items():
            (temporary / name).write_bytes(content)
            _umask(temporary / name)
        temporary.chmod(0o777 & ~_mask())
        _put_folder(temporary, path, files, force=force)
    except OSError as error:
        raise RunFileError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def _put_folder(temporary: Path, path: Path, names: Iterable[str], *, force: bool) -> None:
    """Give a folder its name or, where it may replace, its files to the one that has it."""
    if not (force and path.is_dir()):
        try:
            temporary.rename(path)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            # One that came in between.
            if not force:
                raise RunFileError(_exists(path)) from error
        else:
            return
    for name in names:
        (temporary / name).replace(path / name)


def require_free_folder(path: str | Path, *, force: bool = False) -> None:
    """Refuse a place where a folder cannot be written, before the work is done.

    Raises
    ------
    RunFileError
        Something is there already (with `force`: something that is no folder), or the folder that
        it is in does not exist or cannot be written to.
    """
    path = Path(path)
    if os.path.lexists(path) and not (force and path.is_dir()):
        raise RunFileError(_exists(path))
    inside = path if path.is_dir() else path.parent
    if not inside.is_dir():
        raise RunFileError(f"the folder {inside} does not exist")
    if not os.access(inside, os.W_OK):
        raise RunFileError(f"the folder {inside} cannot be written to")
