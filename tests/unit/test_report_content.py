"""What a report says: of one run, of several series, of a pooled run, of models side by side."""

from __future__ import annotations

import re
import shlex
from dataclasses import asdict
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import effbayes as eb
from effbayes import wording
from effbayes.cli import render
from effbayes.inference.nuts import SamplerSettings
from effbayes.models.broken_line import INNER
from effbayes.models.catalogue import MODELS
from effbayes.models.loglinear import Priors
from effbayes.report import (
    markdown,
    mathematics,
    of_a_run,
    of_several,
    pictures,
    plain_numbers,
    reproducing,
)
from effbayes.report.document import Document, Picture, Points, Table
from effbayes.trend import rate_per_year

SEED = 4
PRIORS = ("default", "signed", "reference")


def fit_of(model: str = "loglinear", **options):
    series = eb.load_series("imagenet", "alexnet-training")
    return eb.sample(series, model=model, seed=SEED, platform="cpu", **options)


@pytest.fixture(scope="module")
def fit():
    return fit_of()


def texts(document: Document) -> str:
    """All that is printed, without Markdown's own marks in the way."""
    return markdown.render(document, picture_folder="figures").replace("\\", "")


def test_numbers_are_those_of_the_summary(fit):
    found = of_a_run.document(fit, ci=0.8, kind="hdi")
    assert found.numbers == fit.summary(0.8, "hdi")
    months = found.numbers["doubling_time_months"]
    assert wording.number(months["median"]) in found.answer
    assert "80 % highest-density" in found.answer


def test_ids_of_pictures_and_tables_are_unique(fit):
    for document in (of_a_run.document(fit), of_several.document(domain())):
        for blocks in (document.pictures(), document.tables()):
            names = [block.id for block in blocks]
            assert len(names) == len(set(names))
            assert all(re.fullmatch(r"[a-z0-9-]+", name) for name in names)


def domain():
    found = eb.load_domain("imagenet")
    names = ("alexnet-training", "resnet50-training")
    return [eb.sample(found[name], seed=SEED, platform="cpu") for name in names]


def test_a_claim_is_judged(fit):
    found = texts(of_a_run.document(fit))
    as_fast = wording.probability(fit.prob_faster_than(16.0))
    assert f"posterior probability {as_fast}" in found
    assert "44 times in 7.00 years" in found


def test_where_there_may_be_no_progress_it_says_so():
    series = eb.load_series("go", "alphago-zero-level")
    found = of_a_run.document(eb.sample(series, prior="signed", seed=SEED, platform="cpu"))
    assert "or no progress" in found.answer
    assert "Two observations leave no scatter" in texts(found)


def test_models_are_compared():
    fits = [fit_of(), fit_of("changepoint")]
    comparison = eb.compare(fits, platform="cpu")
    found = of_a_run.document(fits[0], comparison=comparison)
    table = next(table for table in found.tables() if table.id == "models")
    assert [row[0].text for row in table.rows][-1] == "average by weight"
    assert {row[0].text for row in table.rows[:-1]} == {"loglinear", "changepoint"}
    assert comparison.sentence() in texts(found)


def test_a_change_of_the_rate_is_said_as_on_the_terminal():
    ends = {"median": 2.0, "low": 1.0, "high": 3.0}
    change = {
        "date": {"median": "2016-01-01", "low": "2015-01-01", "high": "2017-01-01"},
        "doubling_time_before_months": ends, "doubling_time_after_months": ends,
        "prob_faster_after": 0.9, "rate_ratio": ends,
    }  # fmt: skip
    found = of_a_run._of_the_model({"change": change})
    rows = [tuple(cell.text for cell in row) for row in found.rows]
    assert rows == render._of_the_model({"change": change})
    assert rows[-1] == ("rate after / rate before", "2.00 (1.00 to 3.00)")


@pytest.mark.parametrize("model", MODELS)
def test_every_model_has_its_mathematics(model):
    settings = fit_of(model).settings
    found = mathematics.priors(settings)
    assert not any("_" in word for word in found if "r_1" not in word and "r_2" not in word)
    assert mathematics.model(settings)


