"""Write docs/published-claims.md: what ``effbayes reproduce --markdown`` prints.

    uv run python scripts/update_claims.py

The numbers of that page are never typed by hand.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).resolve().parents[1] / "docs" / "published-claims.md"
COMMAND = ("reproduce", "--markdown")


def main() -> None:
    """Rewrite the page, unless a sampler did not converge."""
    done = subprocess.run(  # noqa: S603 - this very program
        [sys.executable, "-m", "effbayes", *COMMAND],
        check=True,
        stdout=subprocess.PIPE,
    )
    PAGE.write_bytes(done.stdout)


if __name__ == "__main__":
    main()
