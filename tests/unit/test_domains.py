"""The catalogue: what is in it, under which names, and what it says of itself."""

import subprocess
import sys
from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from effbayes import domains
from effbayes.errors import EffbayesError, UsageError

ALL = [(info.domain, info.series) for info in domains.describe()]
every_series = pytest.mark.parametrize(
    ("domain", "series"), ALL, ids=["/".join(key) for key in ALL]
)


def test_names_of_the_domains():
    assert domains.domain_names() == domains.DOMAINS
    assert list(dict.fromkeys(domain for domain, _ in ALL)) == list(domains.DOMAINS)


@pytest.mark.parametrize(
    ("domain", "series"),
    [
        (
            "imagenet",
            ["alexnet-training", "resnet50-training", "alexnet-inference", "resnet50-inference"],
        ),
        ("translation", ["seq2seq", "gnmt"]),
        ("go", ["alphago-zero-level"]),
        ("dota2", ["openai-five-level"]),
        ("nanogpt", ["minutes", "tokens"]),
        ("cifar10", ["a100", "v100", "airbench94-pflop", "airbench96-pflop"]),
        ("imagenet-fixed-hardware", ["8xv100", "cloud-tpu"]),
    ],
)
def test_series_of_a_domain_main_one_first(domain, series):
    assert list(domains.load_domain(domain)) == series


@every_series
@pytest.mark.parametrize("published", [False, True], ids=["corrected", "published"])
def test_every_series_can_have_a_trend(domain, series, published):
    loaded = domains.load_series(domain, series, published=published)
    loaded.require_trend()
    assert loaded.id == f"{domain}/{series}"
    assert loaded.published is published
    assert loaded.direction == "falling"
    assert loaded.title
    assert loaded.unit
    assert all(loaded.source)
    assert np.all(loaded.value > 0)


def test_alexnet_level_uses_its_six_records_of_sixteen():
    series = domains.load_series("imagenet", "alexnet-training")
    assert (series.n_obs, series.n_table, series.rows) == (6, 16, "frontier")
    assert series.span == ("2012-06-01", "2019-05-28")
    assert series.has_bounds
    assert [name for name, used in zip(series.label, series.used, strict=True) if used] == [
        "AlexNet",
        "GoogLeNet",
        "MobileNet v1",
        "ShuffleNet v1 1x",
        "ShuffleNet v2 1x",
        "EfficientNet-b0",
    ]


def test_published_figures_come_without_what_the_project_adds():
    series = domains.load_series("imagenet", "alexnet-training", published=True)
    assert series.n_obs == 6
    assert not series.has_bounds
    assert series.value[series.used].tolist() == [3.1, 0.71, 0.28, 0.15, 0.12, 0.069]
    assert str(series.date[series.label.index("ShuffleNet v2 1x")]) == "2018-06-30"
    rerun = domains.load_series("dota2", "openai-five-level", published=True)
    assert str(rerun.date[1]) == "2019-06-13"
    assert not rerun.value_sd.any()
    assert not rerun.date_sd_days.any()


def test_uncertainties_of_the_corrected_figures():
    dota = domains.load_series("dota2", "openai-five-level")
    # d log2(v) = dv / (v ln 2), with 50 of 770 and 5 of 150.
    assert dota.value_sd == pytest.approx([0.0936815, 0.0480898], abs=1e-7)
    assert dota.date_sd_days[1] == pytest.approx(8.8)
    v100 = domains.load_series("cifar10", "v100")
    year_alone = v100.label.index("ResNet-9 bag of tricks (Page)")
    assert v100.date_sd_days[year_alone] == pytest.approx(365.25 / 12**0.5, rel=2e-3)
    assert v100.n_obs == v100.n_table == 8


def test_speedrun_records_of_the_list_are_used_and_re_timings_are_not():
    series = domains.load_series("nanogpt", "minutes")
    left_out = [n for n, used in zip(series.label, series.used, strict=True) if not used]
    assert left_out == ["#21 re-timed, new rules", "#21 re-timed, newer torch"]
    assert domains.load_series("nanogpt", "tokens").n_obs == 88


