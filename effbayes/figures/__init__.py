"""Pictures for print. Each is a figure of its own; nothing is shown or written here."""

from effbayes.figures.drawing import FORMATS, PANELS, render, trend

__all__ = ["FORMATS", "PANELS", "render", "trend"]
