"""How Sphinx builds these pages; the command stands in CONTRIBUTING.md."""

from __future__ import annotations

from importlib.metadata import version as _version_of

project = "effbayes"
author = "The effbayes developers"
copyright = author  # noqa: A001 - as Sphinx names it
version = release = _version_of("effbayes")

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
]
exclude_patterns = ["_build", "reports"]

html_theme = "furo"
html_title = "effbayes"
html_static_path: list[str] = []

myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 3

# Pages with code are executed; one that fails ends the build.
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_merge_streams = True

autodoc_typehints = "none"  # numpydoc's text says them
autodoc_member_order = "bysource"
napoleon_google_docstring = False
napoleon_use_ivar = True
default_role = "code"
