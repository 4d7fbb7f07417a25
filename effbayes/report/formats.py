"""A document in the format that is asked for: one file, and the pictures beside it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from effbayes import figures
from effbayes.report import latex, markdown
from effbayes.report.document import Document

FORMATS = ("html", "pdf", "md", "tex", "json", "csv", "draws", "svg", "png")
"""``draws`` is CSV of all draws; ``svg`` and ``png`` are a folder of pictures."""

OF_PICTURES = ("svg", "png")
OF_NUMBERS = ("json", "csv")
BESIDE = {"md": "svg", "tex": "pdf"}
"""Formats whose pictures are files of their own, and of what kind."""


@dataclass(frozen=True)
class Files:
    """What is to be written.

    Attributes
    ----------
    content
        Of the file itself; None where pictures are all.
    pictures
        By their names in the folder beside it.
    """

    content: bytes | None
    pictures: Mapping[str, bytes] = field(default_factory=dict)


def require_ready(kind: str, *, folder: str) -> None:
    """Refuse, before there is a document, what `render` would refuse of any.

    Parameters
    ----------
    kind
        One of `FORMATS`.
    folder
        As in `render`.

    Raises
    ------
    UsageError
        A package that the format needs is not installed, or the folder's name cannot be used.
    """
    if kind == "pdf":
        from effbayes.report import typeset  # noqa: PLC0415 - as below

        typeset.require_installed()
    elif kind == "tex":
        latex.require_usable(folder)


def render(document: Document, kind: str, *, folder: str) -> Files:
    """A document as files, nothing of which is written.

    Parameters
    ----------
    document
        What is said.
    kind
        ``html``, ``pdf``, ``md``, ``tex``, or one of `OF_PICTURES`.
    folder
        Name of the folder of the pictures, relative to the file.

    Raises
    ------
    UsageError
        A package that the format needs is not installed.
    """
    if kind in OF_PICTURES:
        return Files(None, pictures(document, kind))
    if kind in BESIDE:
        return Files(_text(document, kind, folder).encode(), pictures(document, BESIDE[kind]))
    return Files(WHOLE[kind](document))


def pictures(document: Document, kind: str) -> dict[str, bytes]:
    """Every picture as a file."""
    return {
        f"{picture.id}.{kind}": figures.render(picture.draw(), kind)
        for picture in document.pictures()
    }


def _text(document: Document, kind: str, folder: str) -> str:
    return {"md": markdown.render, "tex": latex.render}[kind](document, picture_folder=folder)


def _page(document: Document) -> bytes:
    from effbayes.report import page  # noqa: PLC0415 - brings libraries of its own

    return page.render(document).encode()


def _paper(document: Document) -> bytes:
    from effbayes.report import typeset  # noqa: PLC0415 - a part of the package that may be missing

    return typeset.render(document)


WHOLE: Mapping[str, Callable[[Document], bytes]] = {"html": _page, "pdf": _paper}


def numbers(found: Mapping[str, Any], kind: str) -> bytes:
    """The numbers alone, as ``json`` or ``csv``: no document is needed for them.

    Parameters
    ----------
    found
        As `effbayes.report.document.Document.numbers`.
    kind
        One of `OF_NUMBERS`.
    """
    if kind == "json":
        return (json.dumps(found, indent=2, allow_nan=False) + "\n").encode()
    from effbayes.report import plain_numbers, spreadsheet  # noqa: PLC0415

    return spreadsheet.render(plain_numbers.HEADER, plain_numbers.summary(found)).encode()
