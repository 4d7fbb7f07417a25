"""A report as one page of HTML that needs nothing else: no network, and no script to be read.

Every string of the document is escaped by the template engine. The page's policy lets it run the
two scripts whose digests it names and load nothing from anywhere, so that even a string that got
past the escaping would be text.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from functools import cache
from importlib import resources
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from latex2mathml.converter import convert
from markupsafe import Markup, escape

from effbayes import figures
from effbayes.figures import offline
from effbayes.report import characters
from effbayes.report.document import Document, Formula, Picture
from effbayes.report.inline_svg import COLORS, inlined

NOT_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters, and halves of pairs, which UTF-8 does not have."""

SHORT = 16
"""Characters up to which a cell is kept on one line: a date is not broken at its hyphens."""

TALL = 24
"""Rows past which a table scrolls in a box of its own, so that what follows it can be found."""

WIDE = 7
"""Columns from which a table is set closer, to fit beside the contents of a laptop."""

RELATION = ("<mi>&#x0007E;</mi>", "<mo>&#x0223C;</mo>")
"""What `\\sim` is converted to, and the sign with the spaces of a relation."""


class _Drawn(NamedTuple):
    """A picture as the page has it."""

    svg: Markup
    data: Any


def render(document: Document) -> str:
    """The report as HTML, complete.

    Parameters
    ----------
    document
        What is said.

    Returns
    -------
    str
        With all scripts, styles and pictures inside, in UTF-8 as its head says.

    Raises
    ------
    ValueError
        Two sections, figures or tables have the same id.
    """
    for kind in (document.sections, document.pictures(), document.tables()):
        ids = [each.id for each in kind]
        if len(set(ids)) < len(ids):
            raise ValueError(f"an id is given twice: {', '.join(ids)}")
    drawn = {picture.id: _drawn(picture) for picture in document.pictures()}
    scripts = [_source("page.js")]
    if any(each.data is not None for each in drawn.values()):
        scripts.insert(0, offline.script())
    page = (
        _environment()
        .get_template("page.html")
        .render(
            document=document,
            drawn=drawn,
            numbered=dict(_numbered(document)),
            scripts=[Markup(script) for script in scripts],  # noqa: S704 - the page's own
            style=Markup(_source("page.css")),  # noqa: S704 - the page's own
            palette={color.lower(): name for color, name in COLORS.items()},
            policy=_policy(scripts),
            numbers=json.dumps(document.numbers, indent=1, ensure_ascii=False, allow_nan=False),
        )
    )
    # None is in the page's own parts; those of a table are shown, as a terminal would obey them.
    return NOT_TEXT.sub(lambda char: characters.number(char[0]), page)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("effbayes.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # A model of Bokeh defines its parts in an order, and refers to them later.
    environment.policies["json.dumps_kwargs"] = {"sort_keys": False, "allow_nan": False}
    environment.filters |= {"kind": _kind, "linked": linked, "mathml": _mathml, "folded": folded}
    environment.globals |= {"SHORT": SHORT, "TALL": TALL, "WIDE": WIDE}
    return environment


def _source(name: str) -> str:
    return resources.files("effbayes.report").joinpath("templates", name).read_text("utf-8")


def _policy(scripts: list[str]) -> str:
    """Content-Security-Policy: the page's own scripts, and styles and pictures that are in it."""
    allowed = " ".join(f"'sha256-{_digest(script)}'" for script in scripts)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _drawn(picture: Picture) -> _Drawn:
    svg = figures.render(picture.draw(), "svg").decode()
    data = None if picture.explore is None else offline.as_data(picture.explore())
    return _Drawn(Markup(inlined(svg, picture.id)), data)  # noqa: S704 - has no words of a table


def _numbered(document: Document) -> Iterator[tuple[str, str]]:
    """Numbers of figures and tables, by id."""
    for number, picture in enumerate(document.pictures(), start=1):
        yield f"figure-{picture.id}", f"Figure {number}"
    for number, table in enumerate(document.tables(), start=1):
        yield f"table-{table.id}", f"Table {number}"


def _kind(block: Any) -> str:
    return type(block).__name__.lower()


def _mathml(formula: Formula) -> Markup:
    """The formula as MathML, which browsers set themselves."""
    math = convert(formula.latex, display="block").replace(*RELATION)
    said = escape(formula.text)
    return Markup(math.replace("<math ", f'<math alttext="{said}" ', 1))  # noqa: S704 - escaped


def linked(text: str) -> Markup:
    """Text, escaped, with addresses of the web as links.

    Examples
    --------
    >>> print(linked("<b> https://example.org/a."))
    &lt;b&gt; <a href="https://example.org/a" rel="noopener noreferrer nofollow">https://example.org/a</a>.
    """
    parts, end = [], 0
    for found in characters.ADDRESS.finditer(text):
        address = escape(found[0])
        link = f'<a href="{address}" rel="noopener noreferrer nofollow">{address}</a>'
        parts += [escape(text[end : found.start()]), Markup(link)]  # noqa: S704 - escaped
        end = found.end()
    return Markup("").join([*parts, escape(text[end:])])


def folded(text: str) -> tuple[str, str] | None:
    """Start and whole of a text that is too long for a cell; None where it is not."""
    if len(text) <= characters.LONG:
        return None
    return text[: characters.KEPT].rstrip() + "…", text
