"""Runs a job of many independent lanes, chunk by chunk: on threads, on a cluster, or on again.

It knows nothing of posteriors. A job cuts itself into parts; a part is a value that can be sent to
another process, and its results are arrays whose first dim is its lanes. Lanes are independent, so
that a lost worker costs the chunk that it was at, and a run that was stopped costs the chunks that
it had not finished.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
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

    def results(self, parts: Mapping[int, Part]) -> Iterator[tuple[int, Results]]:
        """Results of all parts, in the order in which they end."""


def run(
    job: Job,
    *,
    chunk: int,
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
        Lanes to a part. It changes no result.
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
    starts = range(0, job.lanes, chunk)
    found: dict[int, Results] = {}
    if folder is not None:
        folder.open(job.digest, job.lanes, chunk)
        found = {first: kept for first in starts if (kept := folder.read(first)) is not None}
    missing = {
        first: job.part(first, min(first + chunk, job.lanes))
        for first in starts
        if first not in found
    }
    done = sum(len(next(iter(each.values()))) for each in found.values())
    if progress is not None and done:
        progress(done, job.lanes)
    ended = _here(missing, threads) if cluster is None else cluster.results(missing)
    for first, results in ended:
        found[first] = results
        if folder is not None:
            folder.write(first, results)
        done += len(next(iter(results.values())))
        if progress is not None:
            progress(done, job.lanes)
    names = found[0].keys()
    return {name: np.concatenate([found[first][name] for first in starts]) for name in names}


def _here(parts: Mapping[int, Part], threads: int) -> Iterator[tuple[int, Results]]:
    """On threads of this process; an interrupt ends what runs and begins nothing more."""
    waiting = iter(parts.items())
    with ThreadPoolExecutor(threads) as pool:
        running: dict[Future[Results], int] = {}
        try:
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
        finally:
            for future in running:
                future.cancel()
