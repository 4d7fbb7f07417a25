"""What every file of the repository has in common."""

import re
import tomllib
from pathlib import Path

import checkout
import pytest
import yaml

import effbayes

LARGEST = 1_000_000
"""Bytes; a repository that is cloned to run two commands stays small."""

# Absolute paths of a person's or a machine's own.
LOCAL_PATH = re.compile(r"(?<![\w.~/:}])/(?:home|Users|root|mnt)/[\w.]|\b[A-Z]:\\\w")


@pytest.fixture(scope="module")
def files() -> list[Path]:
    return checkout.files()


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def test_no_file_names_a_place_on_somebodys_machine(root, files):
    here = Path(__file__).resolve()
    found = [
        f"{path.relative_to(root)}:{number}: {line.strip()[:80]}"
        for path in files
        if path != here
        for number, line in enumerate(text_of(path).splitlines(), start=1)
        if str(root) in line or str(Path.home()) + "/" in line or LOCAL_PATH.search(line)
    ]
    assert found == []


def test_no_file_is_large(root, files):
    sizes = {str(path.relative_to(root)): path.stat().st_size for path in files}
    sizes.pop("uv.lock")  # generated; it grows with the peers that benchmarks are held against
    assert {name: size for name, size in sizes.items() if size > LARGEST} == {}


def test_the_version_is_the_same_everywhere(root):
    project = tomllib.loads(text_of(root / "pyproject.toml"))["project"]
    locked = tomllib.loads(text_of(root / "uv.lock"))["package"]
    [in_lock] = [one["version"] for one in locked if one["name"] == "effbayes"]
    cited = re.search(r"^version: (\S+)$", text_of(root / "CITATION.cff"), re.MULTILINE)
    newest = re.search(r"^## \[([\d.]+)\]", text_of(root / "CHANGELOG.md"), re.MULTILINE)
    assert cited is not None
    assert newest is not None
    versions = {project["version"], in_lock, cited[1], newest[1], effbayes.__version__}
    assert versions == {project["version"]}


def test_the_license_is_the_same_everywhere(root):
    project = tomllib.loads(text_of(root / "pyproject.toml"))["project"]
    cited = re.search(r"^license: (\S+)$", text_of(root / "CITATION.cff"), re.MULTILINE)
    assert cited is not None
    assert cited[1] == project["license"] == "Apache-2.0"
    assert "Apache License" in text_of(root / "LICENSE")


def test_every_release_says_which_numbers_changed(root):
    releases = re.split(r"^## ", text_of(root / "CHANGELOG.md"), flags=re.MULTILINE)[1:]
    assert releases
    assert all("### Changed numbers" in release for release in releases)


def test_the_readme_shows_the_test_command_once(root):
    shown = re.findall(r"^sh scripts/uv run .*\bpytest$", text_of(root / "README.md"), re.MULTILINE)
    assert shown == ["sh scripts/uv run --group test pytest"]


@pytest.mark.parametrize("name", ["scripts/uv", "scripts/test_lowest_versions", ".ci/run"])
def test_scripts_can_be_started(root, name):
    assert (root / name).stat().st_mode & 0o111
    assert text_of(root / name).startswith("#!")


def test_hooks_have_the_versions_of_the_lock_file(root):
    repos = yaml.safe_load(text_of(root / ".pre-commit-config.yaml"))["repos"]
    assert [repo["repo"] for repo in repos] == ["local"]
    entries = [hook["entry"] for repo in repos for hook in repo["hooks"]]
    assert all(entry.startswith("sh scripts/uv run --group dev ") for entry in entries)
    assert {hook["language"] for repo in repos for hook in repo["hooks"]} == {"system"}


def test_the_commands_of_contributing_exist(root):
    """What a page starts is there, and so are the groups of dependencies."""
    groups = tomllib.loads(text_of(root / "pyproject.toml"))["dependency-groups"]
    for page in ("CONTRIBUTING.md", "docs/releasing.md"):
        text = text_of(root / page)
        assert set(re.findall(r"--(?:only-)?group (\w+)", text)) <= groups.keys()
        named = re.findall(r"(?<!--out )\b((?:scripts|benchmarks|tests)/[\w./-]*\w)", text)
        assert named
        assert [name for name in named if not (root / name).exists()] == []
