"""The picture of a trend: what is drawn, for any table, and the same bytes each time."""

from __future__ import annotations

import io
import math
import re
import warnings
from dataclasses import replace
from itertools import combinations

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Annotation, Text

import effbayes as eb
from effbayes import figures, wording
from effbayes.figures.charts import about_row
from effbayes.figures.labels import _factor
from effbayes.figures.palette import BLUE, GRAY, PINK
from effbayes.figures.refits import Bar

from .conftest import make_series

DATES = ["2012-01-01", "2013-06-01", "2014-02-01", "2016-01-01"]


def lines_of(series, spread=0.1, seed=0, draws=400):
    """Straight lines through the rows used, with some scatter, as a function of years."""
    used = series.used
    days = (series.date[used] - series.date[used].min()).astype(float)
    origin = (np.datetime64(series.origin, "D") - series.date[used].min()).astype(float)
    value = np.where(np.isnan(series.value), series.value_low, series.value)[used]
    slope, start = np.polyfit((days - origin) / 365.25, np.log2(value), 1)
    rng = np.random.default_rng(seed)
    slopes = (slope + spread * rng.standard_normal(draws))[:, None]
    starts = (start + spread * rng.standard_normal(draws))[:, None]
    return lambda years: starts + slopes * years


def draw(series, **options):
    return figures.trend(series, lines_of(series), **options)


def words(figure):
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def labels(axes):
    return [one for one in axes.texts if isinstance(one, Annotation)]


def drawn(axes, color):
    """Points of the rows of one color."""
    found = [line for line in axes.lines if line.get_color() == color and line.get_marker() == "o"]
    return np.concatenate([line.get_ydata() for line in found]) if found else np.array([])


@pytest.fixture(scope="module")
def picture():
    series = eb.load_series("imagenet", "alexnet-training")
    return series, draw(series, about="loglinear model, default prior")


# --- what is drawn -------------------------------------------------------------------------------


def test_values_on_a_log_axis_and_efficiency_on_a_linear_one(picture):
    series, figure = picture
    value, efficiency = figure.axes
    assert (value.get_yscale(), efficiency.get_yscale()) == ("log", "linear")
    assert value.get_ylabel() == "teraflop/s-day"
    assert efficiency.get_ylabel() == "efficiency, relative to AlexNet"
    assert drawn(value, BLUE) == pytest.approx(series.value[series.used])
    assert drawn(value, GRAY) == pytest.approx(series.value[~series.used])
    assert drawn(efficiency, BLUE) == pytest.approx(series.value[0] / series.value[series.used])
    assert drawn(efficiency, GRAY) == pytest.approx(series.value[0] / series.value[~series.used])


def test_bands_are_quantiles_of_the_draws():
    series = eb.load_series("imagenet", "alexnet-training")
    level = lines_of(series, spread=0.3)
    value, efficiency = figures.trend(series, level).axes
    years = (series.ends[1] - series.date[0]).astype(float) / 365.25
    origin = float((series.origin - series.ends[0]) / np.timedelta64(1, "D")) / 365.25
    last = level(np.array([years - origin])).ravel()
    middle = 2.0 ** np.median(last)
    for axes, expected in ((value, middle), (efficiency, series.value[0] / middle)):
        wide, narrow = (band.get_paths()[0].vertices for band in axes.collections[:2])
        for vertices, probs in ((wide, (0.025, 0.975)), (narrow, (0.25, 0.75))):
            edge = vertices[vertices[:, 0] == vertices[:, 0].max(), 1]
            ends = np.quantile(last, probs)
            ends = 2.0**ends if axes is value else series.value[0] / 2.0 ** ends[::-1]
            assert (edge.min(), edge.max()) == pytest.approx(tuple(ends), rel=1e-6)
        [median] = [one for one in axes.lines if one.get_label() == "median trend"]
        assert median.get_ydata()[-1] == pytest.approx(expected, rel=1e-6)


