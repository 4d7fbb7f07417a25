"""What a page needs to show models of Bokeh without a network: its script, and models as data."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bokeh.models import LayoutDOM


@cache
def script() -> str:
    """The part of BokehJS that draws plots and their tools, as its wheel has it."""
    from bokeh.resources import Resources  # noqa: PLC0415 - slow to import

    return "\n".join(Resources(mode="inline", components=["bokeh"], log_level="warn").js_raw)


def as_data(model: LayoutDOM) -> dict[str, Any]:
    """A model as JSON-ready data for ``Bokeh.embed.embed_item``.

    As ``bokeh.embed.json_item`` makes it, without a search for callbacks and faults, which takes
    longer than the rest.
    """
    from bokeh import __version__  # noqa: PLC0415 - slow to import
    from bokeh.document import Document  # noqa: PLC0415

    document = Document(title="")
    document.add_root(model)
    data = document.to_json(deferred=False)
    document.remove_root(model)
    return {"target_id": None, "root_id": model.id, "doc": data, "version": __version__}
