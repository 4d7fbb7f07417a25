"""Published claims: as printed, against their own data, and against the posterior."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path

import arviz
import numpy as np
import pytest
from scipy import stats

import effbayes as eb
from effbayes import domains, findings, printed, reproduction
from effbayes.claims import _within
from effbayes.cli.reproducing import Section, as_markdown, sections
from effbayes.printed import Room
from effbayes.report.markdown import text
from effbayes.types import Estimate

PAGE = Path(__file__).parents[2] / "docs" / "published-claims.md"
TEXTS = [one.text for one in [*domains.published_claims(), *domains.printed_figures()]]
SERIES = sorted({(one.domain, one.series) for one in domains.published_claims() if one.series})
NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?")


@pytest.fixture(scope="module")
def found():
    return eb.reproduce(seed=0)


@pytest.fixture(scope="module")
def rows(found):
    return {(row.kind, row.claim): row for row in found.rows}


def row_of(rows, kind, start):
    [row] = [row for key, row in rows.items() if key[0] == kind and key[1].startswith(start)]
    return row


# --- as printed ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("figure", "low", "high"),
    [("44", 43.5, 44.5), ("0.75", 0.745, 0.755), ("500000", 450_000, 550_000), ("10", 9.5, 10.5)],
)
def test_a_printed_figure_stands_for_what_rounds_to_it(figure, low, high):
    assert printed.rounded(figure) == pytest.approx((low, high), rel=1e-12)


@pytest.mark.parametrize("claim", [*domains.published_claims(), *domains.printed_figures()])
def test_the_columns_of_a_claim_are_what_its_text_says(claim):
    figures = printed.read(claim.text)
    assert figures.factor.low <= claim.factor <= figures.factor.high
    assert figures.years.low <= claim.period_years <= figures.years.high
    if isinstance(claim, domains.Claim):
        assert figures.months.low <= claim.doubling_time_months <= figures.months.high
    else:
        assert figures.months is None


@pytest.mark.parametrize("text", ["44x", "faster every year", "44x in some years", "x in 7 years"])
def test_a_claim_without_figures_is_refused(text):
    with pytest.raises(ValueError, match="does not end with a factor and a period"):
        printed.read(text)


def test_a_period_from_one_time_to_another_has_its_unit():
    assert printed.read("9x in 12 to 18 months").years == pytest.approx((1.0, 1.5))
    assert printed.read("9x in 1 to 2 years").years == (1.0, 2.0)


def test_moores_law_of_the_abstract_is_two_years_and_not_eighteen_months():
    implied = printed.read("11x in 7 years").implied_months
    # 12 x 6.5 / log2(11.5) and 12 x 7.5 / log2(10.5)
    assert implied == pytest.approx((22.137, 26.531), abs=1e-3)
    assert findings.against_rate(printed.read("11x in 7 years"), Room(24, 24)) == ()
    [said] = findings.against_rate(printed.read("11x in 7 years"), Room(18, 18))
    assert said.endswith("22.1 to 26.5 months, not 18")


# --- against their own data ----------------------------------------------------------------------


@pytest.mark.parametrize("published", [True, False], ids=["published", "corrected"])
@pytest.mark.parametrize(("domain", "name"), SERIES)
def test_the_line_through_a_table_is_scipys(domain, name, published):
    series = domains.load_series(domain, name, published=published)
    seen = findings.observed(series)
    days = series.date[series.used].astype(int)
    line = stats.linregress(days / 365.25, np.log2(series.value[series.used]))
    assert seen.doubling_time_months == pytest.approx(-12.0 / line.slope, rel=1e-9)
    values = series.value[series.used]
    assert seen.factor == pytest.approx(values[0] / values[-1], rel=1e-12)
    assert seen.years == pytest.approx((days[-1] - days[0]) / 365.25, rel=1e-12)
    assert (seen.n_obs, seen.span) == (series.n_obs, series.span)


def test_a_rising_series_gains_as_it_rises():
    falling = domains.load_series("translation", "seq2seq")
    rising = replace(falling, direction="rising", value=1.0 / falling.value)
    seen, mirrored = findings.observed(falling), findings.observed(rising)
    assert mirrored.factor == pytest.approx(seen.factor)
    assert mirrored.doubling_time_months == pytest.approx(seen.doubling_time_months)


def test_which_claims_do_not_follow_from_what_was_printed(rows):
    failing = {key: row.contradictions for key, row in rows.items() if row.contradictions}
    assert {(kind, text.split(":")[0]) for kind, text in failing} == {
        ("rate", "ResNet-50 to EfficientNet-b1"),
        ("factor", "AlexNet to EfficientNet-b0"),
        ("factor", "OpenAI Five to its rerun"),
    }
    factor, months = row_of(rows, "rate", "ResNet-50 to").contradictions
    assert factor == "factor 10 printed, 22.7 by the table"
    assert months.startswith("doubling time 17 mo printed, 11.7 by the table, 15.5 to 16.2")
    assert row_of(rows, "factor", "AlexNet to E").contradictions == (
        "period 6 y printed, 6.99 y by the table",
    )


def test_which_claims_do_not_follow_from_the_corrected_data(rows):
    failing = {row.claim.split(":")[0] for row in rows.values() if row.still_contradicts}
    assert failing == {
        "ResNet-50 to EfficientNet-b1",
        "GNMT to Transformer",
        "AlphaGo Zero to AlphaZero",
        "OpenAI Five to its rerun",
        "AlexNet to EfficientNet-b0",
    }
    assert not row_of(rows, "rate", "AlexNet to E").still_contradicts


def test_rates_beside_the_printed_moores_law(found):
    agreeing = {each.rate.name for each in found.references if each.agrees}
    assert agreeing == {"moore", "transistor-density"}
    factors = {each.rate.name: each.factor for each in found.references}
    assert factors["moore"] == pytest.approx(2**3.5)
    assert factors["moore-18"] == pytest.approx(2 ** (7 / 1.5))


# --- what is wrong in the tables -----------------------------------------------------------------


@pytest.fixture(scope="module")
def effects():
    return {
        (finding.number, each.series, each.reading): each
        for finding in findings.findings()
        for each in finding.effects
    }


def test_every_correction_is_in_one_finding():
    everything = findings.findings()
    assert [one.number for one in everything] == list(range(1, 14))
    listed = [row.id for one in everything for row in one.corrections]
    assert sorted(listed) == sorted(row.id for row in domains.corrections())
    assert set(findings.TITLES) == {one.number for one in everything}
    assert all(one.effects for one in everything)


def two_points(first, last, factor):
    days = (np.datetime64(last) - np.datetime64(first)) / np.timedelta64(1, "D")
    return 12 * days / 365.25 / math.log2(factor)


ALEXNET, RESNET = "imagenet/alexnet-training", "imagenet/resnet50-training"
EXPECTED = [
    (1, RESNET, "this finding corrected", 17 / 0.75, ("2015-12-10", "2019-05-28")),
    (1, "translation/seq2seq", "this finding corrected", 465 / 8, ("2014-09-10", "2017-06-12")),
    (1, "translation/gnmt", "this finding corrected", 1620 / 181, ("2016-09-26", "2017-06-12")),
    (3, RESNET, "published table", 17 / 0.75, ("2015-01-10", "2019-05-28")),
    (3, RESNET, "this finding corrected", 17 / 2.20889, ("2015-01-10", "2019-05-28")),
    (3, RESNET, "corrected table", 17 / 2.20889, ("2015-12-10", "2019-05-28")),
    (4, "translation/seq2seq", "published table", 58.125, ("2014-01-10", "2017-01-12")),
    (4, "translation/seq2seq", "corrected table", 4e19 / 6.6e17, ("2014-09-10", "2017-06-12")),
    (7, "go/alphago-zero-level", "published table", 8.0, ("2017-10-18", "2018-12-07")),
    (7, "go/alphago-zero-level", "corrected table", 4.4 * 70 / 39, ("2017-10-18", "2017-12-05")),
    (8, "dota2/openai-five-level", "published table", 77 / 15, ("2019-04-13", "2019-06-13")),
    (8, "dota2/openai-five-level", "corrected table", 77 / 15, ("2019-04-13", "2019-06-28")),
    (10, "translation/gnmt", "corrected table", 1.4 / 0.1564, ("2016-09-26", "2017-06-12")),
]  # fmt: skip


@pytest.mark.parametrize(("number", "series", "reading", "factor", "span"), EXPECTED)
def test_effect_of_a_finding_on_two_points(effects, number, series, reading, factor, span):
    effect = effects[number, series, reading]
    assert effect.factor == pytest.approx(factor, rel=2e-5)
    assert effect.doubling_time_months == pytest.approx(two_points(*span, factor), rel=2e-5)


def test_effects_on_alexnet_level(effects):
    six = {reading: each for (n, s, reading), each in effects.items() if n in {2, 9}}
    assert six["published table"].doubling_time_months == pytest.approx(15.7, abs=0.05)
    assert six["corrected table"].doubling_time_months == pytest.approx(15.9, abs=0.05)
    at_62 = six["AlexNet at 62 epochs"]
    assert at_62.factor == pytest.approx(six["corrected table"].factor * 62 / 90)
    assert round(at_62.factor, -1) == 30
    [sooner] = [each for reading, each in six.items() if "an epoch earlier" in reading]
    assert sooner.reading.startswith("EfficientNet-b0 an epoch earlier (0.42")
    assert sooner.factor == pytest.approx(six["corrected table"].factor * 4 / 3, rel=1e-5)
    later = six["AlexNet on 2012-12-03"]
    assert later.doubling_time_months < six["AlexNet on 2012-09-30"].doubling_time_months < 15.7


def test_units_change_nothing_but_dates_do(effects):
    for (number, series, reading), effect in effects.items():
        base = effects[number, series, "published table"]
        if reading == "two operations for each":
            assert effect.doubling_time_months == pytest.approx(base.doubling_time_months)
            assert effect.factor == pytest.approx(base.factor)
        if number in {1, 2, 12} and reading != "published table":
            assert effect.doubling_time_months != base.doubling_time_months
    assert {reading for number, _, reading in effects if number == 5} == {"published table"}


# --- against the posterior -----------------------------------------------------------------------


def test_every_fit_converged(found):
    assert {str(fit.verdict) for fit in found.fits.values()} == {"ok"}
    assert found.ok


def test_posteriors_are_those_of_sample(found, rows):
    row = row_of(rows, "rate", "AlexNet to E")
    for published, state in ((True, "published"), (False, "corrected")):
        series = eb.load_series("imagenet", "alexnet-training", published=published)
        fit = eb.sample(series, seed=0)
        time, factor = (getattr(each, state) for each in row.assessments)
        assert time.estimate == fit.doubling_time()
        assert time.prob == fit.prob_faster_than(16.0)
        assert factor.prob == np.mean(2.0 ** (7.0 * fit.draws["rate"]) > 44.0)
        assert factor.estimate.median == pytest.approx(
            np.median(2.0 ** (7.0 * fit.draws["rate"])), rel=1e-6
        )
    compared = row_of(rows, "comparison", "Faster").assessments[0]
    assert compared.corrected.prob == fit.prob_faster_than("moore")


def test_the_claim_of_two_thousand_and_twenty_lies_in_its_known_posterior(rows):
    """By quadrature, without bounds: 16.0 (13.2 to 21.2)."""
    time, factor = row_of(rows, "rate", "AlexNet to E").assessments
    assert time.published.estimate[:3] == pytest.approx((16.0, 13.2, 21.2), rel=0.06)
    assert time.holds
    assert factor.holds


def test_a_product_is_a_factor_times_the_printed_hardware(rows):
    product = row_of(rows, "product", "Effective").assessments[0]
    share = row_of(rows, "factor", "AlexNet to S").assessments[0]
    assert product.corrected.prob == share.corrected.prob
    assert product.corrected.estimate.median == pytest.approx(
        300_000 * share.corrected.estimate.median
    )
    assert share.years == pytest.approx(6.16, abs=0.005)


@pytest.mark.parametrize(
    ("estimate", "inside"),
    [
        (Estimate(16.0, 13.0, 21.0), True),
        (Estimate(20.0, 16.1, 30.0), False),
        (Estimate(10.0, 5.0, 15.9), False),
        (Estimate(16.0, 13.0, None), True),
        (Estimate(None, None, None), False),
    ],
)
def test_holding_is_lying_within(estimate, inside):
    assert _within(16.0, estimate) is inside


def test_data_that_are_the_same_are_sampled_once(monkeypatch):
    seen = []

    def quick(series, **settings):
        seen.append((series.id, series.published))
        return eb.sample(series, warmup=50, draws=10, chains=2)

    monkeypatch.setattr(reproduction, "sample", quick)
    found = eb.reproduce()
    assert len(seen) == len(set(seen)) == 14
    assert len(found.fits) == 16
    assert ("imagenet/resnet50-inference", False) not in seen
    assert not found.ok
    assert found.summary()["verdict"] == "not converged"
    assert "Not converged: " in as_markdown(sections(found.summary()))


def test_settings_are_checked_before_sampling():
    with pytest.raises(eb.UsageError, match="between 0 and 1"):
        eb.reproduce(ci=95)
    with pytest.raises(eb.UsageError, match="cores"):
        eb.reproduce(cores=4)


def test_summary_is_strict_json(found):
    document = found.summary()
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert document["schema"] == "effbayes.reproduction/1"
    assert len(document["claims"]) == len(TEXTS)


# --- the page ------------------------------------------------------------------------------------


def test_words_of_a_page_are_text_as_those_of_a_report_are():
    hostile = "[a](http://b) $x$ @you ~c~ {{ d }} | & <e>"
    page = [Section(hostile, [hostile], [hostile], [[hostile]], [hostile])]
    assert as_markdown(page).count(text(hostile)) == 5
    assert "| 15.8 |" in as_markdown([Section("t", (), ["months"], [["15.8"]])])


def test_the_page_is_what_the_command_prints(found):
    """Words and printed figures to the letter; figures of posteriors within their MCSE."""
    fresh = as_markdown(sections(found.summary())).split("## Made by")[0].splitlines()
    kept = PAGE.read_text(encoding="utf-8").split("## Made by")[0].splitlines()
    loose = posterior_lines(found)
    for old, new in zip_longest(kept, fresh, fillvalue=""):
        title = new.split("|")[1].strip() if new.startswith("|") else ""
        if new in loose:
            assert NUMBER.sub("#", old) == NUMBER.sub("#", new), title
            compared = zip(NUMBER.findall(old), NUMBER.findall(new), loose[new], strict=True)
            for one, other, room in compared:
                last_digit = 2.0 * 10.0 ** (math.floor(math.log10(float(clean(other)) or 1)) - 2)
                gap = abs(float(clean(one)) - float(clean(other)))
                assert gap <= room + last_digit, (title, one, other)
        else:
            assert old == new


def clean(number):
    return number.replace(",", "")


def posterior_lines(found):
    """Lines of the page with figures of posteriors, and how far each number may be off.

    Six standard errors of a difference: with 168 figures the false-alarm budget is 4e-7.
    """
    page = sections(found.summary())[2:5]
    wanted = ("doubling_time_months", "factor", "faster")
    loose = {}
    for section, quantity in zip(page, wanted, strict=True):
        text = as_markdown([section]).splitlines()
        lines = [line for line in text if line.startswith("|")][2:]
        pairs = [(r, a) for r in found.rows for a in r.assessments if a.quantity == quantity]
        for line, (row, assessment) in zip(lines, pairs, strict=True):
            name = f"{row.domain}/{row.series}"
            rates = [found.fits[name, published].draws["rate"] for published in (True, False)]
            errors = [error_of(rate, assessment) for rate in rates]
            states = (assessment.published, assessment.corrected)
            probs = [6 * math.sqrt(2 * s.prob * (1 - s.prob) / 400) + 1e-3 for s in states]
            figures = len(NUMBER.findall(line)) - 8
            loose[line] = [0.0] * figures + [e for three in errors for e in three] + probs
    return loose


def error_of(rate, assessment):
    """Six standard errors of a difference between two runs, for median, low and high end."""
    scale = 1.0
    if assessment.quantity == "doubling_time_months":
        draws = 12.0 / rate
    else:
        draws = 2.0 ** (rate * assessment.years)
        scale = assessment.corrected.estimate.median / np.median(draws)
        scale = scale if scale > 1e3 else 1.0
    names = {"q": np.asarray(draws)}
    return [
        6 * math.sqrt(2) * scale * float(arviz.mcse(names, method="quantile", prob=prob)["q"])
        for prob in (0.5, 0.025, 0.975)
    ]
