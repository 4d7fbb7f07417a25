"""A figure of Matplotlib as a part of a page: its SVG, small, with names and colours of the page.

The text in such a picture is outlines already, so that no word of a table is in it but in comments,
which are left out.
"""

from __future__ import annotations

import re

from effbayes.figures.palette import BLUE, GRAY, GREEN, INK, ORANGE, PINK

COLORS = {
    BLUE: "blue",
    ORANGE: "orange",
    GREEN: "green",
    PINK: "pink",
    GRAY: "gray",
    INK: "ink",
    "#444444": "axis",
    "#555555": "muted",
    "#e6e6e6": "grid",
    "#ffffff": "paper",
    "#000000": "ink",
}
"""Names that the page has for the colours of a figure, each with a shade for the dark."""

NOT_DRAWN = re.compile(r"<\?xml.*?\?>|<!DOCTYPE.*?>|<!--.*?-->|<metadata>.*?</metadata>", re.DOTALL)
SIZE = re.compile(r'(<svg[^>]*?) width="[^"]*"( height="[^"]*")?([^>]*?)>', re.DOTALL)
HEIGHT = re.compile(r'(<svg[^>]*?) height="[^"]*"')
NAME = re.compile(r'(\bid="|xlink:href="#|url\(#)')
OUTLINE = re.compile(r'(?<= d=")[^"]*(?=")|(?<= [xy]=")[^"]*(?=")')
DECIMALS = re.compile(r"(\.\d\d)\d+")
MARKS = re.compile(r"<g([^>]*)>\n((?:<use [^>]*/>\n){2,})</g>")
LOOK = re.compile(r' style="([^"]*)"')
BLANKS = re.compile(r"\s*\n\s*")


def inlined(svg: str, prefix: str) -> str:
    """The SVG element alone.

    Parameters
    ----------
    svg
        As `effbayes.figures.render` writes it.
    prefix
        Of all names in it, which are otherwise those of every other figure of the page.
    """
    svg = NOT_DRAWN.sub("", svg)
    svg = HEIGHT.sub(r"\1", SIZE.sub(r"\1\3>", svg, count=1), count=1)
    svg = NAME.sub(rf"\g<1>{prefix}-", svg)
    # A hundredth of a point is less than any screen or printer shows.
    svg = OUTLINE.sub(lambda outline: DECIMALS.sub(r"\1", BLANKS.sub(" ", outline[0])), svg)
    for color, name in COLORS.items():
        svg = svg.replace(color.lower(), f"var(--{name})")
    return MARKS.sub(_alike, BLANKS.sub("\n", svg)).strip()


def _alike(marks: re.Match[str]) -> str:
    """Marks of which each says how it looks: said once, where all look the same."""
    group, uses = marks.groups()
    looks = set(LOOK.findall(uses))
    if len(looks) != 1 or uses.count(" style=") != uses.count("<use ") or "style=" in group:
        return marks[0]
    return f'<g{group} style="{looks.pop()}">\n{LOOK.sub("", uses)}</g>'
