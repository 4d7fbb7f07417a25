"""Pictures for print. Each is a figure of its own; nothing is shown or written here."""

from effbayes.figures.drawing import FORMATS, PANELS, render, trend
from effbayes.figures.refits import ranks, tornado

__all__ = ["FORMATS", "PANELS", "ranks", "render", "tornado", "trend"]
