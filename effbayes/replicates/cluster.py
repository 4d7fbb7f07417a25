"""Parts of a job on the workers of a Dask cluster: one machine, many, Slurm, Kubernetes.

Whatever starts the workers, all that is asked of them is the address of their scheduler. A worker
that dies costs the parts that it was at; a scheduler that is gone ends the run.
"""

from __future__ import annotations

import pickle
import threading
import time
import warnings
from collections.abc import Generator, Iterable, Iterator, Mapping
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from effbayes import provenance
from effbayes.errors import ClusterError, EffbayesError, UsageError
from effbayes.replicates.engine import Part, Results

if TYPE_CHECKING:
    from distributed import Client, Future

AHEAD = 3
"""Parts with the scheduler for each worker: the next is there when one ends, and a million lanes do
not flood it."""

RETRIES = 2
"""Of a part that raises what is no fault of the caller, such as a device that was lost."""

KILLS = 2
"""Times that Dask may give a part up because workers died at it, each after the deaths that its
scheduler allows (`distributed.scheduler.allowed-failures`, 3)."""

LOSSES = 3
"""Times that the results of a part may fail to arrive, before the run is given up."""

PULSE = 1.0
"""Seconds between two looks at the cluster."""


def connect(address: str, timeout: float = 10.0) -> Client:
    """A client of the scheduler at an address.

    Parameters
    ----------
    address
        Such as ``tcp://host:8786``.
    timeout
        Seconds to wait for its answer, now and where the connection is lost later.

    Raises
    ------
    UsageError
        That is no address, or Dask is not installed.
    ClusterError
        No scheduler answers there.
    """
    try:
        import distributed  # noqa: PLC0415 - an optional dependency
    except ModuleNotFoundError as error:
        raise UsageError("a cluster needs Dask: install effbayes[cluster]") from error
    try:
        return distributed.Client(address, timeout=timeout, set_as_default=False)
    except OSError as error:
        raise ClusterError(f"no Dask scheduler answers at {address}: {error}") from error
    except (ValueError, TypeError) as error:
        raise UsageError(
            f"{address!r} is not the address of a scheduler, such as tcp://host:8786"
        ) from error


@dataclass(frozen=True)
class Dask:
    """A cluster of `effbayes.replicates.engine`.

    A worker runs one part at a time, whatever its number of threads: its process owns a device.
    Start workers with ``--nthreads 1``, one for each core or accelerator.

    Parameters
    ----------
    client
        Of the scheduler; an ordinary one, not asynchronous.
    patience
        Seconds without an answer of the scheduler after which it is given up; the run then ends
        within twice that.
    idle
        Seconds without any worker after which the run is given up.
    """

    client: Client
    patience: float = 30.0
    idle: float = 300.0

    def results(self, parts: Iterable[tuple[int, Part]]) -> Generator[tuple[int, Results]]:
        """Results of all parts, each once, in the order in which they end.

        Raises
        ------
        ClusterError
            The scheduler or all workers are gone, workers die at one part again and again, or a
            worker has other versions of the packages than this process.
        EffbayesError
            As a part raised it on a worker.
        """
        if self.client.asynchronous:
            raise UsageError("an asynchronous client cannot be waited for; give an ordinary one")
        watch = _Watch(self.client, self.patience, self.idle)
        fresh = (_Task(first, part) for first, part in parts)
        again: list[_Task] = []
        running: dict[Future[Any], _Task] = {}
        try:
            while True:
                # After a loss, nothing is sent before the scheduler has answered.
                room = AHEAD * max(watch.workers(anew=bool(again)), 1) - len(running)
                for task in _up_to(room, again, fresh):
                    running[self._submit(task)] = task
                if not running:
                    return
                self._wait(running)
                for future in [one for one in running if one.status not in ("pending", "lost")]:
                    task = running.pop(future)
                    results = self._taken(future, task)
                    if results is None:
                        again.append(task)
                    else:
                        yield task.first, results
        finally:
            # A future that nobody holds is dropped by the scheduler, and its task not begun.
            running.clear()

    def _submit(self, task: _Task) -> Future[Any]:
        # As bytes: versions are compared before anything of this package is read on the worker.
        packed = pickle.dumps(task.part)
        return self.client.submit(
            compute, packed, provenance.versions(), pure=False, retries=RETRIES
        )

    def _wait(self, running: Iterable[Future[Any]]) -> None:
        """Until a task ends, or for a while; what became of it is read from its future."""
        import distributed  # noqa: PLC0415 - an optional dependency

        with suppress(TimeoutError, CancelledError), self.client.as_current():
            distributed.wait(list(running), timeout=PULSE, return_when="FIRST_COMPLETED")

    def _taken(self, future: Future[Any], task: _Task) -> Results | None:
        """Results of a task that ended; None where it has to run once more."""
        from distributed import KilledWorker  # noqa: PLC0415 - an optional dependency

        error: BaseException | None = None
        try:
            if future.status == "error":
                error = future.exception(timeout=self.patience)
            else:
                found = future.result(timeout=self.patience / 2.0)
        except CancelledError:
            # All futures of a scheduler that was lost are; whether it comes back is watched.
            return None
        except OSError as lost:
            task.losses += 1
            if task.losses < LOSSES:
                return None
            raise ClusterError(
                f"results of lanes {task.first} and on did not arrive, {LOSSES} times, the last "
                f"after {self.patience / 2.0:g} s: is the network slow? Dask(client, patience=...) "
                "waits longer"
            ) from lost
        if isinstance(error, KilledWorker):
            task.kills += 1
            if task.kills < KILLS:
                return None
            raise ClusterError(
                f"workers died again and again at lanes {task.first} and on: is their memory "
                f"enough, and effbayes installed there? ({error})"
            )
        if error is not None:
            raise _explained(error)
        if isinstance(found, EffbayesError):
            raise found
        return dict(found)


