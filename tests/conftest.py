"""A strict laboratory: what the library must bear is set here, before JAX is imported.

Warnings are errors (`pyproject.toml`), a broadcast that adds dims silently raises, there are two
devices, and compilations can be counted. Nothing switches on double precision: the library does
that itself, wherever it needs it.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings

LABORATORY = {
    # Programs kept by other runs would hide what is compiled; tests of the cache have their own.
    "EFFBAYES_NO_CACHE": "1",
    "JAX_NUMPY_RANK_PROMOTION": "raise",
    "XLA_FLAGS": "--xla_force_host_platform_device_count=2",
    # Text as wide as the tests expect, without colour, whatever terminal they are started from.
    "COLUMNS": "100",
    "NO_COLOR": "1",
}
DISTURBING = (
    "CLICOLOR_FORCE",
    "FORCE_COLOR",
    "GITHUB_ACTIONS",  # Rich takes it for a terminal
    "JAX_DEFAULT_DTYPE_BITS",
    "JAX_ENABLE_X64",
    "PY_COLORS",
)

os.environ.update(LABORATORY)
for _name in DISTURBING:
    os.environ.pop(_name, None)
# A machine with an accelerator tests on its CPU too, unless told otherwise (see the marker gpu).
os.environ.setdefault("JAX_PLATFORMS", "cpu")

# Examples are the same at every run: a change that passes today passes tomorrow. A search for new
# ones: pytest --hypothesis-profile=explore
settings.register_profile("fixed", deadline=None, derandomize=True, database=None, print_blob=True)
settings.register_profile("explore", deadline=None, max_examples=2000, print_blob=True)
settings.load_profile("fixed")

# What is started with & or by a scheduler may ignore Ctrl-C, and all that it starts would too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

MOST_WORKERS, GIB_PER_WORKER = 4, 7
"""Each process keeps the programs it compiled: two that share the tests end at 6.5 GiB each."""


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """One process for what is named on the command line, or on a device; several for all tests."""
    named = config.args_source is pytest.Config.ArgsSource.ARGS
    if named or os.environ["JAX_PLATFORMS"] != "cpu":
        return 0
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**30
    return max(min(os.cpu_count() or 1, MOST_WORKERS, memory // GIB_PER_WORKER), 1)


BACKEND_COMPILE = "/jax/core/compile/backend_compile_duration"


class Compilations:
    """Names of the programs that JAX compiled, in order, since the last `clear`."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def __len__(self) -> int:
        return len(self.names)

    def clear(self) -> None:
        """Forget what was compiled so far."""
        self.names.clear()

    def listen(self, event: str, _seconds: float, **labels: str | int) -> None:
        """Take down one event of `jax.monitoring`."""
        if event == BACKEND_COMPILE:
            self.names.append(str(labels.get("fun_name", "?")))


@pytest.fixture
def compilations() -> Iterator[Compilations]:
    """Every program compiled during the test: ``compilations.clear(); ...; len(compilations)``."""
    import jax.monitoring

    counted = Compilations()
    jax.monitoring.register_event_duration_secs_listener(counted.listen)
    yield counted
    jax.monitoring.unregister_event_duration_listener(counted.listen)
