"""What fuzzing found once stays mended."""

from pathlib import Path

import pytest

from tests.fuzzing.targets import PREPARE, TARGETS

CASES = sorted(Path(__file__).with_name("cases").glob("*/*"))


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_a_find_of_old(path):
    TARGETS[path.parent.name](path.read_bytes())


@pytest.mark.parametrize("name", TARGETS)
def test_every_target_takes_any_bytes(name):
    PREPARE[name]()
    TARGETS[name](b"")
    TARGETS[name](bytes(range(256)))


def test_a_target_tells_what_is_broken(monkeypatch):
    monkeypatch.setattr("tests.fuzzing.targets.read_table", lambda *_, **__: {})
    with pytest.raises(AssertionError):
        TARGETS["table"](b"")
