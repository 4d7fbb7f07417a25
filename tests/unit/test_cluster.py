"""Parts on the workers of real Dask clusters: processes of their own, killed while they compute."""

import logging
import os
import random
import signal
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import dask
import distributed
import numpy as np
import pytest
from toy_jobs import Toy, assert_same

import effbayes as eb
from effbayes import provenance
from effbayes.replicates import cluster, engine, posteriors
from effbayes.replicates.cluster import Dask, connect
from effbayes.replicates.folder import Folder
from tests.unit.conftest import make_series

SEED = 20260
WITHIN = 60.0
"""Seconds in which a run whose scheduler is gone must end."""


@pytest.fixture(scope="module", autouse=True)
def _quiet():
    """Dask reports each death that is caused here."""
    logging.getLogger("distributed").setLevel(logging.CRITICAL)


def two_workers():
    return distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address="127.0.0.1:0"
    )


@pytest.fixture(scope="module")
def workers():
    with two_workers() as local:
        yield local


@pytest.fixture
def mortal():
    """Workers that may be killed; a part at which one died is given up by Dask at once."""
    with dask.config.set({"distributed.scheduler.allowed-failures": 0}), two_workers() as local:
        yield local


@pytest.fixture
def client(workers):
    with connect(workers.scheduler_address) as made:
        made.wait_for_workers(1, timeout=60)
        yield made


@pytest.fixture
def scheduler():
    """Processes of a scheduler and, once asked for, a worker, started as a user would."""
    started = []

    def start(*arguments):
        command = [sys.executable, "-m", "dask", *arguments]
        path = os.pathsep.join(each for each in sys.path if each)
        environment = {**os.environ, "PYTHONPATH": path}
        process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
        started.append(process)
        return process

    process = start("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
    for line in process.stderr:
        if "Scheduler at:" in line:
            address = line.split()[-1]
            break
    drain = threading.Thread(target=process.stderr.read)
    drain.start()

    def worker(*options):
        one = start("worker", address, "--no-nanny", "--no-dashboard", *options)
        threading.Thread(target=one.stderr.read, daemon=True).start()

    yield SimpleNamespace(pid=process.pid, address=address, worker=worker)
    for one in started:
        one.kill()
        one.wait()
    drain.join()
    for one in started:
        one.stderr.close()


def test_the_same_as_here_bit_for_bit_and_each_once(client):
    job = Toy(500)
    seen = []

    class Counted(Dask):
        def results(self, parts):
            for first, results in super().results(parts):
                seen.append(first)
                yield first, results

    told = []
    found = engine.run(
        job, chunk=9, cluster=Counted(client), progress=lambda done, of: told.append((done, of))
    )
    assert_same(found, engine.run(job, chunk=100, threads=2))
    assert sorted(seen) == list(range(0, 500, 9))
    assert told[-1] == (500, 500)


def test_few_parts_are_made_ahead(client):
    made = []

    def parts():
        for first in range(200):
            made.append(first)
            yield first, Toy(200).part(first, first + 1)

    ahead = []
    for done, _ in enumerate(Dask(client).results(parts())):
        ahead.append(len(made) - done)
    assert len(made) == 200
    assert max(ahead) <= cluster.AHEAD * 2


def test_a_run_that_is_left_leaves_nothing_on_the_cluster(client):
    results = Dask(client).results(enumerate(Toy(50, 0.05).part(i, i + 1) for i in range(50)))
    next(results)
    results.close()
    until = time.monotonic() + 20
    while client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.tasks)):
        assert time.monotonic() < until
        time.sleep(0.1)


def test_an_error_of_the_caller_is_raised_here(client):
    with pytest.raises(eb.DataError, match="a lane that cannot be used") as caught:
        engine.run(Toy(40, bad=(25, "caller")), chunk=5, cluster=Dask(client))
    assert "on the worker tcp://" in caught.value.__notes__[0]


def test_a_fault_is_tried_again_and_then_raised(client, tmp_path):
    found = engine.run(Toy(40, marks=tmp_path, bad=(25, "once")), chunk=5, cluster=Dask(client))
    assert len(found["whole"]) == 40
    assert len(list(tmp_path.glob("25-*"))) == 2
    with pytest.raises(ZeroDivisionError, match="a fault"):
        engine.run(Toy(40, bad=(25, "bug")), chunk=5, cluster=Dask(client))


def test_other_versions_are_refused(client, monkeypatch):
    other = {**provenance.versions(), "numpyro": "0.0.1"}
    monkeypatch.setattr(provenance, "versions", lambda: other)
    with pytest.raises(
        eb.ClusterError, match=r"worker tcp://\S+ has other versions: numpyro .*, not 0"
    ):
        engine.run(Toy(4), chunk=2, cluster=Dask(client))


def test_an_asynchronous_client_is_refused():
    with pytest.raises(eb.UsageError, match="asynchronous"):
        next(Dask(SimpleNamespace(asynchronous=True)).results([]))


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("\nError during deserialization of the task graph. This"),
        ModuleNotFoundError("No module", name="effbayes.replicates"),
    ],
)
def test_a_cluster_without_this_package_is_explained(error):
    explained = cluster._explained(error)
    assert isinstance(explained, eb.ClusterError)
    assert "every worker need effbayes" in str(explained)


