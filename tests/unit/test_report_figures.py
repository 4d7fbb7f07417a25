"""Figures of a report: the same things in both libraries, for any fit, and no global state."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from bokeh.models import HoverTool, Row, Tabs
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.text import Text

import effbayes as eb
from effbayes.figures import (
    interactive,
    offline,
    posterior_charts,
    render,
    report_figures,
    sampler_charts,
    trend_charts,
)
from effbayes.figures.charts import Band, Bars, Line, Points, Rule
from effbayes.figures.palette import BLUE, GRAY, GREEN, INK, ORANGE, PINK
from effbayes.figures.rank_bands import rank_band, relative_ranks

from .conftest import make_series

OF_ONE_FIT = (
    "trend",
    "factor",
    "doubling_time",
    "prior_posterior",
    "forecast",
    "predictive_check",
    "ranks",
    "energy",
)
OF_SEVERAL = ("forest", "models")


@pytest.fixture(scope="module")
def bad_fit(alexnet):
    fit = eb.sample(alexnet, seed=1, warmup=50, draws=50)
    assert not fit.verdict.ok
    return fit


def plots(model):
    """Every pair of axes that Bokeh draws, of the view that comes first."""
    first = model.tabs[0].child if isinstance(model, Tabs) else model
    return first.children if isinstance(first, Row) else [first]


def words(figure):
    return " ".join(text.get_text() for text in figure.findobj(Text))


def named_colors(plot):
    """Name in the legend, and the colour of what it names, in order."""
    found = []
    for item in plot.legend[0].items if plot.legend else []:
        glyph = item.renderers[0].glyph
        colors = [getattr(glyph, f"{part}_color", None) for part in ("fill", "line")]
        plain = [getattr(color, "value", color) for color in colors]
        # White is the inside of a hollow mark, or the edge of a full one.
        [color, *_] = [color for color in plain if color not in {None, "#ffffff"}]
        found.append((item.label["value"], color.lower()))
    return found


def named_colors_for_print(axes):
    legend = axes.get_legend()
    if legend is None:
        return []
    found = []
    for handle, text in zip(legend.legend_handles, legend.get_texts(), strict=True):
        if hasattr(handle, "get_markeredgecolor") and handle.get_marker() not in {"None", ""}:
            color = handle.get_color()
        elif isinstance(handle, LineCollection):
            color = handle.get_color()[0]
        else:
            color = (
                handle.get_facecolor() if hasattr(handle, "get_facecolor") else handle.get_color()
            )
        found.append((text.get_text(), to_hex(color)))
    return found


# --- both libraries ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OF_ONE_FIT)
def test_each_is_a_figure_in_both_libraries_with_units_on_its_axes(alexnet_fit, name):
    figure = getattr(report_figures, name)(alexnet_fit)
    model = getattr(interactive, name)(alexnet_fit)
    assert isinstance(figure, Figure)
    drawn = plots(model)
    visible = [axes for axes in figure.axes if axes.get_visible()]
    assert len(drawn) == len(visible)
    for plot, axes in zip(drawn, visible, strict=True):
        assert plot.yaxis[0].axis_label.text == axes.get_ylabel() != ""
        # Of a trend for print, years at the ticks say what the axis is.
        assert axes.get_xlabel() in {"", plot.xaxis[0].axis_label.text}
        assert plot.xaxis[0].axis_label.text
        assert axes.get_yscale() == (
            "log" if plot.yaxis[0].__class__.__name__ == "LogAxis" else "linear"
        )
    json.dumps(offline.as_data(model), allow_nan=False)


@pytest.mark.parametrize("name", OF_ONE_FIT)
def test_names_colours_and_their_order_are_the_same_in_both(alexnet_fit, name):
    options = {"published": 16.0} if name == "doubling_time" else {}
    figure = getattr(report_figures, name)(alexnet_fit, **options)
    drawn = plots(getattr(interactive, name)(alexnet_fit, **options))
    for plot, axes in zip(drawn, [a for a in figure.axes if a.get_visible()], strict=True):
        assert named_colors(plot) == named_colors_for_print(axes)


def test_only_the_palette_is_used(alexnet_fit, bad_fit):
    sheets = [
        trend_charts.trend(alexnet_fit),
        trend_charts.factor(alexnet_fit),
        trend_charts.forecast(alexnet_fit),
        trend_charts.predictive_check(alexnet_fit),
        posterior_charts.doubling_time(alexnet_fit, 16.0),
        posterior_charts.prior_posterior(alexnet_fit),
        posterior_charts.forest([alexnet_fit, bad_fit], {alexnet_fit.id: 16.0}),
        sampler_charts.ranks(alexnet_fit),
        sampler_charts.energy(alexnet_fit),
    ]
    layers = [layer for sheet in sheets for chart in sheet.charts for layer in chart.layers]
    assert {layer.color for layer in layers} == {BLUE, ORANGE, GREEN, PINK, GRAY, INK}
    assert {type(layer) for layer in layers} == {Band, Line, Bars, Points, Rule}


def test_nothing_is_shown_or_kept_and_pyplot_is_not_used():
    code = """