def test_moores_law_is_eleven_times_in_seven_years(picture):
    series, figure = picture
    value, efficiency = figure.axes
    for axes, expected in ((value, series.value[0] / 2**3.4935), (efficiency, 2**3.4935)):
        [moore] = [one for one in axes.lines if one.get_label().startswith("Moore")]
        assert moore.get_ydata()[-1] == pytest.approx(expected, rel=1e-4)


def test_caption_legend_and_verdict(picture):
    series, figure = picture
    said = " ".join(" ".join(words(figure)).split())
    assert "Loglinear model, default prior." in said
    assert "50 % and 95 % posterior probability" in said
    assert "6 of 16 rows are used" in said
    assert "Bars: bounds, or one standard deviation." in said
    assert "did not converge" not in said
    names = {text.get_text() for text in figure.axes[0].get_legend().get_texts()}
    assert {
        "records, used",
        "other rows, not used",
        "95 % band",
        "50 % band",
        "median trend",
    } <= names
    assert "did not converge" in " ".join(words(draw(series, verdict="not converged")))


@pytest.mark.parametrize("panels", ["value", "efficiency"])
def test_one_panel(panels):
    series = eb.load_series("translation", "gnmt")
    [axes] = draw(series, panels=panels).axes
    assert axes.get_yscale() == ("log" if panels == "value" else "linear")
    with pytest.raises(eb.UsageError, match="both, value, efficiency"):
        draw(series, panels="neither")


def test_an_analysis_draws_itself(alexnet_fit):
    figure = alexnet_fit.plot()
    assert len(figure.axes) == 2
    [axes] = alexnet_fit.plot("efficiency").axes
    assert axes.get_yscale() == "linear"


# --- labels --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("domain", "name", "least"),
    [("imagenet", "alexnet-training", 5), ("nanogpt", "minutes", 1), ("cifar10", "v100", 3)],
)
def test_labels_touch_neither_each_other_nor_a_point(domain, name, least):
    series = eb.load_series(domain, name)
    figure = draw(series)
    figure.draw_without_rendering()
    renderer = figure.canvas.get_renderer()
    for axes in figure.axes:
        placed = labels(axes)
        assert len(placed) >= least
        boxes = [Text.get_window_extent(one, renderer) for one in placed]
        assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))
        assert not any(box.overlaps(axes.get_legend().get_window_extent(renderer))
                       for box in boxes if axes.get_legend())  # fmt: skip
        points = [line for line in axes.lines if line.get_marker() == "o"]
        pixels = np.concatenate([axes.transData.transform(line.get_xydata()) for line in points])
        assert not any(box.contains(*pixel) for box in boxes for pixel in pixels)
        assert all(figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1 for box in boxes)


def test_efficiency_labels_say_the_factor(picture):
    _, figure = picture
    assert "EfficientNet-b0 (44×)" in {one.get_text() for one in labels(figure.axes[1])}


@pytest.mark.parametrize(
    ("factor", "shown"), [(9.97, "10×"), (99.4, "99×"), (99.7, "100×"), (999.7, "1,000×")]
)
def test_a_factor_that_is_rounded_up_has_no_power_of_ten(factor, shown):
    assert _factor(math.log2(factor)) == shown


def test_digits_of_a_picture_are_those_of_the_text():
    series = make_series(DATES[:2], [999.7, 12.0])
    assert dict(about_row(series, 0))["value"] == f"{wording.number(999.7)} unit"


# --- any table -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", figures.FORMATS)
def test_the_same_bytes_each_time(kind):
    series = eb.load_series("imagenet", "alexnet-training")
    first, second = (figures.render(draw(series), kind) for _ in range(2))
    assert first == second
    start = {"svg": b"<?xml", "png": b"\x89PNG", "pdf": b"%PDF"}[kind]
    assert first.startswith(start)


