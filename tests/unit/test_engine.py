"""What runs a job: its results follow from the job alone, and a kept chunk is what was written."""

import io
import pickle

import numpy as np
import pytest
from toy_jobs import Toy, assert_same

import effbayes as eb
from effbayes.replicates import engine
from effbayes.replicates.folder import Folder

JOB = Toy(103)


@pytest.fixture
def kept(tmp_path):
    """A folder with a finished job, in chunks of ten."""
    engine.run(JOB, chunk=10, folder=Folder(tmp_path / "kept"))
    return tmp_path / "kept"


class Cut:
    """A toy job that notes its parts."""

    def __init__(self, lanes):
        self.toy, self.parts = Toy(lanes), []
        self.lanes, self.digest = self.toy.lanes, self.toy.digest

    def part(self, first, last):
        self.parts.append((first, last))
        return self.toy.part(first, last)


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("chunk", [1, 10, 50, 103, 1000])
@pytest.mark.parametrize("threads", [1, 3])
def test_results_do_not_depend_on_chunk_or_threads(chunk, threads):
    whole = JOB.part(0, 103).run()
    told = []
    found = engine.run(
        JOB, chunk=chunk, threads=threads, progress=lambda done, of: told.append((done, of))
    )
    assert_same(found, whole)
    assert [of for _, of in told] == [103] * len(range(0, 103, chunk))
    assert told[-1][0] == 103
    assert sorted(told) == told


@pytest.mark.parametrize(
    ("threads", "grain", "parts"),
    [
        *((1, 10, [103]), (2, 10, [60, 43]), (3, 10, [40, 40, 23]), (64, 10, [10] * 10 + [3])),
        *((2, 64, [64, 39]), (2, 200, [103]), (64, None, [103])),
    ],
)
def test_a_small_job_is_cut_so_that_every_thread_has_a_part(threads, grain, parts):
    cut = Cut(103)
    found = engine.run(cut, chunk=200, grain=grain, threads=threads)
    assert_same(found, JOB.part(0, 103).run())
    assert [last - first for first, last in sorted(cut.parts)] == parts


def test_parts_for_a_cluster_are_not_cut_by_the_threads_of_this_process():
    class Elsewhere:
        def results(self, parts):
            yield from ((first, part.run()) for first, part in parts)

    cut = Cut(103)
    engine.run(cut, chunk=50, grain=10, threads=8, cluster=Elsewhere())
    assert [last - first for first, last in cut.parts] == [50, 50, 3]


@pytest.mark.parametrize("numbers", [(0, 1, 1), (5, 0, 1), (5, 1, 0)])
def test_nothing_to_run_is_refused(numbers):
    lanes, chunk, threads = numbers
    with pytest.raises(ValueError, match="at least"):
        engine.run(Toy(lanes), chunk=chunk, threads=threads)


def test_an_error_of_a_part_is_raised_and_finished_chunks_stay(tmp_path):
    bad = Toy(100, bad=(57, "caller"))
    with pytest.raises(eb.DataError, match="cannot be used"):
        engine.run(bad, chunk=10, folder=Folder(tmp_path / "kept"))
    assert len(list((tmp_path / "kept").glob("*.chunk"))) == 5


def test_a_finished_job_is_read_and_nothing_computed(kept, tmp_path):
    before = content(kept)
    marks = tmp_path / "marks"
    marks.mkdir()
    told = []
    found = engine.run(
        Toy(103, marks=marks),
        chunk=10,
        folder=Folder(kept),
        progress=lambda done, of: told.append((done, of)),
    )
    assert_same(found, engine.run(JOB, chunk=103))
    assert list(marks.iterdir()) == []
    assert told == [(103, 103)]
    assert content(kept) == before


def test_a_job_goes_on_in_the_chunks_that_it_was_begun_with(kept):
    (kept / "lanes-000000000050.chunk").unlink()
    before = content(kept)
    assert_same(engine.run(JOB, chunk=37, folder=Folder(kept)), engine.run(JOB, chunk=103))
    after = content(kept)
    assert after.pop("lanes-000000000050.chunk")
    assert after == before


