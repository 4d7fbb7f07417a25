"""The public names are a promise: adding or dropping one shows in a diff of `public_names.txt`."""

import inspect
from pathlib import Path

import pytest

import effbayes

PROMISED = (Path(__file__).parent / "public_names.txt").read_text(encoding="utf-8").split()


def test_the_public_names_are_those_promised():
    assert sorted(effbayes.__all__) == PROMISED


@pytest.mark.parametrize("name", PROMISED)
def test_a_public_name_is_there_and_listed(name):
    assert getattr(effbayes, name) is not None
    assert name in dir(effbayes)


@pytest.mark.parametrize("name", [name for name in PROMISED if not name.startswith("__")])
def test_a_public_class_or_function_is_documented(name):
    thing = getattr(effbayes, name)
    if inspect.isclass(thing) or callable(thing):
        assert inspect.getdoc(thing)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no_such_name"):
        effbayes.no_such_name  # noqa: B018
