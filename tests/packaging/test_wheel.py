"""The wheel holds all that the program needs: in an empty environment it installs and samples.

Run with ``pytest -m wheel``. Dependencies are those of the lock file.
"""

import hashlib
import json
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import checkout
import pytest
from checkout import ROOT

pytestmark = pytest.mark.wheel

NOT_INHERITED = ("COV_", "COVERAGE", "JAX_", "PYTEST", "PYTHON", "VIRTUAL_ENV", "XLA_")


def environment(home: Path | None = None) -> dict[str, str]:
    """What a user's shell would hold, with caches in a folder of the test's own if given."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith(NOT_INHERITED)}
    # The lock file is checked elsewhere; here uv works outside the project.
    kept.pop("UV_LOCKED", None)
    return kept if home is None else {**kept, "HOME": str(home), "XDG_CACHE_HOME": str(home)}


def uv(*arguments: str | Path, cwd: Path = ROOT, **variables: str) -> None:
    # `uv run` names itself in UV; started otherwise, the test finds uv as the README does.
    program = [os.environ["UV"]] if "UV" in os.environ else ["sh", str(ROOT / "scripts" / "uv")]
    done = subprocess.run(
        [*program, *map(str, arguments)],
        cwd=cwd,
        env=environment() | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def dist(tmp_path_factory) -> Path:
    """Folder with the source distribution and the wheel that is built from it."""
    folder = tmp_path_factory.mktemp("dist")
    uv("build", "--out-dir", folder, ROOT)
    return folder


@pytest.fixture(scope="module")
def wheel(dist) -> Path:
    [built] = dist.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def outside(wheel, tmp_path_factory) -> Path:
    """An environment outside the checkout that holds the wheel and its dependencies only."""
    folder = tmp_path_factory.mktemp("outside")
    assert not folder.resolve().is_relative_to(ROOT)
    locked, python = folder / "locked.txt", folder / "venv" / "bin" / "python"
    uv(
        *("export", "--frozen", "--no-default-groups", "--no-emit-project", "--no-hashes"),
        *("--quiet", "--output-file", locked),
    )
    uv("venv", "--quiet", "--python", sys.executable, folder / "venv", cwd=folder)
    uv(
        *("pip", "install", "--quiet", "--python", python, "--constraint", locked, wheel),
        cwd=folder,
    )
    return folder


def run(outside: Path, program: str, *arguments: str) -> str:
    """Standard output of a program of the environment, started outside the checkout."""
    done = subprocess.run(
        [outside / "venv" / "bin" / program, *arguments],
        cwd=outside,
        env=environment(outside),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_holds_the_package_the_data_and_nothing_else(wheel):
    data = {f"effbayes/data/{path.name}" for path in (ROOT / "data").iterdir()}
    code = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "effbayes").rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {name for name in names if ".dist-info/" not in name} == data | code
    assert "effbayes/py.typed" in names
    assert [name for name in names if name.endswith(".dist-info/licenses/LICENSE")]


def test_the_source_distribution_holds_no_traces_of_work(dist):
    [source] = dist.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        parts = {part for name in archive.getnames() for part in Path(name).parts}
    assert {"effbayes", "data", "tests", "uv.lock", "LICENSE", "CITATION.cff"} <= parts
    hidden = {part for part in parts if part.startswith(".")}
    assert hidden <= {".gitignore", ".python-version"}
    assert not parts & {"__pycache__", "build", "dist", "htmlcov"}


PEOPLE = ((0o022, 1_000_000_000, "UTC"), (0o077, 1_700_000_000, "JST-9"))
"""Two builders: the permissions and times that their files have, and their time zone."""


def lay_down(files: dict[str, bytes], folder: Path, mask: int, seconds: int) -> None:
    for name, content in files.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        place.chmod((0o777 if os.access(ROOT / name, os.X_OK) else 0o666) & ~mask)
        os.utime(place, (seconds, seconds))


@pytest.fixture(scope="module")
def releases(tmp_path_factory) -> list[dict[str, str]]:
    """Digests by name of what each builds from the same files, in a folder of their own."""
    files = {str(path.relative_to(ROOT)): path.read_bytes() for path in checkout.files()}
    built = []
    for mask, seconds, zone in PEOPLE:
        at = tmp_path_factory.mktemp("builder")
        before = os.umask(mask)
        try:
            files = dict(reversed(files.items()))  # folders list their files in another order
            lay_down(files, at / f"checkout-{mask}", mask, seconds)
            variables = {"SOURCE_DATE_EPOCH": "1750000000", "TZ": zone}
            uv("build", "--out-dir", at / "dist", at / f"checkout-{mask}", **variables)
        finally:
            os.umask(before)
        built.append({path.name: digest(path) for path in (at / "dist").glob("effbayes-*")})
    return built


def test_a_second_build_is_the_same_to_the_byte(wheel, tmp_path):
    uv("build", "--wheel", "--out-dir", tmp_path, ROOT)
    assert digest(tmp_path / wheel.name) == digest(wheel)


def test_two_people_build_the_same_release_to_the_byte(releases):
    ours, theirs = releases
    assert {Path(name).suffix for name in ours} == {".gz", ".whl"}
    assert ours == theirs


def test_the_version_is_the_wheels(outside, wheel):
    version = wheel.name.split("-")[1]
    assert run(outside, "effbayes", "--version").split()[-1] == version


def test_the_package_and_its_data_are_not_the_checkouts(outside):
    where = "import importlib.resources as r; print(r.files('effbayes'))"
    installed = Path(run(outside, "python", "-c", where).strip())
    assert installed.is_relative_to(outside / "venv")
    theirs = {path.name: digest(path) for path in (installed / "data").iterdir()}
    ours = {path.name: digest(path) for path in (ROOT / "data").iterdir()}
    assert theirs == ours


def test_the_domains_are_listed(outside):
    listed = json.loads(run(outside, "effbayes", "domains", "--json"))
    assert "alexnet-training" in json.dumps(listed)


def test_the_main_job_is_done(outside):
    arguments = ["sample", "--domain", "imagenet", "--series", "alexnet-training", "--json"]
    summary = json.loads(run(outside, "effbayes", *arguments))
    assert summary["schema"] == "effbayes.summary/1"
    assert (summary["domain"], summary["series"]) == ("imagenet", "alexnet-training")
    assert (summary["n_obs"], summary["n_table"]) == (6, 16)
    assert summary["diagnostics"]["verdict"] == "ok"
    doubling_time = summary["doubling_time_months"]
    assert 15.0 < doubling_time["median"] < 17.0
    assert doubling_time["low"] < doubling_time["median"] < doubling_time["high"]