import sys
import effbayes as eb
from effbayes.figures import interactive, report_figures
fit = eb.sample(eb.load_series("imagenet", "alexnet-training"), seed=0, warmup=100, draws=100)
for name in ("trend", "forecast", "ranks"):
    getattr(report_figures, name)(fit), getattr(interactive, name)(fit)
import bokeh.io.state
assert "matplotlib.pyplot" not in sys.modules
assert not bokeh.io.state.curstate().document.roots
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_for_print_the_same_bytes_each_time(alexnet_fit):
    one, other = (render(report_figures.forecast(alexnet_fit), "svg") for _ in range(2))
    assert one == other


# --- what is drawn -------------------------------------------------------------------------------


def test_the_trend_names_label_date_value_and_source_of_every_row(alexnet_fit):
    series = alexnet_fit.series
    for plot in (tab.child for tab in interactive.trend(alexnet_fit).tabs):
        said = {}
        for renderer in plot.renderers:
            data = renderer.data_source.data
            if "label" in data:
                rows = zip(
                    *(data[k] for k in ("label", "date", "value", "source", "y")), strict=True
                )
                said |= {row[0]: row[1:] for row in rows}
        assert set(said) == set(series.label)
        for i, label in enumerate(series.label):
            date, value, source, y = said[label]
            assert date == str(series.date[i])
            assert value == f"{series.value[i]:.3g} {series.unit}"
            assert source == series.source[i]
            assert y == pytest.approx(series.value[i])


def test_words_are_put_into_tips_as_text(alexnet_fit):
    for name in OF_ONE_FIT:
        model = getattr(interactive, name)(alexnet_fit)
        for tip in model.select({"type": HoverTool}):
            assert "{safe}" not in tip.tooltips


def test_log_and_linear_views(alexnet_fit):
    for name, first in (("trend", "log"), ("factor", "linear"), ("forecast", "log")):
        model = getattr(interactive, name)(alexnet_fit)
        other = {"log": "linear", "linear": "log"}[first]
        assert [tab.title for tab in model.tabs] == [f"{first} axis", f"{other} axis"]
        kinds = {"log": "LogAxis", "linear": "LinearAxis"}
        assert [tab.child.yaxis[0].__class__.__name__ for tab in model.tabs] == [
            kinds[first],
            kinds[other],
        ]


def test_doubling_time_in_months_and_years_with_interval_and_claim(alexnet_fit):
    median, low, high, _ = alexnet_fit.doubling_time()
    for unit, months in (("months", 1.0), ("years", 12.0)):
        [chart] = posterior_charts.doubling_time(alexnet_fit, 16.0, unit).charts
        assert chart.x.name.startswith(f"doubling time, {unit}")
        rules = {
            layer.name.split(",")[0]: layer.at for layer in chart.layers if isinstance(layer, Rule)
        }
        assert rules == pytest.approx({"median": median / months, "published": 16.0 / months})
        [inside] = [layer for layer in chart.layers if layer.name == "95 % interval"]
        step = float(np.diff(inside.x[:2])[0])
        assert inside.x[0] == pytest.approx(low / months, abs=step)
        assert inside.x[-1] == pytest.approx(high / months, abs=step)


