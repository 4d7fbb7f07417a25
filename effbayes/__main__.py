"""``python -m effbayes``."""

from effbayes.cli.app import main

main()