def test_priors_that_had_no_part_are_left_out():
    default, signed = (fit_of(prior=prior).settings for prior in ("default", "signed"))
    said = (
        "doubling time log-normal with median 18 months and standard deviation 1.2 of its logarithm"
    )
    assert said in mathematics.priors(default)
    assert "r ~ Normal(0, 2)" in mathematics.priors(signed)
    assert not any("18 months" in word for word in mathematics.priors(signed))
    flat = fit_of(prior="reference")
    assert mathematics.priors(flat.settings) == ["flat in alpha, r and log sigma"]
    assert "raised to a power it stays what it is" in texts(of_a_run.document(flat))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"robust": True},
        {"prior": "signed", "draws": 500},
        {"where": "all"},
        {"model": "records"},
        {"model": "changepoint", "where": "all"},
    ],
)
def test_the_command_makes_the_run_again(options):
    from tests.cli.program import run

    fit = fit_of(**options)
    program, *words = shlex.split(reproducing.command([fit.series], fit.settings))
    assert program == "effbayes"
    assert run(*words, "--json").json["rate_per_year"] == fit.summary()["rate_per_year"]


def test_the_usual_settings_are_those_of_the_sampler():
    assert asdict(SamplerSettings()) == {
        **reproducing.DEFAULTS, "max_tree_depth": reproducing.MAX_TREE_DEPTH
    }  # fmt: skip


def test_numbers_of_settings_are_printed_whole(fit):
    sampler = fit.settings["sampler"] | {"warmup": 1_000_000, "draws": 1_234_567}
    settings = fit.settings | {"sampler": sampler | {"target_accept": 0.9999999}}
    said = reproducing.command([fit.series], settings)
    assert "--warmup 1000000 --draws 1234567 --target-accept 0.9999999" in said


def test_what_the_command_line_does_not_have_is_named():
    fit = fit_of(prior=Priors(doubling_time_median=36.0), max_tree_depth=9)
    found = texts(of_a_run.document(fit))
    assert "doubling_time_median = 36 of the prior, max_tree_depth = 9" in found
    assert "Made in Python" not in texts(of_a_run.document(fit_of()))


def test_several_runs_have_a_command_each():
    lines = reproducing.command([fit.series for fit in domain()], fit_of().settings).splitlines()
    assert [line.split()[3:6] for line in lines] == [
        ["imagenet", "--series", "alexnet-training"],
        ["imagenet", "--series", "resnet50-training"],
    ]


def test_a_pooled_run_is_made_again_as_a_whole():
    from tests.cli.program import run

    translation = list(eb.load_domain("translation").values())
    some = [translation[0], eb.load_series("go", "alphago-zero-level")]
    whole, part = (
        eb.sample_pooled(series, seed=SEED, platform="cpu") for series in (translation, some)
    )
    _, *words = shlex.split(reproducing.command(translation, whole.settings))
    assert run(*words, "--json").json["population"] == whole.summary()["population"]
    member = whole.members[translation[1].id]
    assert reproducing.command([member.series], member.settings) == reproducing.command(
        translation, whole.settings
    )
    names = {"eb": eb}
    exec(reproducing.command(some, part.settings), names)  # noqa: S102 - what a reader would do
    assert names["run"].summary() == part.summary()


def test_a_table_of_the_readers_own():
    series = eb.load_series("imagenet", "alexnet-training")
    import dataclasses

    own = dataclasses.replace(series, domain="", name="mine")
    settings = fit_of().settings
    words = reproducing.command([own], settings)
    assert words.startswith("effbayes sample --data TABLE.csv")
    rising = dataclasses.replace(own, direction="rising", rows="frontier")
    table = "effbayes sample --data TABLE.csv --direction rising --where frontier"
    assert reproducing.command([rising], settings).startswith(table)
    pooled = settings | {"model": "hierarchical"}
    assert reproducing.command([rising] * 2, pooled).startswith(f"{table} --model hierarchical")


def test_a_pooled_run_of_other_rows_is_made_again_with_them(monkeypatch):
    some = [one.where("frontier") for one in eb.load_domain("translation").values()]
    settings = {
        "model": "hierarchical", "prior": "default", "noise": "normal",
        "sampler": reproducing.DEFAULTS | {"seed": 3},
    }  # fmt: skip
    words = ["--domain", "translation", "--where", "frontier", "--model", "hierarchical"]
    assert reproducing.command(some, settings).split()[2:-2] == words
    mixed = [some[0].where("all"), *some[1:]]
    monkeypatch.setattr(eb, "sample_pooled", lambda *_, **__: None)
    names = {}
    exec(reproducing.command(mixed, settings), names)  # noqa: S102 - what a reader would do
    assert [one.rows for one in names["series"]] == [one.rows for one in mixed]