def test_describe_agrees_with_the_series():
    by_name = {(info.domain, info.series): info for info in domains.describe()}
    alexnet = by_name["imagenet", "alexnet-training"]
    assert alexnet.main
    assert alexnet.claim is not None
    assert alexnet.claim.doubling_time_months == 16
    assert (alexnet.n_obs, alexnet.n_table, alexnet.rows) == (6, 16, "frontier")
    assert by_name["nanogpt", "minutes"].claim is None
    for (domain, name), info in by_name.items():
        series = domains.load_series(domain, name)
        assert (info.unit, info.span, info.title) == (series.unit, series.span, series.title)


def test_describe_as_published_has_the_published_dates():
    spans = {info.series: info.span for info in domains.describe(published=True)}
    assert spans["seq2seq"] == ("2014-01-10", "2017-01-12")


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: domains.load_domain("imagnet"), "did you mean imagenet?"),
        (lambda: domains.load_domain("ImageNet"), "did you mean imagenet?"),
        (lambda: domains.load_series("translation", "seq2sec"), "did you mean seq2seq?"),
        (lambda: domains.load_series("go", "chess"), "Known: alphago-zero-level"),
        (lambda: domains.load_domain(""), "''. Known: imagenet, translation"),
        (lambda: domains.reference_rate("huang"), "'huang'. Known: moore, "),
    ],
)
def test_an_unknown_name_is_met_with_the_known_ones(call, told):
    with pytest.raises(UsageError) as caught:
        call()
    assert told in str(caught.value)
    assert caught.value.exit_code == 2


def test_claims():
    claims = domains.published_claims()
    assert [claim.doubling_time_months for claim in claims[:6]] == [16, 17, 15, 13, 6, 4]
    solver = claims[-1]
    assert (solver.domain, solver.series, solver.factor) == ("", "", 500_000)
    assert all(claim.source for claim in claims)
    with pytest.raises(FrozenInstanceError):
        solver.factor = 1.0


def test_reference_rates():
    rates = {rate.name: rate.doubling_time_months for rate in domains.reference_rates()}
    assert rates == {
        "moore": 24,
        "moore-18": 18,
        "transistor-density": 24,
        "dna-sequencing": 10,
        "solar": 72,
        "ai-and-compute": 3.4,
        "ai-and-compute-2018": 3.5,
        "slowdown": 60,
    }


def test_a_reference_rate_by_name():
    assert domains.reference_rate("solar").doubling_time_months == 72
    domains.reference_rates().clear()
    assert domains.reference_rate("moore") == domains.reference_rates()[0]


def test_corrections_name_rows_that_exist():
    found = domains.corrections()
    assert len({correction.id for correction in found}) == len(found)
    for correction in found:
        series = domains.load_series(correction.domain, correction.series)
        assert correction.label in ("", *series.label)
        assert correction.reason
        assert correction.source


def test_callers_cannot_change_what_others_get():
    first = domains.load_domain("translation")
    first.clear()
    assert list(domains.load_domain("translation")) == ["seq2seq", "gnmt"]
    domains.published_claims().clear()
    assert domains.published_claims()


def test_missing_tables_are_reported(tmp_path, monkeypatch):
    monkeypatch.setattr(domains, "__file__", str(tmp_path / "effbayes" / "domains.py"))
    with pytest.raises(EffbayesError, match="install effbayes again"):
        domains.data_folder.__wrapped__()


def test_tables_of_an_installed_package_come_first(tmp_path, monkeypatch):
    inside = tmp_path / "effbayes" / "data"
    for folder in (inside, tmp_path / "data"):
        folder.mkdir(parents=True)
        (folder / domains.DESCRIPTOR).write_text("{}", encoding="utf-8")
    monkeypatch.setattr(domains, "__file__", str(tmp_path / "effbayes" / "domains.py"))
    assert domains.data_folder.__wrapped__() == inside


def test_listing_the_catalogue_loads_nothing_heavy():
    code = (
        "import sys; from effbayes import domains; domains.describe(); "
        "print(sorted({'jax', 'numpyro', 'pandas', 'scipy', 'xarray'} & set(sys.modules)))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "[]"
