"""Writes files of every kind while the process is killed, beside others, or on a disk of no room.

A process of its own: it forks, which a process that has loaded JAX must not. Started by
`unit/test_writing.py` with what is to happen, a run file and an empty folder; prints JSON.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from effbayes import kept, outputs, store
from effbayes.errors import EffbayesError
from effbayes.replicates.folder import Chunks

EVENTS = {
    *("open", "os.chmod", "os.link", "os.mkdir", "os.remove", "os.rename", "os.rmdir"),
    *("shutil.rmtree", "tempfile.mkdtemp", "tempfile.mkstemp"),
}
"""What Python tells of, before it is done."""

AT_MOST = 100
ROUNDS = 4
PAGE = 4096
SIZE = 5 * PAGE
DAMAGED = "damaged"


@dataclass(frozen=True)
class Writer:
    """A way to write: `put` writes what a letter stands for, `found` tells which is there."""

    put: Callable[[Path, str, bool], None]
    found: Callable[[Path], str]


def content(letter: str) -> bytes:
    return letter.encode() * SIZE


def which(bytes_of: bytes | None) -> str:
    if bytes_of is None:
        return "none"
    return next((one for one in "abcd" if bytes_of == content(one)), DAMAGED)


def file_found(path: Path) -> str:
    return which(path.read_bytes() if path.exists() else None)


def put_folder(path: Path, letter: str, force: bool) -> None:
    files = {name: content(letter) for name in ("one", "two", "three")}
    outputs.write_folder(path, files, force=force)


def folder_found(path: Path) -> str:
    """Every file is whole; under force, some may be of the one and some of the other."""
    if not path.exists():
        return "none"
    each = [which((path / name).read_bytes()) for name in ("one", "two", "three")]
    return DAMAGED if DAMAGED in each else min(each)


def chunks_in(path: Path) -> Chunks:
    return Chunks(path.parent, "digest", 10, 10)


def put_chunk(path: Path, letter: str, _: bool) -> None:
    chunks_in(path).write(0, {"a": np.frombuffer(content(letter), np.uint8)})


def chunk_found(path: Path) -> str:
    read = chunks_in(path).read(0)
    return which(None if read is None else read["a"].tobytes())


@dataclass(frozen=True)
class Serialized:
    """A run whose bytes were made before: that is what takes long."""

    content: bytes

    def to_netcdf(self, **_: object) -> bytes:
        return self.content


def of_runs(run: Path) -> Writer:
    """Of runs that differ by what follows their end, which HDF5 ignores."""
    content = store.load(run).content
    made = {letter: content + letter.encode() for letter in "abcd"}

    def found(path: Path) -> str:
        if not path.exists():
            return "none"
        read = store.load(path).content
        return next((letter for letter, each in made.items() if each == read), DAMAGED)

    return Writer(lambda path, x, force: store.save(Serialized(made[x]), path, force=force), found)


def writers(run: Path) -> dict[str, Writer]:
    return {
        "file": Writer(lambda path, x, force: outputs.write(path, content(x), force=force),
                       file_found),
        "folder": Writer(put_folder, folder_found),
        "chunk": Writer(put_chunk, chunk_found),
        "cache": Writer(lambda path, x, _: kept.write(path, content(x)),
                        lambda path: which(kept.read(path))),
        "run": of_runs(run),
    }  # fmt: skip


def attempt(writer: Writer, path: Path, letter: str, force: bool) -> tuple[int, str]:
    try:
        writer.put(path, letter, force)
    except EffbayesError as error:
        return error.exit_code, str(error)
    return 0, ""


def child(work: Callable[[], int]) -> int:
    """Work in a fork: its exit code, or the number of the signal that ended it, below zero."""
    number = os.fork()
    if number == 0:
        try:
            os._exit(work())
        finally:
            os._exit(99)
    return os.waitstatus_to_exitcode(os.waitpid(number, 0)[1])


def killed_at(step: int, folder: Path, work: Callable[[], None]) -> Callable[[], int]:
    """Work that ends with SIGKILL just before its step of that number."""
    seen = 0

    def count() -> None:
        nonlocal seen
        seen += 1
        if seen == step:
            os.kill(os.getpid(), signal.SIGKILL)

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event in EVENTS and str(folder) in str(arguments):
            count()

    def ended() -> int:
        sync = os.fsync

        def fsync(number: int) -> None:
            count()
            sync(number)

        os.fsync = fsync
        sys.addaudithook(hook)
        work()
        return 0

    return ended


def kill(writer: Writer, folder: Path, *, force: bool) -> dict[str, object]:
    """Killed before each step in turn, with a file there if it is to be replaced."""
    found, after, left = [], [], 0
    for step in range(1, AT_MOST):
        place = folder / f"{force}-{step}"
        place.mkdir()
        path = place / "final"
        if force:
            writer.put(path, "a", False)
        ended = child(killed_at(step, place, lambda path=path: writer.put(path, "b", force)))
        found.append(writer.found(path))
        if ended == 0:
            break
        assert ended == -signal.SIGKILL, ended
        left += any(each.name != "final" for each in place.iterdir())
        # What was left disturbs no later run, which here must write over what may be there.
        after.append((child(lambda path=path: attempt(writer, path, "c", True)[0]),
                      writer.found(path)))  # fmt: skip
    return {"found": found, "after": after, "left": left}


def together(writer: Writer, folder: Path, *, force: bool) -> list[dict[str, object]]:
    """Four at once, time and again."""
    rounds = []
    for number in range(ROUNDS):
        path = folder / str(number) / "final"
        path.parent.mkdir()
        if force:
            writer.put(path, "a", False)
        begin, go = os.pipe()
        processes = {}
        for letter in "abcd":
            process = os.fork()
            if process == 0:
                os.close(go)
                os.read(begin, 1)  # until the other end is closed
                code, said = attempt(writer, path, letter, force)
                known = code == 0 or "exists" in said
                os._exit(code if known else 98)
            processes[letter] = process
        os.close(begin)
        os.close(go)
        codes = {
            letter: os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
            for letter, process in processes.items()
        }
        names = sorted(each.name for each in path.parent.iterdir())
        rounds.append({"codes": codes, "found": writer.found(path), "names": names})
    return rounds


def without_links() -> None:
    """As on a file system that gives a file one name alone."""

    def link(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    os.link = link


def limited(writer: Writer, folder: Path, room: int) -> dict[str, object]:
    """No file may be longer than some bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
    code, said = attempt(writer, folder / "final", "a", False)
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    return after(writer, folder, code, said)


