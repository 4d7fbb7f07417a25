r"""A report as LaTeX, for pdfLaTeX, XeLaTeX and LuaLaTeX, with its pictures in a folder beside it.

Every sign that TeX acts on is written as the command that prints it. Characters that Latin Modern
does not have are shown by their numbers, so that no engine stops at them or leaves them out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from effbayes.errors import UsageError
from effbayes.report.characters import ADDRESS, cut, number, one_line, pieces, visible
from effbayes.report.document import (
    Block,
    Code,
    Document,
    Formula,
    Paragraph,
    Picture,
    Points,
    Table,
    Verdict,
)

PREAMBLE = r"""\documentclass[11pt,a4paper]{article}
\usepackage{iftex}
\ifPDFTeX
  \usepackage[T1]{fontenc}
  \usepackage[utf8]{inputenc}
  \usepackage{textcomp}
  \usepackage{lmodern}
\else
  \usepackage{fontspec}
\fi
\usepackage{amsmath,amssymb,array,booktabs,caption,float,graphicx,longtable,xcolor}
\usepackage[margin=2.4cm]{geometry}
\usepackage[unicode,hidelinks]{hyperref}
\definecolor{bad}{HTML}{B3261E}
\captionsetup{justification=raggedright,singlelinecheck=false,labelfont=bf}
\setlength{\parindent}{0pt}
\setlength{\parskip}{0.55em plus 0.1em}
\setlength{\tabcolsep}{4pt}
\setlength{\LTleft}{0pt}
\AtBeginDocument{\raggedright}
\makeatletter
% A picture keeps its size where it fits.
\newcommand{\picture@width}{\ifdim\Gin@nat@width>\linewidth\linewidth\else\Gin@nat@width\fi}
\newcommand{\fittingpicture}[1]{\includegraphics[width=\picture@width]{#1}}
\makeatother
"""

SIGNS = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "'": r"\textquotesingle{}",
    "`": r"\textasciigrave{}",
    # Two or more of these in a row would become one sign; in brackets, options or labels.
    "-": "-{}",
    ",": ",{}",
    "[": "{[}",
    "]": "{]}",
    # After the end of a row, TeX takes a star as part of the command that ends it.
    "*": "{*}",
    "\u00a0": "~",
    "‐": "-{}",
    "‑": "-{}",
    "–": r"\textendash{}",
    "—": r"\textemdash{}",
    "‘": r"\textquoteleft{}",
    "’": r"\textquoteright{}",
    "“": r"\textquotedblleft{}",
    "”": r"\textquotedblright{}",
    "…": r"\ldots{}",
    "€": r"\texteuro{}",
    "•": r"\textbullet{}",
}
"""Commands that print a sign."""

LOWER = "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi"
LOWER_TOO = "pi rho sigma tau upsilon phi chi psi omega"
UPPER = "Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi Omega"
NAMES = f"{LOWER} {LOWER_TOO} {UPPER}".split()

MATHS = {
    **dict(zip("αβγδεζηθικλμνξπρστυφχψωΓΔΘΛΞΠΣΦΨΩ", NAMES, strict=True)),
    "×": "times", "÷": "div", "±": "pm", "·": "cdot", "¬": "neg", "−": "-", "≤": "le", "≥": "ge",
    "≠": "ne", "≈": "approx", "∼": "sim", "∞": "infty", "→": "to", "←": "leftarrow",
    "√": "surd", "∑": "sum", "∫": "int", "∂": "partial", "✓": "checkmark", "✕": "times",
    "°": "circ", "²": "2", "³": "3", "¹": "1", "µ": "mu",
}  # fmt: skip
"""Signs that are printed from the fonts of mathematics."""

RAISED = {"°", "²", "³", "¹"}

LETTERS = frozenset(
    "¡¢£¥§©«®¶»¿ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖØÙÚÛÜÝÞßàáâãäåæçèéêëìíîïðñòóôõöøùúûüýþÿ"
    "ĂăĄąĆćČčĎďĐđĘęĚěĞğİıĹĺĽľŁłŃńŇňŐőŒœŔŕŘřŚśŞşŠšŢţŤťŮůŰűŸŹźŻżŽž"
)
"""Characters that all three engines set as they are."""

PLAIN_FOLDER = re.compile(r"[\w./ ()+,@=-]+")

LONG_TABLE = 25
"""Lines past which a table goes on over pages, with its head on each."""

NARROWEST, WIDEST, LINE = 5, 34, 94
"""Characters that a column is measured by, at least and at most, and those of a line."""

MARGIN = 5
"""Characters for the space between columns, and for letters wider than others."""

TITLE = 200


def render(document: Document, *, picture_folder: str) -> str:
    """The report as LaTeX.

    Parameters
    ----------
    document
        What is said.
    picture_folder
        Where its pictures are, as ``ID.pdf``, relative to where LaTeX runs.

    Returns
    -------
    str
        To be written in UTF-8.

    Raises
    ------
    UsageError
        The folder's name holds signs that TeX would act on.
    """
    require_usable(picture_folder)
    parts = [
        PREAMBLE,
        rf"\hypersetup{{pdftitle={{{metadata(document.title)}}},pdfcreator={{effbayes}}}}",
        r"\begin{document}",
        rf"{{\raggedright\LARGE\bfseries {text(document.title)}\par}}",
    ]
    if document.failures:
        said = "\n\n".join(map(_verdict, document.failures))
        parts.append(_banner(rf"{{\large\bfseries These numbers cannot be relied on\par}}{said}"))
    parts.append(rf"{{\raggedright\Large {text(document.answer)}\par}}")
    parts += map(_verdict, document.successes)
    for section in document.sections:
        title = rf"\texorpdfstring{{{text(section.title)}}}{{{metadata(section.title)}}}"
        parts.append(rf"\section{{{title}}}")
        parts += [_block(block, picture_folder) for block in section.blocks]
    if document.made_by:
        parts += [r"\section*{What made this report}", "".join(_made_by(document.made_by))]
    return "\n\n".join([*parts, r"\end{document}"]) + "\n"


def require_usable(picture_folder: str) -> None:
    """Refuse a folder's name that TeX would act on.

    Raises
    ------
    UsageError
        It holds other signs than those of plain names.
    """
    if not PLAIN_FOLDER.fullmatch(picture_folder) or not picture_folder.isascii():
        raise UsageError(
            f"LaTeX cannot take pictures from a folder named {picture_folder!r}: "
            "use Latin letters, digits, dots, hyphens and underscores"
        )


def text(content: str) -> str:
    r"""Plain text as LaTeX, on one line, with addresses of the web as links.

    Examples
    --------
    >>> print(text(r"100 % of \input{a} and 神"))
    100 \% of \textbackslash{}input\{a\} and (U+795E)
    """
    content = one_line(content)
    parts, end = [], 0
    for found in ADDRESS.finditer(content):
        # The address itself is expanded by hyperref, which knows these two signs alone.
        address = re.sub(r"[#%&~$_]", lambda sign: "\\" + sign[0], found[0])
        shown = _broken(found[0])
        linked = shown if "~" in found[0] or "$" in found[0] else rf"\href{{{address}}}{{{shown}}}"
        parts += [_broken(content[end : found.start()]), linked]
        end = found.end()
    return "".join([*parts, _broken(content[end:])])


def metadata(content: str) -> str:
    """Text for titles in the reader's window and its list of parts: no mathematics, not long."""
    content = one_line(content)
    short = content if len(content) <= TITLE else f"{content[: TITLE - 3].rstrip()}..."
    plain = (MATHS.get(char, char) for char in short)
    return "".join(map(_sign, "".join(plain)))


def _broken(content: str) -> str:
    """Escaped, with places where a long word may be broken."""
    named = "".join(char if _known(char) else number(char) for char in content)
    return r"\allowbreak{}".join("".join(map(_sign, part)) for part in pieces(named))


def _known(char: str) -> bool:
    return " " <= char <= "~" or char in SIGNS or char in MATHS or char in LETTERS


def _sign(char: str) -> str:
    if char in SIGNS:
        return SIGNS[char]
    if char in MATHS:
        name = MATHS[char]
        command = rf"\{name}" if name.isalpha() else name
        return (
            rf"\ensuremath{{{{}}^{{{command}}}}}"
            if char in RAISED
            else rf"\ensuremath{{{command}}}"
        )
    return char if _known(char) else number(char)


def _block(block: Block, folder: str) -> str:
    match block:
        case Paragraph():
            said = text(block.text)
        case Points():
            said = _points(block.items)
        case Verdict():
            said = _verdict(block) if block.ok else _banner(_verdict(block))
        case Table():
            said = "".join(_table(block))
        case Picture():
            said = (
                f"\\begin{{figure}}[H]\n\\centering\n\\fittingpicture{{{folder}/{block.id}.pdf}}\n"
                f"\\caption{{{text(block.caption)}}}\n\\end{{figure}}"
            )
        case Formula():
            said = f"\\begin{{equation*}}\n{block.latex}\n\\end{{equation*}}"
        case Code():
            lines = visible(block.text).expandtabs(4).splitlines()
            set_lines = "\\par\n".join(_code(line) for line in lines)
            face = r"\small\ttfamily\raggedright\setlength{\parskip}{0pt}"
            said = f"\\smallskip\n{{{face}\n{set_lines}\\par}}"
    return said


def _code(line: str) -> str:
    """A line of code; a blank is kept where it stands, and an empty line has its height."""
    return _broken(line).replace(" ", "\\ ") or r"\strut"


def _verdict(verdict: Verdict) -> str:
    sign = r"\ensuremath{\checkmark}" if verdict.ok else r"\textbf{\ensuremath{\times}}"
    said = f"{sign} {text(verdict.text)}"
    return f"{said}\n\n{_points(verdict.reasons)}" if verdict.reasons else said


def _banner(content: str) -> str:
    rule = r"{\color{bad}\rule{\linewidth}{1.5pt}}"
    return f"{rule}\n\n{{\\color{{bad}}\\raggedright {content}\\par}}\n\n{rule}"


def _points(items: Sequence[str]) -> str:
    # A list without items is an error to LaTeX.
    listed = "".join(f"\\item {{}}{text(item)}\n" for item in items)
    close = r"\setlength{\itemsep}{0.2em}\setlength{\parskip}{0pt}"
    return f"\\begin{{itemize}}{close}\n{listed}\\end{{itemize}}" if items else ""


def _table(table: Table) -> Iterator[str]:
    heads = [cut(one_line(column.name)) for column in table.columns]
    rows = [[cut(one_line(cell.text)) for cell in row] for row in table.rows]
    sides = ["left" if column.numeric else "right" for column in table.columns]
    columns = "".join(_columns([heads, *rows], sides))
    head = rf"{' & '.join(rf'{{\bfseries {text(name)}}}' for name in heads)} \\"
    caption = text(table.caption)
    body = "\n".join(rf"{' & '.join(map(text, row))} \\" for row in rows)
    yield "{\\small\n"
    lines = sum(1 + max(map(len, row)) // WIDEST for row in rows)
    if lines > LONG_TABLE:
        yield f"\\begin{{longtable}}{{@{{}}{columns}@{{}}}}\n\\caption{{{caption}}}\\\\\n"
        yield f"\\toprule\n{head}\n\\midrule\n\\endfirsthead\n"
        yield f"\\toprule\n{head}\n\\midrule\n\\endhead\n\\bottomrule\n\\endlastfoot\n"
        yield f"{body}\n\\end{{longtable}}\n"
    else:
        yield f"\\begin{{table}}[H]\n\\caption{{{caption}}}\n"
        yield f"\\begin{{tabular}}{{@{{}}{columns}@{{}}}}\n\\toprule\n{head}\n\\midrule\n"
        yield f"{body}\n\\bottomrule\n\\end{{tabular}}\n\\end{{table}}\n"
    yield "}"


def _columns(rows: list[list[str]], sides: list[str]) -> Iterator[str]:
    """Columns that share a line by what they hold; their cells are broken, never too wide."""
    widest = [max(NARROWEST, *(len(row[i]) for row in rows)) for i in range(len(sides))]
    lengths = [min(length, WIDEST) + MARGIN for length in widest]
    for length, side in zip(lengths, sides, strict=True):
        share = length / max(sum(lengths), LINE)
        width = rf"\dimexpr {share:.4f}\linewidth-2\tabcolsep\relax"
        yield rf">{{\ragged{side}\arraybackslash\hspace{{0pt}}}}p{{{width}}}"


def _made_by(made_by: Sequence[tuple[str, str]]) -> Iterator[str]:
    left = r">{\raggedright\arraybackslash}"
    yield f"{{\\small\n\\begin{{longtable}}{{@{{}}{left}p{{0.25\\linewidth}}{left}"
    yield "p{0.7\\linewidth}@{}}\n\\toprule\n"
    yield from (f"{text(name)} & {text(cut(one_line(what)))} \\\\\n" for name, what in made_by)
    yield "\\bottomrule\n\\end{longtable}\n}"