def test_several_series_and_what_was_published():
    fits = domain()
    found = of_several.document(fits)
    table = next(table for table in found.tables() if table.id == "series")
    for row, fit, claim in zip(table.rows, fits, (16.0, 17.0), strict=True):
        assert row[0].text == fit.id
        assert row[3].value == claim
        expected = float(np.mean(fit.draws["rate"] >= rate_per_year(claim)))
        assert row[4].value == pytest.approx(expected, abs=1e-12)
    assert all(picture.explore is None for picture in found.pictures() if picture.id != "forest")


def own(values, **options):
    dates = [f"{2012 + 2 * i}-01-01" for i in range(len(values))]
    return eb.read_series(pd.DataFrame({"date": dates, "value": values}), **options)


def test_a_series_without_progress_is_not_left_out_of_the_answer(fit):
    flat = eb.sample(own([10, 13, 11, 14]), prior="signed", seed=SEED, platform="cpu")
    found = of_several.document([fit_of(prior="signed"), flat])
    assert "The median of table is no progress." in found.answer
    assert "Median doubling times of efficiency (95 % intervals) are" in found.answer


def test_a_loss_is_no_doubling_time_and_no_unit_leaves_no_gap():
    series = own([100, 50, 30, 10], direction="rising")
    found = of_a_run.document(eb.sample(series, prior="signed", seed=SEED, platform="cpu"))
    assert found.answer == "There is no progress (95 % equal-tailed credible interval)."
    assert found.pictures()[0].caption.startswith("Values, on a logarithmic axis.")
    assert not re.search(r" [.,;]|, \|", re.sub(r"\| ---.*", "", texts(found)))


def test_a_row_with_bounds_alone_has_no_value():
    table = pd.DataFrame(
        {"date": ["2012", "2014", "2016", "2018"], "value": [100, None, 30, 10]}
        | {"value_low": [None, 50, None, None], "value_high": [None, 80, None, None]}
    )
    found = of_a_run.document(eb.sample(eb.read_series(table), seed=SEED, platform="cpu"))
    cells = [cell for table in found.tables() for row in table.rows for cell in row]
    assert all(cell.value is None or np.isfinite(cell.value) for cell in cells)
    assert "nan" not in {cell.text for cell in cells}
    assert "50.0 to 80.0" in {cell.text for cell in cells}


def test_the_prior_is_checked_against_the_rows(fit):
    [table] = [each for each in of_a_run.document(fit).tables() if each.id == "prior-predictive"]
    assert [row[0].text for row in table.rows] == ["AlexNet", "MobileNet v1", "EfficientNet-b0"]
    drawn = fit.posterior["prior_predictive"]["y"].to_numpy()[0]
    low, middle, high = np.exp2(np.quantile(drawn[:, 0], [0.025, 0.5, 0.975]))
    assert table.rows[0][3].text == wording.estimate({"median": middle, "low": low, "high": high})
    assert "6 of 6 rows" in table.caption


def test_priors_say_why():
    why = {prior: mathematics.reasons(fit_of(prior=prior).settings) for prior in PRIORS}
    assert "95 % likely between 1.71 and 189 months; sigma is 95 % likely below" in why["default"]
    assert "rates of both signs are as likely" in why["signed"]
    assert "no one's belief" in why["reference"]


def test_runs_made_otherwise_are_not_put_side_by_side(fit):
    other = eb.load_series("go", "alphago-zero-level")
    with pytest.raises(eb.UsageError, match="these differ"):
        of_several.document([fit, eb.sample(other, seed=SEED + 1, platform="cpu")])


def test_a_pooled_run():
    series = [*eb.load_domain("translation").values(), eb.load_series("go", "alphago-zero-level")]
    run = eb.sample_pooled(series, seed=SEED, platform="cpu")
    found = of_several.pooled(run)
    assert found.numbers == run.summary()
    typical = found.numbers["population"]["doubling_time_typical_months"]
    assert wording.doubling_time(typical, "months") in found.answer
    rows = plain_numbers.summary(found.numbers)
    assert rows[0][:3] == ("", "hierarchical", "verdict")
    assert rows[1][2:4] == ("doubling_time_typical_months", typical["median"])
    assert {row[:2] for row in rows[5:]} == {(one.id, "hierarchical") for one in series}