@pytest.mark.parametrize("status", ["finished", "error"])
def test_results_that_do_not_arrive_are_not_waited_for_without_end(status):
    def late(timeout):
        raise TimeoutError

    future = SimpleNamespace(status=status, result=late, exception=late)
    there, task = Dask(None), cluster._Task(40, None)
    for _ in range(cluster.LOSSES - 1):
        assert there._taken(future, task) is None
    with pytest.raises(eb.ClusterError, match="lanes 40 and on did not arrive, 3 times"):
        there._taken(future, task)


def test_an_error_of_the_system_on_a_worker_is_no_loss():
    def failed(timeout):
        return OSError("disk full")

    future = SimpleNamespace(status="error", exception=failed)
    with pytest.raises(OSError, match="disk full"):
        Dask(None)._taken(future, cluster._Task(0, None))


@pytest.mark.slow
def test_posteriors_of_many_series_are_the_same_bit_for_bit(client, tmp_path, monkeypatch):
    monkeypatch.setattr(posteriors, "CHUNK", 35)
    rng = np.random.default_rng(SEED)
    dates = np.datetime64("2015-01-01") + np.arange(7) * 200
    series = [
        make_series(dates, 2.0 ** (10 - np.arange(7) + rng.normal(0, 0.5, 7))) for _ in range(70)
    ]
    here = eb.sample_many(series, seed=3)
    there = eb.sample_many(series, seed=3, client=client, folder=tmp_path / "kept")
    again = eb.sample_many(series, seed=3, folder=tmp_path / "kept")
    for other in (there, again):
        for name in ("mean", "sd", "quantile", "k_hat", "ess", "ok"):
            assert getattr(here, name).tobytes() == getattr(other, name).tobytes()
        assert here.method == other.method


def test_workers_that_die_cost_their_chunks_and_nothing_else(mortal, monkeypatch, tmp_path):
    monkeypatch.setattr(cluster, "KILLS", 10)
    job = Toy(120, 0.1, marks=tmp_path)
    moments = random.Random(SEED)  # noqa: S311 - no secret
    killed = []
    over = threading.Event()

    def kill():
        while not over.wait(moments.uniform(0.5, 2.0)) and len(killed) < 4:
            # Those that are up: one that dies while it is started is not replaced by Dask.
            up = [
                nanny.pid
                for nanny in mortal.workers.values()
                if nanny.worker_address in mortal.scheduler.workers
            ]
            if len(up) == 2:
                killed.append(moments.choice(up))
                os.kill(killed[-1], signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    firsts = []
    try:
        parts = [(first, job.part(first, first + 2)) for first in range(0, 120, 2)]
        with connect(mortal.scheduler_address) as client:
            for first, results in Dask(client).results(parts):
                firsts.append(first)
                assert_same(results, Toy(120).part(first, first + 2).run())
    finally:
        over.set()
        killer.join()
    assert killed
    assert sorted(firsts) == list(range(0, 120, 2))
    # A death costs what was at the worker and not yet fetched from it, no more.
    again = len(list(tmp_path.iterdir())) - 60
    assert again <= len(killed) * 2 * cluster.AHEAD


def test_a_part_that_kills_its_workers_ends_the_run(mortal):
    with (
        connect(mortal.scheduler_address) as client,
        pytest.raises(eb.ClusterError, match="died again and again at lanes 20 and on"),
    ):
        engine.run(Toy(40, 0.05, bad=(25, "kills")), chunk=10, cluster=Dask(client))


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_a_scheduler_that_is_gone_ends_the_run(scheduler, tmp_path, how):
    job = Toy(100, 0.05)
    scheduler.worker("--nthreads", "1")
    gone = []

    def progress(done, of):
        if done >= 20 and not gone:
            os.kill(scheduler.pid, how)
            gone.append(time.monotonic())

    with (
        connect(scheduler.address) as client,
        pytest.raises(eb.ClusterError, match=f"{scheduler.address} is gone"),
    ):
        engine.run(
            job,
            chunk=5,
            folder=Folder(tmp_path / "kept"),
            cluster=Dask(client, patience=2.0),
            progress=progress,
        )
    assert time.monotonic() - gone[0] < WITHIN
    assert len(list((tmp_path / "kept").glob("*.chunk"))) >= 4
    told = []
    found = engine.run(
        job, chunk=5, folder=Folder(tmp_path / "kept"), progress=lambda done, _: told.append(done)
    )
    assert told[0] >= 20
    assert_same(found, engine.run(job, chunk=100))


def test_a_scheduler_without_workers_and_a_worker_of_many_threads(scheduler):
    with connect(scheduler.address) as client:
        with pytest.raises(eb.ClusterError, match="no worker for 1 s"):
            engine.run(Toy(3), chunk=1, cluster=Dask(client, idle=1.0))
        scheduler.worker("--nthreads", "2")
        client.wait_for_workers(1, timeout=60)
        with pytest.warns(UserWarning, match="has 2 threads and uses one"):
            engine.run(Toy(3), chunk=1, cluster=Dask(client))


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "127.0.0.1:9"])
def test_nothing_at_an_address(address):
    with pytest.raises(eb.ClusterError, match="no Dask scheduler answers at") as caught:
        connect(address, timeout=1.0)
    assert caught.value.exit_code == 6


@pytest.mark.parametrize("address", ["nonsense://x", ""])
def test_no_address(address):
    with pytest.raises(eb.UsageError, match="is not the address of a scheduler"):
        connect(address, timeout=1.0)


def test_dask_may_be_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(eb.UsageError, match=r"install effbayes\[cluster\]"):
        connect("tcp://127.0.0.1:9")
