"""Public tables that can be read as they are published."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from effbayes.errors import UsageError
from effbayes.types import Direction


@dataclass(frozen=True, kw_only=True)
class Preset:
    """How one public table is laid out.

    Attributes
    ----------
    columns
        Fields to the names that their columns have had in the editions of the table.
    direction, unit, date_format
        As in `effbayes.dataset.read_table`.
    skip_incomplete
        Whether a row without a date or value is left out and counted, rather than a fault.
    remark
        What a reader of the table should be told.
    """

    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    direction: Direction = "falling"
    unit: str = ""
    date_format: str | None = None
    skip_incomplete: bool = False
    remark: str = ""


NO_PRESET = Preset()

PRESETS: Mapping[str, Preset] = {
    # https://github.com/openai/ai-and-efficiency, efficiency_sota.csv
    "openai-efficiency": Preset(
        columns={
            "series": ("Metric",),
            "date": ("Publication Date",),
            "label": ("Publication",),
            "source": ("Publication link",),
            "value": ("Compute (teraflops-s/days)",),
        },
        unit="teraflop/s-day",
        date_format="%m/%d/%Y",
        remark=(
            "four dates of this table have their month overwritten by 1 (ResNet-50, Seq2Seq, "
            "Transformer, GNMT); the domains that ship with effbayes hold the corrected ones"
        ),
    ),
    # https://epoch.ai/data: notable, large-scale and all models; columns as of 2022 to 2026.
    "epoch-models": Preset(
        columns={
            "label": ("Model", "System"),
            "date": ("Publication date",),
            "value": ("Training compute (FLOP)", "Training compute (FLOPs)"),
            "source": ("Link", "Reference", "Source"),
        },
        direction="rising",
        unit="FLOP",
        skip_incomplete=True,
    ),
}
"""Presets by name."""


def preset_named(name: str | None) -> Preset:
    """The preset of a name; None is the preset that presumes nothing.

    Raises
    ------
    UsageError
        There is no such preset.
    """
    if name is None:
        return NO_PRESET
    if name not in PRESETS:
        raise UsageError(f"there is no preset {name!r}; the presets are: {', '.join(PRESETS)}")
    return PRESETS[name]