def test_the_density_of_the_doubling_time_is_that_of_its_draws(alexnet_fit):
    [chart] = posterior_charts.doubling_time(alexnet_fit).charts
    [curve] = [layer for layer in chart.layers if layer.name == "posterior"]
    shares = np.cumsum(curve.y) / curve.y.sum()
    months = np.ravel(12.0 / alexnet_fit.draws["rate"])
    months = months[(months > curve.x[0]) & (months < curve.x[-1])]
    for prob in (0.1, 0.5, 0.9):
        drawn = float(np.interp(prob, shares, curve.x))
        assert drawn == pytest.approx(np.quantile(months, prob), rel=0.03)


def test_no_progress_is_said_and_nothing_breaks(signed_fit):
    assert signed_fit.doubling_time().high is None
    [chart] = posterior_charts.doubling_time(signed_fit).charts
    share = float(np.mean(signed_fit.draws["rate"] <= 0.0))
    assert "longer, or no progress: " in chart.x.name
    assert float(chart.x.name.rpartition(" ")[2]) >= round(share, 2)
    [chart] = posterior_charts.forest([signed_fit]).charts
    [beyond] = [layer for layer in chart.layers if layer.name == "goes on, or no progress"]
    assert beyond.marker == ">"
    assert dict(beyond.about[0])["95 %"].endswith("or no progress")
    for name in OF_ONE_FIT:
        assert isinstance(getattr(report_figures, name)(signed_fit), Figure)
        json.dumps(offline.as_data(getattr(interactive, name)(signed_fit)), allow_nan=False)


def test_decline_alone_is_drawn_too():
    series = make_series(
        ["2015-01-01", "2015-07-01", "2016-01-01", "2017-01-01"], [1.0, 4.0, 16.0, 250.0]
    )
    fit = eb.sample(series, prior="signed", seed=0)
    assert fit.doubling_time().low is None
    figure = report_figures.forest([fit])
    assert isinstance(figure, Figure)
    assert isinstance(report_figures.doubling_time(fit, published=12.0), Figure)


def test_a_forecast_holds_trend_and_new_systems(alexnet_fit):
    [chart] = trend_charts.forecast(alexnet_fit, "2024-06-01").charts
    bands = {layer.name: layer for layer in chart.layers if isinstance(layer, Band)}
    found = alexnet_fit.forecast(at="2024-06-01")
    for name, estimate in (
        ("95 % band", found.trend),
        ("95 % band of a new system", found.predictive),
    ):
        last = bands[name]
        assert str(last.x[-1])[:10] == "2024-06-01"
        # Both are quantiles of the same draws; new systems by twice as many.
        assert last.low[-1] == pytest.approx(estimate.low, rel=0.15)
        assert last.high[-1] == pytest.approx(estimate.high, rel=0.15)
    with pytest.raises(eb.UsageError, match="after the last row"):
        report_figures.forecast(alexnet_fit, until="2015-01-01")


def test_a_row_far_from_what_the_fit_expects_is_marked():
    dates = [f"20{year}-01-01" for year in range(10, 22)]
    value = 2.0 ** -np.arange(12.0)
    value[6] *= 8.0
    fit = eb.sample(make_series(dates, value), seed=0)
    [chart] = trend_charts.predictive_check(fit).charts
    [outside] = [layer for layer in chart.layers if layer.name == "rows outside 95 %"]
    assert [dict(each)["label"] for each in outside.about] == ["row 6"]
    assert outside.color == ORANGE


def test_prior_and_posterior_of_every_parameter(alexnet_fit):
    charts = posterior_charts.prior_posterior(alexnet_fit).charts
    assert [chart.title for chart in charts] == ["doubling time", "alpha", "sigma"]
    for chart in charts:
        assert [layer.name for layer in chart.layers if isinstance(layer, Line)] == [
            "prior",
            "posterior",
        ]
    flat = eb.sample(alexnet_fit.series, prior="reference", seed=0, warmup=100, draws=100)
    for module in (report_figures, interactive):
        with pytest.raises(eb.UsageError, match="improper"):
            module.prior_posterior(flat)


