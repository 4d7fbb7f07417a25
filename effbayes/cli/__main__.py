"""``python -m effbayes.cli``."""

from effbayes.cli.app import main

main()
