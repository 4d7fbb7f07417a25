"""A figure of Matplotlib that a notebook shows as it is."""

from __future__ import annotations

import io

from matplotlib import figure


class Figure(figure.Figure):
    """As Matplotlib's. Notebooks show those alone that pyplot made, which keeps them all alive."""

    def _repr_png_(self) -> bytes:
        picture = io.BytesIO()
        self.savefig(picture, format="png", dpi=144)
        return picture.getvalue()
