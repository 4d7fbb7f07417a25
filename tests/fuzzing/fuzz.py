"""Search one target for bytes that break it, guided by coverage (atheris, libFuzzer).

    sh scripts/uv run --group test --group fuzz python tests/fuzzing/fuzz.py table --minutes 30

What is found goes to `fuzz-finds/`; what was of use to the search to `fuzz-corpus/TARGET/`, where
the next search begins. Options after ``--`` are libFuzzer's.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
MEMORY_MB, SECONDS = 1024, 10
"""No input may need more before it is refused."""
SEARCH_MB = 4096
"""What the search itself may fill, which keeps something of every input."""
LARGEST = {"table": 4096, "mapping": 2048, "run": 200_000, "report": 4096}


def main() -> None:
    """Fuzz until the time is up or something is found."""
    import atheris  # the group "fuzz", which tests do without

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("target", choices=LARGEST)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--into", type=Path, default=Path("fuzz-corpus"))
    asked, more = parser.parse_known_args()
    os.environ["EFFBAYES_NO_CACHE"] = "1"  # what was read is not to be remembered
    sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
    with atheris.instrument_imports(include=["effbayes"]):
        from tests.fuzzing.targets import PREPARE, TARGETS, good_run

        PREPARE[asked.target]()
    corpus = asked.into / asked.target
    corpus.mkdir(parents=True, exist_ok=True)
    if asked.target == "run":
        (corpus / "whole").write_bytes(b"\0\0" + good_run())
    finds = Path("fuzz-finds")
    finds.mkdir(exist_ok=True)
    settings = [
        f"-max_total_time={round(60 * asked.minutes)}",
        f"-rss_limit_mb={SEARCH_MB}",
        f"-malloc_limit_mb={MEMORY_MB}",
        f"-timeout={SECONDS}",
        f"-max_len={LARGEST[asked.target]}",
        f"-artifact_prefix={finds}/{asked.target}-",
        f"-dict={ROOT / 'tests/fuzzing/words.dict'}",
        "-print_final_stats=1",
    ]
    seeds = ROOT / "tests/fuzzing/cases" / asked.target
    folders = [str(corpus), *([str(seeds)] if seeds.is_dir() else [])]

    def within_bounds(data: bytes) -> None:
        before = _peak_mb()
        TARGETS[asked.target](data)
        if _peak_mb() - before > MEMORY_MB // 2:
            raise MemoryError("one input made the peak of memory grow by half a gibibyte")

    atheris.Setup(
        [sys.argv[0], *settings, *(m for m in more if m != "--"), *folders],
        within_bounds,
    )
    atheris.Fuzz()


def _peak_mb() -> int:
    """The most memory that this process ever held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


if __name__ == "__main__":
    main()