def drawn(model: str, prior: str = "default", noise: str = "normal", **parameters: float):
    """A run of two draws, as far as rows of its draws ask."""
    return SimpleNamespace(
        id="go/alphago",
        settings={"model": model, "prior": prior, "noise": noise},
        draws={name: np.full((1, 2), x) for name, x in parameters.items()}
        | {"path_rate": np.zeros((1, 2, 3))},
        verdict=SimpleNamespace(ok=True),
    )


def test_draws_of_several_models_have_all_parameters_and_tell_the_models():
    fits = [
        drawn("frontier", rate=1.0, eta=2.0),
        drawn("loglinear", rate=3.0, sigma=4.0),
        drawn("loglinear", "signed", "student_t", rate=5.0, sigma=6.0),
        drawn("loglinear", rate=7.0, sigma=8.0),
    ]
    header, rows = plain_numbers.draws(fits)
    assert header == ("series", "model", "chain", "draw", "rate", "eta", "sigma", "converged")
    assert rows[::2] == [
        ("go/alphago", "frontier", 0, 0, 1.0, 2.0, None, True),
        ("go/alphago", "loglinear #1", 0, 0, 3.0, None, 4.0, True),
        ("go/alphago", "loglinear (signed) (robust)", 0, 0, 5.0, None, 6.0, True),
        ("go/alphago", "loglinear #2", 0, 0, 7.0, None, 8.0, True),
    ]
    assert plain_numbers.draws(fits[::-1])[0][4:] == ("rate", "sigma", "eta", "converged")


def numbers_of(model: str, **own):
    return {
        "domain": "go", "series": "alphago", "model": model, "prior": "default", "noise": "normal",
        "prob_progress": 0.9, "references": [{"name": "moore", "prob_faster": 0.7}],
        "diagnostics": {"verdict": "ok", "reasons": []}, **own,
    }  # fmt: skip


def test_rows_of_a_summary_are_all_that_it_estimates_each_with_a_key_of_its_own():
    ends = {"median": 2.0, "low": 1.0, "high": None, "note": "none"}
    rates = [{"date": date, **ends} for date in ("2016-01-01", "2017-01-01")]
    parts = [
        numbers_of("drift", drift={"doubling_time_at_end_months": ends, "rate": rates}),
        numbers_of("changepoint", change={"prob_faster_after": 0.25}),
        numbers_of("changepoint", change={"prob_faster_after": 0.5}),
    ]
    rows = plain_numbers.summary({"schema": "effbayes.summaries/1", "summaries": parts})
    assert all(len(row) == len(plain_numbers.HEADER) for row in rows)
    found = {row[:3]: row[3:] for row in rows}
    assert len(found) == len(rows)
    for date in ("2016-01-01", "2017-01-01"):
        assert found["go/alphago", "drift", f"drift.rate.{date}"] == (2.0, 1.0, None, "none")
    assert found["go/alphago", "drift", "prob_progress"] == (0.9, None, None, "")
    assert found["go/alphago", "drift", "prob_faster.moore"] == (0.7, None, None, "")
    for model, prob in (("changepoint #1", 0.25), ("changepoint #2", 0.5)):
        assert found["go/alphago", model, "change.prob_faster_after"][0] == prob


def test_pictures_say_what_they_show_to_those_who_do_not_see_them(fit):
    for picture in of_a_run.document(fit).pictures():
        assert isinstance(picture, Picture)
        assert len(picture.alt) > 10
        assert picture.caption.endswith(".")


def test_a_claim_beyond_the_axis_is_not_said_to_be_a_line(fit):
    said = fit.summary()
    near, far = (pictures.doubling_time(fit, said, months).caption for months in (16.0, 1e6))
    assert near.endswith("The dashed line is the published claim.")
    assert far.endswith("The published claim lies beyond the axis.")


def test_words_have_the_numbers_of_the_program():
    assert f"within the inner {100 * INNER:g} % of the span" in mathematics.WORDS["changepoint"]


def test_remarks_of_the_run_are_in_it():
    series = eb.load_series("imagenet", "resnet50-training")
    run = eb.sample(series, seed=SEED, platform="cpu")
    blocks = [block for section in of_a_run.document(run).sections for block in section.blocks]
    said = [item for block in blocks if isinstance(block, Points) for item in block.items]
    assert set(run.notes) <= set(said)
    tables = [block for block in blocks if isinstance(block, Table)]
    assert any("Corrections" in table.caption for table in tables)
