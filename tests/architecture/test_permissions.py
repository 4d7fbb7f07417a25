"""What only some modules may do, by ARCHITECTURE.md, no other module does."""

import ast
import builtins
import re
from collections.abc import Iterator

import pytest

CODE = re.compile(r"`([^`]+)`")

# Dotted names whose use is the thing permitted; "*.name" is an attribute or method of anything.
USES = {
    "import JAX or NumPyro": ["jax", "numpyro"],
    "import Dask": ["dask", "distributed"],
    "import Typer or Rich": ["typer", "rich"],
    "import a plotting library": ["matplotlib", "arviz_plots", "bokeh", "plotly"],
    "fill in templates": ["jinja2", "latex2mathml", "markupsafe"],
    "import Typst": ["typst"],
    "turn a seed into a key": ["jax.random.key", "jax.random.PRNGKey"],
    "turn the bits of a key into one": ["jax.random.wrap_key_data"],
    "change settings of JAX": [
        "*.enable_x64",
        "jax.config",
        "jax.default_device",
        "jax.default_prng_impl",
        "jax.distributed",
        "jax.threefry_partitionable",
        "numpyro.enable_x64",
        "numpyro.set_host_device_count",
        "numpyro.set_platform",
        "os.environ",
        "os.putenv",
    ],
    "read tables": ["csv", "pandas.read_csv", "pandas.read_excel", "numpy.genfromtxt"],
    "read pickles, or run text as code": [
        *("pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib"),
        *("eval", "exec", "compile", "jax.experimental.serialize_executable"),
    ],
    "write files": [
        "*.mkstemp",
        "*.NamedTemporaryFile",
        "*.to_csv",
        "*.to_netcdf",
        "*.write_bytes",
        "*.write_text",
        "os.rename",
        "os.replace",
        "shutil",
    ],
    "print, prompt or exit": ["print", "input", "sys.exit", "sys.stdout", "sys.stderr", "os._exit"],
    "read the clock or versions": [
        "*.today",
        "*.utcnow",
        "datetime.datetime.now",
        "importlib.metadata",
        "time.time",
        "time.time_ns",
    ],
}


class WithoutTypeChecking(ast.NodeTransformer):
    """Leaves out what is imported for annotations alone: it never runs."""

    def visit_If(self, node: ast.If) -> ast.AST | None:
        if ast.unparse(node.test).endswith("TYPE_CHECKING"):
            return None
        return self.generic_visit(node)


def names_used(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Dotted names that a module imports or uses, and their lines.

    Aliases of imports are undone; what is neither imported nor built in starts with a "?".
    """
    origin: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
                origin[alias.asname or alias.name.split(".")[0]] = (
                    alias.name if alias.asname else alias.name.split(".")[0]
                )
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                yield f"{node.module}.{alias.name}", node.lineno
                origin[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    origin |= {name: name for name in dir(builtins) if name not in origin}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in origin:
            yield origin[node.id], node.lineno
        elif isinstance(node, ast.Attribute):
            first, _, rest = ast.unparse(node).partition(".")
            yield f"{origin.get(first, '?')}.{rest}", node.lineno


def matches(used: str, pattern: str) -> bool:
    if pattern.startswith("*."):
        return used.endswith(pattern[1:])
    return used == pattern or used.startswith(f"{pattern}.")


def trespasses(source: str, patterns: list[str]) -> list[str]:
    """Uses of the patterns in a source, as "line: name"."""
    tree = WithoutTypeChecking().visit(ast.parse(source))
    found = {
        (line, name)
        for name, line in names_used(tree)
        if any(matches(name, pattern) for pattern in patterns)
    }
    return [f"{line}: {name}" for line, name in sorted(found)]


def test_the_page_and_this_test_know_the_same_permissions(tables):
    assert {cells[0] for cells in tables["May ..."][1:]} == set(USES)


@pytest.mark.parametrize("permission", USES)
def test_only_those_named_do(tables, modules, permission):
    [permitted] = [cells[1] for cells in tables["May ..."][1:] if cells[0] == permission]
    allowed = set(CODE.findall(permitted))
    assert allowed <= set(modules)
    found = [
        f"effbayes/{name.replace('.', '/')}: {use}"
        for name, path in modules.items()
        if not any(f"{name}.".startswith(f"{one}.") for one in allowed)
        for use in trespasses(path.read_text(encoding="utf-8"), USES[permission])
    ]
    assert not found, f"only {', '.join(sorted(allowed)) or 'nobody'} may {permission}"


@pytest.mark.parametrize(
    ("source", "permission"),
    [
        ("import jax.numpy as jnp", "import JAX or NumPyro"),
        ("from jax import random\nk = random.key(0)", "turn a seed into a key"),
        ("import jax\nk = jax.random.key(0)", "turn a seed into a key"),
        ("import jax\nk = jax.random.wrap_key_data(b)", "turn the bits of a key into one"),
        ("def f():\n    from distributed import Client", "import Dask"),
        ("def f():\n    from rich import print", "import Typer or Rich"),
        ("import jax as j\nj.config.update('a', 1)", "change settings of JAX"),
        ("from pathlib import Path\nPath('a').write_text('b')", "write files"),
        ("import pickle\npickle.loads(b'')", "read pickles, or run text as code"),
        ("eval('1')", "read pickles, or run text as code"),
        ("import datetime as dt\ndt.datetime.now()", "read the clock or versions"),
        ("from importlib import metadata", "read the clock or versions"),
        ("print('a')", "print, prompt or exit"),
    ],
)
def test_a_trespass_is_seen(source, permission):
    assert trespasses(source, USES[permission])


@pytest.mark.parametrize("permission", USES)
def test_what_only_looks_like_a_trespass_is_not_one(permission):
    source = (
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import jax, rich, csv, shutil"
    )
    source += (
        "\nimport jaxtyping\nprinted = blueprint(self.prints)\nplatform = self.timeline(csv=1)"
    )
    assert not trespasses(source, USES[permission])