def test_a_user_s_settings_change_nothing():
    series = eb.load_series("translation", "gnmt")
    plain = figures.render(draw(series), "svg")
    with mpl.rc_context({"font.size": 30, "axes.grid": True, "savefig.bbox": "tight"}):
        before = dict(mpl.rcParams)
        assert figures.render(draw(series), "svg") == plain
        assert dict(mpl.rcParams) == before


@pytest.mark.parametrize("kind", ["gif", "SVG", ""])
def test_other_formats_are_refused(kind):
    with pytest.raises(eb.UsageError, match="svg, png, pdf"):
        figures.render(draw(eb.load_series("translation", "gnmt")), kind)


WORDS = [
    r"cost in $ and \frac $x$ ^_{",
    "データ 数据 بيانات",
    "x" * 10_000,
    "\x1b[31m\u202eabc\x00\ud800\n\t ",
    "",
]


@pytest.mark.parametrize("text", WORDS, ids=["mathematics", "scripts", "long", "controls", "none"])
def test_words_of_a_table_stay_words(text):
    series = make_series(
        DATES, [16.0, 9.0, 5.0, 1.0], title=text, unit=text, label=(text, "b", text, text)
    )
    figure = draw(series)
    content = figures.render(figure, "png")
    assert content.startswith(b"\x89PNG")
    assert max(map(len, words(figure))) < 500
    assert not any("\x1b" in one or "\u202e" in one for one in words(figure))
    if "$" in text:
        assert text in words(figure)


def series_with(value, direction="falling", **columns):
    return make_series(DATES[: len(value)], value, direction=direction, **columns)


NONE = np.nan
TABLES = {
    "rising": series_with([1.0, 3.0, 5.0, 20.0], "rising"),
    "two points": series_with([8.0, 1.0]),
    "no progress": series_with([1.0, 2.0, 4.0, 9.0]),
    "level": series_with([3.0, 3.0, 3.0, 3.0]),
    "one part in a million": series_with([1.000001, 1.0000005, 1.0000002, 1.0]),
    "huge range": series_with([1e300, 1e100, 1e-50, 1e-300]),
    "huge range, rising": series_with([1e-300, 1e-50, 1e100, 1e300], "rising"),
    "extremes of double precision": series_with([1.7e308, 1.0, 1e-10, 5e-324]),
    "bounds alone": series_with(
        [NONE] * 4,
        value_low=np.array([10.0, 5.0, 2.0, 1.0]),
        value_high=np.array([20.0, NONE, 3.0, 1.5]),
    ),
    "errors": series_with(
        [16.0, 9.0, 5.0, 1.0],
        value_sd=np.array([0.5, 0.0, 2.0, 0.1]),
        date_sd_days=np.array([30.0, 0.0, 200.0, 0.0]),
    ),
    "first centuries": make_series(["0001-01-01", "9999-12-31"], [4.0, 1.0]),
    "two days": make_series(["2020-01-01", "2020-01-02"], [4.0, 1.0]),
    "unused rows": series_with([8.0, 9.0, 4.0, 1.0], used=np.array([True, False, True, True])),
    "no record": series_with([8.0, 9.0, 4.0, 1.0], frontier=np.zeros(4, dtype=bool)),
}


@pytest.mark.parametrize("name", TABLES)
def test_any_table_has_a_picture(name):
    figure = draw(TABLES[name])
    for kind in ("svg", "png"):
        assert len(figures.render(figure, kind)) > 5_000
    for axes in figure.axes:
        low, high = axes.get_ylim()
        assert np.isfinite([low, high]).all()
        assert low < high
        shown = [text.get_text() for text in axes.get_yticklabels() if text.get_text()]
        assert len(shown) >= 2
        assert len(shown) == len(set(shown))


def test_a_band_that_would_dwarf_the_rows_is_cut_and_said_so():
    series = series_with([8.0, 1.0])
    wide = figures.trend(series, lines_of(series, spread=8.0))
    assert "goes on beyond the axis" in " ".join(" ".join(words(wide)).split())
    assert wide.axes[1].get_ylim()[1] < 40.0
    assert "beyond the axis" not in " ".join(words(draw(series)))