def test_another_job_is_refused_and_its_folder_left_alone(kept):
    before = content(kept)
    with pytest.raises(eb.RunFileError, match="holds another job .* give another folder") as caught:
        engine.run(Toy(104), chunk=10, folder=Folder(kept))
    assert caught.value.exit_code == 4
    assert content(kept) == before


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"schema": 1}', '{"chunk": null}', '{"chunk": "x"}', "\xff"]
)
def test_a_damaged_description_is_refused(kept, text):
    (kept / "job.json").write_text(text, encoding="latin-1")
    with pytest.raises(eb.RunFileError, match="is damaged|holds another job"):
        engine.run(JOB, chunk=10, folder=Folder(kept))


def test_a_folder_of_other_things_is_refused(tmp_path):
    (tmp_path / "letters.txt").write_text("dear", encoding="utf-8")
    with pytest.raises(eb.RunFileError, match="holds other files"):
        engine.run(JOB, chunk=10, folder=Folder(tmp_path))
    with pytest.raises(eb.RunFileError, match="cannot be used"):
        engine.run(JOB, chunk=10, folder=Folder(tmp_path / "letters.txt"))


def resealed(folder, first, body):
    """A chunk as this package would have sealed it: what a sly hand could write."""
    chunks = Folder(folder).open(JOB.digest, JOB.lanes, 10)
    return chunks._seal(first, body) + body


def of_objects():
    body = io.BytesIO()
    np.savez(body, whole=np.array([Trap()], dtype=object), allow_pickle=True)
    return body.getvalue()


class Trap:
    """Says that it was loaded."""

    sprung = False

    def __reduce__(self):
        return (setattr, (Trap, "sprung", True))


@pytest.mark.parametrize(
    "change",
    [
        lambda *_: b"",
        lambda _, sealed: sealed[:20],
        lambda _, sealed: sealed[:-1],
        lambda _, sealed: sealed + b"\0",
        lambda _, sealed: sealed[:-100] + b"\1" + sealed[-99:],
        lambda _, sealed: b"\1" * 32 + sealed[32:],
        lambda folder, _: (folder / "lanes-000000000040.chunk").read_bytes(),
        lambda folder, _: resealed(folder, 50, of_objects()),
        lambda folder, _: resealed(folder, 50, pickle.dumps(Trap())),
        lambda folder, _: resealed(folder, 50, b"PK\3\4 no archive"),
    ],
    ids="empty short cut longer changed seal neighbour objects pickle no-archive".split(),
)
def test_a_chunk_that_was_changed_is_computed_anew(kept, change):
    path = kept / "lanes-000000000050.chunk"
    sealed = path.read_bytes()
    path.write_bytes(change(kept, sealed))
    told = []
    found = engine.run(
        JOB, chunk=10, folder=Folder(kept), progress=lambda done, _: told.append(done)
    )
    assert_same(found, engine.run(JOB, chunk=103))
    assert told == [93, 103]
    assert path.read_bytes() == sealed
    assert not Trap.sprung


def test_the_trap_of_these_tests_works():
    pickle.loads(pickle.dumps(Trap()))  # noqa: S301 - it is what is tested
    assert Trap.sprung
    Trap.sprung = False


def test_a_chunk_of_another_job_is_computed_anew(kept, tmp_path):
    engine.run(Toy(103, bad=(200, "bug")), chunk=10, folder=Folder(tmp_path / "other"))
    foreign = (tmp_path / "other" / "lanes-000000000050.chunk").read_bytes()
    (kept / "lanes-000000000050.chunk").write_bytes(foreign)
    told = []
    engine.run(JOB, chunk=10, folder=Folder(kept), progress=lambda done, _: told.append(done))
    assert told[0] == 93
