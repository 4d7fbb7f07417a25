"""Runs a job of many independent lanes, chunk by chunk: on threads, on a cluster, or on again.

It knows nothing of posteriors. A job cuts itself into parts; a part is a value that can be sent to
another process, and its results are arrays whose first dim is its lanes. Lanes are independent, so
that a lost worker costs the chunk that it was at, and a run that was stopped costs the chunks that
it had not finished.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import closing
from typing import Protocol

import numpy as np

from effbayes.replicates.folder import Folder

Results = Mapping[str, np.ndarray]
"""Arrays with the dims (lane, ...)."""

Progress = Callable[[int, int], None]
"""Called with lanes done and lanes in all, after every chunk."""


class Part(Protocol):
    """A range of lanes; picklable."""

    def run(self) -> Results:
        """Compute them, on the process that this is called on."""


class Job(Protocol):
    """Lanes to compute."""

    @property
    def lanes(self) -> int:
        """How many there are."""

    @property
    def digest(self) -> str:
        """Of everything that decides the results: two jobs with one digest have the same."""

    def part(self, first: int, last: int) -> Part:
        """Lanes from `first` to before `last`."""


class Cluster(Protocol):
    """Where parts run if not here; `effbayes.replicates.cluster.Dask` is one."""

    def results(self, parts: Iterable[tuple[int, Part]]) -> Generator[tuple[int, Results]]:
        """Results of all parts, each once, in the order in which they end.

        Parts come with the lane that they begin at. They are made as they are asked for.
        """


def run(
    job: Job,
    *,
    chunk: int,
    grain: int | None = None,
    threads: int = 1,
    folder: Folder | None = None,
    cluster: Cluster | None = None,
    progress: Progress | None = None,
) -> dict[str, np.ndarray]:
    """Compute every lane of a job.

    Parameters
    ----------
    job
        What to compute.
    chunk
        Lanes to a part. It changes no result; a job that goes on keeps the one it began with.
    grain
        Where the job is too small for every thread to have a part of that many lanes, parts have
        fewer: a multiple of this. None cuts no smaller parts.
    threads
        Parts that run at once in this process.
    folder
        Where finished chunks are kept, and found again.
    cluster
        Where parts run; None is this process.
    progress
        Called after every chunk.

    Returns
    -------
    dict
        Arrays with dims (lane, ...), in the order of the lanes.
    """
    if min(job.lanes, chunk, grain or 1, threads) < 1:
        raise ValueError("a job has one lane at least, and so have a chunk lanes and a run threads")
    if grain is not None and cluster is None:
        chunk = min(chunk, grain * -(-job.lanes // (grain * threads)))
    kept = None if folder is None else folder.open(job.digest, job.lanes, chunk)
    if kept is not None:
        chunk = kept.chunk
    starts = range(0, job.lanes, chunk)
    found: dict[int, Results] = {}
    if kept is not None:
        found = {first: old for first in starts if (old := kept.read(first)) is not None}
    done = sum(map(_lanes, found.values()))
    if progress is not None and done:
        progress(done, job.lanes)
    missing = [first for first in starts if first not in found]
    parts = ((first, job.part(first, min(first + chunk, job.lanes))) for first in missing)
    # Closed, however this ends: nothing is begun for a run that is over.
    with closing(_here(parts, threads) if cluster is None else cluster.results(parts)) as ended:
        for first, results in ended:
            found[first] = results
            if kept is not None:
                kept.write(first, results)
            done += _lanes(results)
            if progress is not None:
                progress(done, job.lanes)
    names = found[0].keys()
    return {name: np.concatenate([found[first][name] for first in starts]) for name in names}


def _lanes(results: Results) -> int:
    return len(next(iter(results.values())))


def _here(parts: Iterable[tuple[int, Part]], threads: int) -> Generator[tuple[int, Results]]:
    """On threads of this process; an interrupt waits for what runs and begins nothing more."""
    waiting = iter(parts)
    with ThreadPoolExecutor(threads) as pool:
        running: dict[Future[Results], int] = {}
        while True:
            for first, part in waiting:
                running[pool.submit(part.run)] = first
                if len(running) >= threads:
                    break
            if not running:
                return
            ended, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in ended:
                yield running.pop(future), future.result()
