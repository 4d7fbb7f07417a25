"""Modules stay small enough to be read in one sitting, and are named after what they hold.

Functions are held to their size by the linter (statements, parameters, complexity).
"""

import ast
import io
import tokenize

LONGEST_MODULE = 300
"""Lines of code: neither blank, nor comment, nor docstring."""

SAYS_NOTHING = {"base", "common", "core", "helper", "helpers", "manager", "misc", "util", "utils"}

NOT_CODE = {
    tokenize.COMMENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
    tokenize.INDENT,
    tokenize.NEWLINE,
    tokenize.NL,
}


def lines_of_code(source: str) -> int:
    """Lines that hold code; a string that is a statement of its own is documentation."""
    documentation = {
        line
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }
    code = {
        line
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type not in NOT_CODE
        for line in range(token.start[0], token.end[0] + 1)
    }
    return len(code - documentation)


def test_no_module_is_long(modules):
    lengths = {
        name: lines_of_code(path.read_text(encoding="utf-8")) for name, path in modules.items()
    }
    assert {name: n for name, n in lengths.items() if n > LONGEST_MODULE} == {}


def test_module_names_say_what_is_inside(modules):
    parts = {part for name in modules for part in name.split(".")}
    assert parts & SAYS_NOTHING == set()


def test_lines_of_code_are_counted_without_comments_blanks_and_docstrings():
    source = '"""Doc\n\nmore."""\n\nx = 1  # one\n# none\n"""About x."""\n\n\ny = (\n    2\n)\n'
    assert lines_of_code(source) == 4
