"""Compiled functions, kept in a folder across processes as machine code.

What is kept is machine code behind the shapes of what goes in and comes out, sealed with a digest.
Its name is a digest of everything that it is made from: the sources of this package that it is
traced from, versions, device, flags, and what the caller names. What cannot be read back as it was
written, or loaded, is made anew; what cannot be written is not kept. Where JAX's own compilation
cache is on, functions are left to it: machine code read from there cannot be written again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import jax

from effbayes import kept, provenance
from effbayes.runtime import Plan

TRACED = ("inference", "models", "arrays.py", "trend.py")
"""Sources that a function is traced from; a change to any of them makes another name."""

SUFFIX = ".program"


class Compiled(NamedTuple):
    """A compiled function."""

    call: Callable[..., Any]
    arguments: list[Any]
    """Shapes and types of its arguments."""


def compiled(
    function: Callable[..., Any],
    arguments: Callable[[], tuple[Any, ...]],
    *,
    made_from: tuple[Any, ...],
    plan: Plan,
) -> Compiled:
    """Compile a function, or load it as it was compiled before.

    Parameters
    ----------
    function
        Pure, of arrays in mappings and lists; its result likewise.
    arguments
        Gives shapes and types; called only where the function must be compiled.
    made_from
        What tells this function and these shapes from all others; JSON-ready.
    plan
        Where it runs, what else it depends on, and the folder, which is trusted as code is.
    """
    path = None
    if plan.folder is not None and not plan.cached_by_jax:
        path = plan.folder / _name(made_from, plan.made_for)
        body = kept.read(path)
        found = None if body is None else _loaded(body, plan.device)
        if found is not None:
            return found
    shapes = arguments()
    # Every argument stays one, used or not, so that machine code can be called with all of them.
    made = jax.jit(function, keep_unused=True).lower(*shapes).compile()
    body = None if path is None else _bytes(made, shapes)
    if path is not None and body is not None:
        kept.write(path, body)
    return Compiled(made, list(shapes))


def _bytes(made: jax.stages.Compiled, arguments: tuple[Any, ...]) -> bytes | None:
    """Machine code behind one line of JSON; None where JAX cannot give it."""
    try:
        executable: Any = made.runtime_executable()
        code = executable.serialize()
    except Exception:  # noqa: BLE001 - whatever a backend says, the function is not kept
        return None
    shapes = {"arguments": _described(arguments), "results": _described(made.out_info)}
    return json.dumps(shapes).encode() + b"\n" + bytes(code)


def _loaded(body: bytes, device: jax.Device) -> Compiled | None:
    """The function that `_bytes` wrote; None where this JAX cannot load it.

    The executable is called as JAX's runtime does, without a trace of Python's function: that is
    what saves the time. Should these calls change, functions are compiled again, and nothing fails.
    """
    header, _, code = body.partition(b"\n")
    try:
        shapes = json.loads(header)
        arguments, results = (_understood(shapes[name]) for name in ("arguments", "results"))
        from jaxlib import _jax  # noqa: PLC0415 - the runtime's own module, absent in some version

        devices = _jax.DeviceList((device,))
        executable = device.client.deserialize_executable(code, executable_devices=devices)
        execute = executable.execute_sharded
        structure = jax.tree.structure(results)
    except Exception:  # noqa: BLE001 - as above
        return None

    def call(*arguments: Any) -> Any:
        placed = [
            each if isinstance(each, jax.Array) else jax.device_put(each, device)
            for each in jax.tree.leaves(arguments)
        ]
        given = execute(placed).disassemble_into_single_device_arrays()
        return jax.tree.unflatten(structure, [each[0] for each in given])

    return Compiled(call, arguments)


def _described(shapes: Any) -> Any:
    """Shapes and types in the mappings and lists that JSON has."""
    if isinstance(shapes, dict):
        return {name: _described(each) for name, each in shapes.items()}
    if isinstance(shapes, list | tuple):
        return [_described(each) for each in shapes]
    return {"shape": list(shapes.shape), "dtype": str(shapes.dtype)}


def _understood(described: Any) -> Any:
    """What `_described` described; a tuple is a list now, in the same order."""
    if isinstance(described, list):
        return [_understood(each) for each in described]
    if set(described) == {"shape", "dtype"}:
        return jax.ShapeDtypeStruct(tuple(described["shape"]), described["dtype"])
    return {name: _understood(each) for name, each in described.items()}


def _name(made_from: tuple[Any, ...], made_for: tuple[str, ...]) -> str:
    everything = [made_from, made_for, provenance.versions(), sources()]
    return hashlib.sha256(json.dumps(everything).encode()).hexdigest() + SUFFIX


@cache
def sources() -> str:
    """Digest of the sources that functions are traced from."""
    root = Path(__file__).resolve().parent.parent
    digest = hashlib.sha256()
    for name in TRACED:
        place = root / name
        for path in sorted(place.glob("*.py")) if place.is_dir() else [place]:
            digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()
