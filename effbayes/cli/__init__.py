"""The command line: parses, calls, prints. `main` is the entry point of ``effbayes``."""

from effbayes.cli.app import main

__all__ = ["main"]
