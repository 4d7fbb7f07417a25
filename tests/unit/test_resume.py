"""Runs that are killed or interrupted go on where they were, to the same result bit for bit."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from toy_jobs import Toy, assert_same

from effbayes.replicates import engine
from effbayes.replicates.folder import Folder

SEED = 20261
"""Of the moments at which runs are killed."""

RUN = """
import sys
from pathlib import Path
from toy_jobs import Toy
from effbayes.replicates import engine
from effbayes.replicates.folder import Folder
folder = Path(sys.argv[1])
progress = lambda done, of: print(done, flush=True)
print("begins", flush=True)
try:
    engine.run(
        Toy(200, 0.01, marks=folder / "marks"),
        chunk=5,
        threads=2,
        folder=Folder(folder / "kept"),
        progress=progress,
    )
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


@pytest.fixture
def child(tmp_path):
    """Starts a run of 200 lanes in a process of its own, a fifth of a second long."""
    (tmp_path / "marks").mkdir()
    path = os.pathsep.join(each for each in sys.path if each)

    def start():
        process = subprocess.Popen(
            [sys.executable, "-c", RUN, tmp_path],
            env={**os.environ, "PYTHONPATH": path},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout.readline() == "begins\n"
        return process

    return start


def test_a_run_that_is_killed_goes_on_to_the_same_result(child, tmp_path):
    undisturbed = engine.run(Toy(200), chunk=200)
    moments = random.Random(SEED)  # noqa: S311 - no secret
    survived = []
    for _ in range(20):
        with child() as process:
            time.sleep(moments.uniform(0.0, 0.3))
            process.kill()
            told = process.stdout.read().split()
        kept = list((tmp_path / "kept").glob("*.chunk"))
        # What was told as done is on the disk.
        assert len(kept) * 5 >= int(told[-1] if told else 0)
        survived.append(len(kept))
        if len(kept) == 40:
            assert_same(
                engine.run(Toy(200), chunk=5, folder=Folder(tmp_path / "kept")), undisturbed
            )
            for path in kept[::2]:
                path.unlink()
    assert len(set(survived)) > 2
    assert_same(engine.run(Toy(200), chunk=5, folder=Folder(tmp_path / "kept")), undisturbed)


def test_an_interrupt_leaves_finished_chunks(child, tmp_path):
    with child() as process:
        assert process.stdout.readline() == "5\n"
        process.send_signal(signal.SIGINT)
        told = process.stdout.read().split()
    assert told[-1] == "interrupted"
    done = int(told[-2]) if len(told) > 1 else 5
    assert done < 200
    begun = len(list((tmp_path / "marks").iterdir()))
    kept = len(list((tmp_path / "kept").glob("*.chunk")))
    assert kept * 5 >= done
    assert begun <= kept + 2
    again = engine.run(Toy(200), chunk=5, folder=Folder(tmp_path / "kept"))
    assert_same(again, engine.run(Toy(200), chunk=200))


POSTERIORS = """
import sys
import time
from pathlib import Path
import numpy as np
import effbayes as eb
from effbayes import runtime
from effbayes.replicates import posteriors
from tests.unit.conftest import make_series
runtime.keep_compiled(Path(sys.argv[1]))
posteriors.CHUNK, posteriors.WIDTHS_ON_A_CPU = 8, 1
rng = np.random.default_rng(1)
dates = np.datetime64("2015-01-01") + np.arange(6) * 200
series = [
    make_series(dates, 2.0 ** (10 - np.arange(6) + rng.normal(0, 0.5, 6))) for _ in range(40)
]
told = []
def progress(done, of):
    told.append(done)
    print(done, flush=True)
    if "killed" in sys.argv and done > 8:
        time.sleep(600)
found = eb.sample_many(series, seed=3, folder=sys.argv[2] or None, progress=progress)
columns = (found.mean, found.sd, found.quantile, found.k_hat, found.ess, found.ok)
print(b"".join(column.tobytes() for column in columns).hex(), found.method)
"""


@pytest.mark.slow
def test_posteriors_that_are_killed_go_on_to_the_same_result(tmp_path):
    def start(folder, *how):
        path = os.pathsep.join(
            [str(Path(__file__).parents[2]), *(each for each in sys.path if each)]
        )
        return subprocess.Popen(
            [sys.executable, "-c", POSTERIORS, tmp_path / "programs", folder, *how],
            env={**os.environ, "PYTHONPATH": path},
            stdout=subprocess.PIPE,
            text=True,
        )

    with start("") as undisturbed:
        *_, result = undisturbed.stdout
    with start(tmp_path / "kept", "killed") as process:
        while process.stdout.readline() != "16\n":
            assert process.poll() is None
        process.kill()
    kept = list((tmp_path / "kept").rglob("*.chunk"))
    assert 2 <= len(kept) < 5
    with start(tmp_path / "kept") as process:
        first, *_, again = process.stdout
    assert int(first) == 8 * len(kept)
    assert again == result
