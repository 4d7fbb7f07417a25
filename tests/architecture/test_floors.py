"""ARCHITECTURE.md, the import contracts and the code say the same."""

import re
import tomllib

import pytest

CODE = re.compile(r"`([^`]+)`")


@pytest.fixture(scope="module")
def contracts(root):
    settings = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    return {one["id"]: one for one in settings["tool"]["importlinter"]["contracts"]}


def test_the_floors_of_the_page_are_those_of_the_contract(tables, contracts):
    on_the_page = [set(CODE.findall(cells[1])) for cells in tables["Floor"][1:]]
    in_the_contract = [set(layer.split(" | ")) for layer in contracts["floors"]["layers"]]
    assert on_the_page == in_the_contract


def test_the_floors_are_numbered_downwards(tables):
    numbers = [int(cells[0]) for cells in tables["Floor"][1:]]
    assert numbers == list(range(len(numbers) - 1, -1, -1))


def test_every_module_has_a_floor(tables, modules):
    on_the_page = {name for cells in tables["Floor"][1:] for name in CODE.findall(cells[1])}
    ways_in = {"__init__", "__main__"}
    assert on_the_page == {name.split(".")[0] for name in modules} - ways_in


@pytest.mark.parametrize("package", ["inference", "models", "replicates"])
def test_every_module_of_the_rooms_where_numbers_are_made_is_named(tables, modules, package):
    named = {name for cells in tables["Floor"][1:] for name in CODE.findall(cells[2])}
    inside = {name.split(".")[1] for name in modules if name.startswith(f"{package}.")}
    # Programs are named with their models, in one phrase.
    assert {name for name in inside if not name.endswith("_program")} - {"__init__"} <= named


@pytest.mark.parametrize(
    ("contract", "permission"),
    [
        ("jax", "import JAX or NumPyro"),
        ("cluster", "import Dask"),
        ("terminal", "import Typer or Rich"),
        ("plots", "import a plotting library"),
        ("templates", "fill in templates"),
        ("typesetting", "import Typst"),
    ],
)
def test_who_may_import_what_is_the_same_on_the_page(tables, contracts, contract, permission):
    permitted = {cells[0]: set(CODE.findall(cells[1])) for cells in tables["May ..."][1:]}
    importers = contracts[contract]["allowed_importers"]
    assert permitted[permission] == {name.removeprefix("effbayes.") for name in importers}
