"""Characters that do what they should not in a text for print, made visible.

Control characters, marks that turn the direction of what follows them, and what has no glyph would
let a label look like another one. They are shown by their number in Unicode: "(U+202E)".
"""

from __future__ import annotations

import re
import unicodedata

ADDRESS = re.compile(r"https?://[A-Za-z0-9\-._~:/?#@!$&'*+,;=%]*[A-Za-z0-9/]")
"""What becomes a link: plain characters only, so that it goes where it says."""

BLANKS = re.compile(r"\s+")

LONG = 320
"""Characters past which the cell of a table is folded on a page, and cut in print."""

KEPT = 160
"""Of these, those that are seen at once."""

LONGEST_RUN = 24
"""Characters without a blank that fit into any column."""

PIECE = 8

JOINERS = "\u200c\u200d"
"""Invisible, but needed to spell Persian, languages of India, and emoji."""

HIDDEN = {"Cc", "Cf", "Cs", "Cn", "Co"}
"""Categories of Unicode without a glyph that all fonts agree on: controls to private use."""


def number(char: str) -> str:
    """A character by its number.

    Examples
    --------
    >>> number("é")
    '(U+00E9)'
    """
    return f"(U+{ord(char):04X})"


def visible(text: str) -> str:
    r"""Text in which nothing is hidden; its lines and tabs stay.

    Examples
    --------
    >>> visible("\u202egnp.exe")
    '(U+202E)gnp.exe'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        number(char)
        if unicodedata.category(char) in HIDDEN and char not in "\n\r\t" + JOINERS
        else char
        for char in text
    )


def one_line(text: str) -> str:
    r"""Text in which nothing is hidden, as one line with single blanks.

    Letters and their accents are composed: fonts have the whole, and often not the parts.

    Examples
    --------
    >>> one_line(" a\n\n  b\x00 ")
    'a b(U+0000)'
    """
    # The separators \x1c to \x1f are blanks to Python, and hidden to a reader: named first.
    return BLANKS.sub(" ", visible(unicodedata.normalize("NFC", text))).strip()


def cut(text: str) -> str:
    """A text for a cell: whole, or its start and how long it is.

    Examples
    --------
    >>> cut("short")
    'short'
    >>> cut("x" * 10_000)[-21:]
    'x… (10000 characters)'
    """
    if len(text) <= LONG:
        return text
    return f"{text[:KEPT].rstrip()}… ({len(text)} characters)"


def pieces(text: str) -> list[str]:
    """The text in parts between which a line may end, where it has too long a run of no blanks.

    Examples
    --------
    >>> pieces("a b")
    ['a b']
    >>> len(pieces("x" * 80))
    10
    """
    found = [""]
    for run in re.split(r"( +)", text):
        if len(run) <= LONGEST_RUN:
            found[-1] += run
            continue
        parts = [run[i : i + PIECE] for i in range(0, len(run), PIECE)]
        found[-1] += parts[0]
        found += parts[1:]
    return found