def test_bounds_are_bars(picture):
    series, figure = picture
    [bars] = [one for one in figure.axes[0].containers if one.get_label() == "records, used"]
    ends = [segment[:, 1] for segment in bars.lines[2][-1].get_segments()]
    expected = np.stack([series.value_low, series.value_high], axis=1)[series.used]
    assert np.stack(ends) == pytest.approx(expected, rel=1e-12)


def test_many_draws_of_any_shape():
    series = eb.load_series("translation", "gnmt")
    flat = lines_of(series)
    figures.trend(series, lambda years: flat(years).reshape(4, 100, -1))


def test_no_warning_reaches_the_user():
    series = replace(eb.load_series("translation", "gnmt"), title="数据", label=("数", "据"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        svg = figures.render(draw(series), "svg")
    assert not re.search(rb"\d{4}-\d\d-\d\dT", svg)  # no time of making


def test_a_figure_can_be_saved_as_any_other():
    figure = draw(eb.load_series("translation", "gnmt"))
    assert isinstance(figure.canvas, FigureCanvasAgg)
    figure.savefig(io.BytesIO(), format="png")


def test_a_notebook_shows_a_figure_that_pyplot_did_not_make(picture):
    """IPython asks an object for its picture by this name."""
    _, figure = picture
    assert figure._repr_png_().startswith(b"\x89PNG")


def test_a_series_says_in_a_line_what_it_is():
    series = eb.load_series("imagenet", "alexnet-training")
    assert repr(series) == (
        "Series(imagenet/alexnet-training: 16 rows from 2012-06-01 to 2019-05-28, 6 used; "
        "teraflop/s-day, falling)"
    )


# --- many refits ---------------------------------------------------------------------------------

BASE = Bar("prior", "as fitted", 12.0, 16.0, 20.0)
CHOICES = (
    Bar("noise", "Student's t noise", 10.0, 14.0, None),
    Bar("prior", "the signed prior", None, None, None),
    Bar("model", "the drift model", 12.0, 15.0, 19.0),
)


def said(figure):
    return " ".join(" ".join(text.get_text().split()) for text in figure.findobj(Text))


def faces(figure):
    """Of the medians, by their place."""
    lines = [line for line in figure.axes[0].lines if line.get_marker() == "o"]
    return {int(line.get_ydata()[0]): line.get_markerfacecolor() for line in lines}


def test_a_tornado_names_choices_without_a_median():
    words = said(figures.tornado(BASE, CHOICES, title="t"))
    assert "No median, as there may be no progress: the signed prior." in words
    assert "converge" not in words
    none = figures.tornado(BASE._replace(median=None), CHOICES[1:2], title="t")
    assert "the signed prior" in said(none)


def test_a_tornado_says_what_did_not_converge():
    bad = [choice._replace(ok=False) for choice in CHOICES[:2]]
    figure = figures.tornado(BASE, [*bad, CHOICES[2]], title="t")
    assert "Did not converge: 2 of 3 choices. Do not rely on this." in said(figure)
    assert "the signed prior (not converged)" in said(figure)
    assert faces(figure) == {0: "white", 1: PINK}
    figure = figures.tornado(BASE._replace(ok=False), CHOICES, title="t")
    assert "Did not converge: the fit itself. Do not rely on this." in said(figure)
    assert "white" not in faces(figure).values()


@pytest.mark.parametrize("kind", ["tornado", "ranks"])
def test_a_user_s_settings_change_nothing_of_refits(kind):
    def drawn():
        if kind == "tornado":
            return figures.tornado(BASE, CHOICES, title="t")
        counts = np.array([0, 1, 2, 3, 3, 1])
        return figures.ranks({"rate": counts}, np.zeros(3, int), np.full(3, 6), title="t")

    plain = figures.render(drawn(), "svg")
    with mpl.rc_context({"font.size": 30, "axes.grid": True, "lines.markersize": 20}):
        assert figures.render(drawn(), "svg") == plain