def after(writer: Writer, folder: Path, code: int, said: str) -> dict[str, object]:
    """What is there where it failed."""
    found = writer.found(folder / "final")
    return {"code": code, "said": said, "found": found, "names": os.listdir(folder)}


def mounted(folder: Path, room: int, how: str = "rw") -> None:
    options = f"size={max(room, PAGE)},nr_inodes=20,{how}"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=True)


def full(writer: Writer, folder: Path, room: int) -> dict[str, object]:
    """A disk of its own, of so many bytes."""
    mounted(folder, room)
    code, said = attempt(writer, folder / "final", "a", False)
    return after(writer, folder, code, said)


def read_only(writer: Writer, folder: Path, _: int) -> dict[str, object]:
    """A disk that cannot be written to."""
    mounted(folder, SIZE, "ro")
    code, said = attempt(writer, folder / "final", "a", False)
    return after(writer, folder, code, said)


def main(what: str, run: Path, folder: Path) -> dict[str, object]:
    told: dict[str, object] = {}
    for name, writer in writers(run).items():
        inside = folder / name
        inside.mkdir()
        if what == "kill":
            told[name] = {
                "anew": kill(writer, inside, force=False),
                "forced": kill(writer, inside, force=True),
            }
        elif what in {"together", "without-links"}:
            if what == "without-links":
                without_links()
            told[name] = {}
            for how in ("anew", "forced"):
                (inside / how).mkdir()
                told[name][how] = together(writer, inside / how, force=how == "forced")
        else:
            act = {"full": full, "limited": limited, "read-only": read_only}[what]
            told[name] = []
            for room in (0, PAGE, SIZE // 2):
                place = inside / str(room)
                place.mkdir()
                told[name].append(act(writer, place, room))
    shutil.rmtree(folder, ignore_errors=True)
    return told


if __name__ == "__main__":
    json.dump(main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])), sys.stdout)
