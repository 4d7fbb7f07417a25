"""Help and version come at once: nothing heavy is imported for them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {
    "arviz",
    "arviz_base",
    "arviz_plots",
    "arviz_stats",
    "bokeh",
    "dask",
    "distributed",
    "h5netcdf",
    "h5py",
    "jax",
    "jaxlib",
    "jinja2",
    "latex2mathml",
    "matplotlib",
    "numpyro",
    "pandas",
    "scipy",
    "xarray",
}
PROGRAM = [str(Path(sys.executable).with_name("effbayes"))]


def imported_by(command: list[str]) -> set[str]:
    """Top-level packages that a command imports, by Python's own account of it."""
    environment = {**os.environ, "PYTHONPROFILEIMPORTTIME": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    account = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in account}


@pytest.mark.parametrize(
    "command",
    [
        [*PROGRAM, "--help"],
        [*PROGRAM, "--version"],
        [*PROGRAM, "sample", "--help"],
        [sys.executable, "-c", "import effbayes"],
        [sys.executable, "-c", "import effbayes; dir(effbayes)"],
    ],
    ids=["--help", "--version", "sample --help", "import", "dir"],
)
def test_starts_without_heavy_imports(command):
    imported = imported_by(command)
    assert "effbayes" in imported
    assert imported & HEAVY == set()


def test_a_heavy_import_would_be_seen():
    assert "xarray" in imported_by([sys.executable, "-c", "import xarray"])