def leaves_band(fit):
    [chart, *_] = sampler_charts.ranks(fit).charts
    [band] = [layer for layer in chart.layers if isinstance(layer, Band)]
    lines = [layer for layer in chart.layers if isinstance(layer, Line)]
    assert len(lines) == 4
    return any(np.any((line.y < band.low) | (line.y > band.high)) for line in lines)


def test_ranks_of_chains_of_which_one_is_elsewhere_leave_the_band(alexnet_fit):
    alike = np.random.default_rng(3).standard_normal(alexnet_fit.draws["rate"].shape)
    draws = {**alexnet_fit.draws, "rate": alike}
    assert not leaves_band(replace(alexnet_fit, draws=draws))
    alike[0] += 1.0
    assert leaves_band(replace(alexnet_fit, draws=draws))


@pytest.mark.parametrize(("draws", "chains"), [(50, 4), (100, 2)])
def test_of_alike_chains_one_in_twenty_leaves_the_band(draws, chains):
    share, low, high = rank_band(draws, chains)
    rng = np.random.default_rng(0)
    left, sets = 0, 1000
    for _ in range(sets):
        ranks = relative_ranks(rng.standard_normal((chains, draws)))
        below = [np.searchsorted(np.sort(each), share, side="right") / draws for each in ranks]
        left += any(np.any((each < low - 1e-9) | (each > high + 1e-9)) for each in below)
    # Counts are whole, so that less than 5 % may leave; its own simulations are 2,000. This is to
    # fail by chance once in a million changes: five standard deviations of the count.
    assert 0.015 * sets < left < 0.05 * sets + 5.0 * np.sqrt(sets * 0.05)


def test_energy_states_the_smallest_bfmi(alexnet_fit):
    assert f"{alexnet_fit.diagnostics.bfmi_min:.2f}" in words(report_figures.energy(alexnet_fit))


def test_what_did_not_converge_says_so_in_every_picture(bad_fit):
    for name in OF_ONE_FIT:
        assert "id not converge" in words(getattr(report_figures, name)(bad_fit))
        titles = [
            one.text
            for one in plots(getattr(interactive, name)(bad_fit))[0].above
            if hasattr(one, "text")
        ]
        assert any("id not converge" in title for title in titles)


def test_several_series_and_several_models(alexnet_fit, signed_fit, bad_fit):
    claims = {alexnet_fit.id: 16.0}
    [axes] = report_figures.forest([alexnet_fit, signed_fit], published=claims).axes
    assert [tick.get_text() for tick in axes.get_yticklabels()] == [alexnet_fit.id, signed_fit.id]
    assert axes.get_xscale() == "log"
    assert axes.get_xlabel() == "doubling time, months"
    model = interactive.forest([alexnet_fit, signed_fit], published=claims)
    assert [tab.title for tab in model.tabs] == ["months", "years"]
    assert [one.text for one in model.tabs[0].child.yaxis[0].major_label_overrides.values()] == [
        alexnet_fit.id,
        signed_fit.id,
    ]
    assert "Not converged: 1 of 2" in words(report_figures.models([alexnet_fit, bad_fit]))
    records = eb.sample(alexnet_fit.series, "records", seed=0, warmup=100, draws=100)
    robust = eb.sample(alexnet_fit.series, robust=True, seed=0, warmup=100, draws=100)
    [chart] = posterior_charts.models([alexnet_fit, records]).charts
    assert chart.y.names == ("loglinear", "records")
    [chart] = posterior_charts.models([alexnet_fit, robust]).charts
    assert chart.y.names[1].startswith("loglinear, ")
    for module in (report_figures, interactive):
        with pytest.raises(eb.UsageError, match="no fit"):
            module.models([])


def test_every_layer_shows_all_of_its_own_rows(alexnet_fit):
    # A view of Bokeh keeps the rows of one source: shared by two layers, it would hide some.
    for name in OF_ONE_FIT:
        for plot in plots(getattr(interactive, name)(alexnet_fit)):
            views = [renderer.view for renderer in plot.renderers]
            assert len({id(view) for view in views}) == len(views)
