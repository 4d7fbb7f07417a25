"""Colours of all figures, of either library: Okabe and Ito's, safe for colour-blind readers."""

BLUE, ORANGE, GREEN, PINK = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
GRAY, INK = "#8C8C8C", "#222222"

COLORS = (BLUE, ORANGE, GREEN, PINK)
"""In this order, where things of one kind are told apart."""