_one_at_a_time = threading.Lock()


def compute(packed: bytes, versions: Mapping[str, str]) -> Results | EffbayesError:
    """Run a part on a worker.

    Returns
    -------
    dict or EffbayesError
        An error of the caller is returned, not raised: it would be no other at a second try.
    """
    from distributed import get_worker  # noqa: PLC0415 - an optional dependency

    here = provenance.versions()
    other = [
        f"{name} {here.get(name)}, not {wanted}"
        for name, wanted in versions.items()
        if here.get(name) != wanted
    ]
    if other:
        where = get_worker().address
        return ClusterError(f"the worker {where} has other versions: {'; '.join(other)}")
    with _one_at_a_time:
        try:
            part: Part = pickle.loads(packed)  # noqa: S301 - from the client, as is all that runs
            return dict(part.run())
        except EffbayesError as error:
            error.add_note(f"on the worker {get_worker().address}")
            return error


@dataclass(eq=False)
class _Task:
    first: int
    part: Part
    kills: int = 0
    losses: int = 0


def _up_to(room: int, again: list[_Task], fresh: Iterator[_Task]) -> Iterator[_Task]:
    """Tasks to send, those that have to run once more first."""
    while room > 0:
        task = again.pop() if again else next(fresh, None)
        if task is None:
            return
        yield task
        room -= 1


def _explained(error: BaseException) -> BaseException:
    """What a task ended with, in the words of this package where it is the cluster's fault."""
    unread = isinstance(error, RuntimeError) and "deserialization of the task graph" in str(error)
    missing = isinstance(error, ModuleNotFoundError) and str(error.name).startswith("effbayes")
    if unread or missing:
        return ClusterError(
            "the scheduler and every worker need effbayes, of the version that is here: "
            f"{str(error.__cause__ or error).strip()}"
        )
    return error


class _Watch:
    """Whether scheduler and workers are still there."""

    def __init__(self, client: Client, patience: float, idle: float) -> None:
        self.client, self.patience, self.idle = client, patience, idle
        self.address = "" if client.scheduler is None else str(client.scheduler.address)
        self.count = 0
        self.manned = time.monotonic()
        self.looked = -float("inf")
        self.warned = False

    def workers(self, *, anew: bool) -> int:
        """How many there are, as of now or of a moment ago.

        Raises
        ------
        ClusterError
            No answer, or no worker, for too long.
        """
        if not anew and time.monotonic() - self.looked < PULSE:
            return self.count
        threads = self._threads()
        now = self.looked = time.monotonic()
        self.count = len(threads)
        if threads:
            self.manned = now
        elif now - self.manned > self.idle:
            raise ClusterError(
                f"the Dask scheduler {self.address} has had no worker for {self.idle:g} s; start "
                f"some (dask worker {self.address} --nthreads 1), with effbayes installed, and run "
                "again"
            )
        many = [worker for worker, n in threads.items() if n > 1]
        if many and not self.warned:
            self.warned = True
            warnings.warn(
                f"the worker {many[0]} has {threads[many[0]]} threads and uses one: start workers "
                "with --nthreads 1, and as many as there are cores or accelerators",
                stacklevel=2,
            )
        return self.count

    def _threads(self) -> Mapping[str, int]:
        """Threads of each worker, once the scheduler answers."""
        until = time.monotonic() + self.patience
        while True:
            last: Exception | None = None
            scheduler = self.client.scheduler
            if scheduler is not None and self.client.status != "closed":
                try:
                    return dict(
                        self.client.sync(scheduler.ncores, callback_timeout=self.patience / 4.0)
                    )
                except (OSError, RuntimeError, CancelledError) as error:
                    last = error
            if self.client.status == "closed" or time.monotonic() > until:
                raise ClusterError(f"the Dask scheduler {self.address} is gone") from last
            time.sleep(min(PULSE, self.patience / 4.0))
