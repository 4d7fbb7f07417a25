"""What a report says: of one run, of several series, of a pooled run, of models side by side."""

from __future__ import annotations

import re
import shlex

import numpy as np
import pytest

import effbayes as eb
from effbayes import wording
from effbayes.models.catalogue import MODELS
from effbayes.report import markdown, mathematics, of_a_run, of_several, plain_numbers, reproducing
from effbayes.report.document import Document, Picture, Points, Table
from effbayes.trend import rate_per_year

SEED = 4


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


@pytest.mark.parametrize("model", MODELS)
def test_every_model_has_its_mathematics(model):
    settings = fit_of(model).settings
    found = mathematics.priors(settings)
    assert not any("_" in word for word in found if "r_1" not in word and "r_2" not in word)
    assert mathematics.model(settings)


def test_priors_that_had_no_part_are_left_out():
    default, signed = (fit_of(prior=prior).settings for prior in ("default", "signed"))
    assert "doubling time log-normal with median 18 months" in mathematics.priors(default)
    assert "r ~ Normal(0, 2)" in mathematics.priors(signed)
    assert not any("18 months" in word for word in mathematics.priors(signed))
    flat = fit_of(prior="reference")
    assert mathematics.priors(flat.settings) == ["flat in alpha, r and log sigma"]
    assert "raised to a power it stays what it is" in texts(of_a_run.document(flat))


@pytest.mark.parametrize(
    "options",
    [{}, {"robust": True}, {"prior": "signed", "draws": 500}, {"where": "all"}],
)
def test_the_command_makes_the_run_again(options):
    from tests.cli.program import run

    fit = fit_of(**options)
    program, *words = shlex.split(reproducing.command([fit.series], fit.settings))
    assert program == "effbayes"
    assert run(*words, "--json").json["rate_per_year"] == fit.summary()["rate_per_year"]


def test_a_table_of_the_readers_own():
    series = eb.load_series("imagenet", "alexnet-training")
    import dataclasses

    own = dataclasses.replace(series, domain="", name="mine")
    words = reproducing.command([own], fit_of().settings)
    assert words.startswith("effbayes sample --data TABLE.csv")


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
    assert rows[0][:3] == ("", "doubling_time_typical_months", typical["median"])
    assert {row[0] for row in rows[4:]} == {one.id for one in series}


def test_pictures_say_what_they_show_to_those_who_do_not_see_them(fit):
    for picture in of_a_run.document(fit).pictures():
        assert isinstance(picture, Picture)
        assert len(picture.alt) > 10
        assert picture.caption.endswith(".")


def test_remarks_of_the_run_are_in_it():
    series = eb.load_series("imagenet", "resnet50-training")
    run = eb.sample(series, seed=SEED, platform="cpu")
    blocks = [block for section in of_a_run.document(run).sections for block in section.blocks]
    said = [item for block in blocks if isinstance(block, Points) for item in block.items]
    assert set(run.notes) <= set(said)
    tables = [block for block in blocks if isinstance(block, Table)]
    assert any("Corrections" in table.caption for table in tables)
