"""``domains``, ``validate`` and ``doctor``; and every table that cannot be sampled."""

import re

import pytest

import effbayes
from effbayes.domains import domain_names
from tests.cli.program import QUICK, run
from tests.unit.dataset.bad_tables import CASES

GOOD = "date,value\n2012-06-01,3.1\n2014-09-17,0.71\n2019-05-28,0.069\n"
REFUSED = [(name, content, rule) for name, content, rule in CASES if rule != "ok"]
LARGE = "100,000 rows"


# --- domains -----------------------------------------------------------------------------------


def test_every_domain_is_listed():
    result = run("domains", "--json")
    assert (result.code, result.err) == (0, "")
    assert result.json["schema"] == "effbayes.domains/1"
    found = result.json["series"]
    assert list(dict.fromkeys(one["domain"] for one in found)) == list(domain_names())
    first = {one["domain"]: one for one in reversed(found)}
    assert [one["main"] for one in found] == [one is first[one["domain"]] for one in found]
    for one in found:
        assert 2 <= one["n_obs"] <= one["n_table"]
        assert one["unit"]
        first, last = one["span"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\d", first)
        assert first < last
        assert one["claim"] is None or one["claim"]["doubling_time_months"] > 0
    main = found[0]
    assert (main["series"], main["n_obs"], main["n_table"]) == ("alexnet-training", 6, 16)
    assert (main["claim"]["factor"], main["claim"]["doubling_time_months"]) == (44, 16)


def test_domains_for_people():
    shown = run("domains").out
    found = run("domains", "--json").json["series"]
    for one in found:
        line = rf"(?m)^ +{one['series']} +{one['n_obs']} of {one['n_table']} +{one['span'][0]} to "
        assert re.search(line, shown)
    assert re.search(r"alexnet-training .* 44x, 16 months", shown)


def test_published_dates_differ():
    corrected, published = (
        run("domains", *option, "--json").json["series"] for option in ((), ("--published",))
    )
    assert len(corrected) == len(published)
    assert [one["span"] for one in corrected] != [one["span"] for one in published]


# --- validate ----------------------------------------------------------------------------------


def test_a_good_table(table):
    path = table(GOOD)
    result = run("validate", path, "--json")
    assert (result.code, result.err) == (0, "")
    assert result.json == {
        "schema": "effbayes.validation/1",
        "file": str(path),
        "valid": True,
        "error": None,
        "faults": [],
        "series": [
            {
                "name": "mine", "n_obs": 3, "n_table": 3, "span": ["2012-06-01", "2019-05-28"],
                "remarks": [],
            }
        ],
    }  # fmt: skip
    shown = run("validate", path)
    assert (shown.code, shown.err) == (0, "")
    assert shown.out == "mine: good; 3 of 3 rows, 2012-06-01 to 2019-05-28\n"


def test_every_fault_of_a_bad_table(table):
    path = table("date,value\nsoon,3.1\n2014-09-17,-1\n2019-05-28,cheap\n")
    result = run("validate", path, "--json")
    assert (result.code, result.err) == (3, "")
    assert result.json["valid"] is False
    assert result.json["series"] == []
    found = result.json["faults"]
    assert [(one["row"], one["column"], one["value"]) for one in found] == [
        (2, "date", "soon"), (3, "value", "-1"), (4, "value", "cheap"),
    ]  # fmt: skip
    assert all(one["rule"] for one in found)
    shown = run("validate", path)
    assert (shown.code, shown.err) == (3, "")
    assert "row 3: value = -1: must be > 0 (its logarithm is modelled)" in shown.out
    assert len(shown.out.splitlines()) == 4


def test_more_faults_than_anyone_reads_are_all_listed_by_validate(table):
    path = table("date,value\n" + "2020-01-01,-1\n" * 50)
    assert len(run("validate", path, "--json").json["faults"]) == 50
    assert run("validate", path).out.count("must be > 0") == 50
    assert "and 30 more" in run("sample", "--data", path).err


@pytest.mark.parametrize(
    ("options", "span"),
    [
        (("--date-format", "%d/%m/%Y"), ["2017-04-03", "2019-12-05"]),
        (("--date-format", "%m/%d/%Y"), ["2017-03-04", "2019-05-12"]),
        ((), None),
    ],
)
def test_a_date_that_can_be_read_two_ways(table, options, span):
    path = table("date,value\n03/04/2017,2\n05/12/2019,1\n")
    result = run("validate", path, *options, "--json")
    if span is None:
        assert result.code == 3
        assert "--date-format" in result.out
        assert "--date-format" in run("sample", "--data", path).err
    else:
        assert result.code == 0
        assert result.json["series"][0]["span"] == span


def test_serial_numbers_of_a_spreadsheet(table):
    path = table("date,value\n41061,3.1\n43613,0.069\n")
    assert run("validate", path).code == 3
    found = run("validate", path, "--date-format", "excel", "--json").json
    assert found["series"][0]["span"] == ["2012-06-01", "2019-05-28"]


def test_names_of_columns(table):
    path = table("Publication date,Training compute (FLOP)\n2020-01-01,1e18\n2021-01-01,1e19\n")
    result = run("validate", path)
    assert result.code == 3
    assert "'Publication date', 'Training compute (FLOP)'" in re.sub(r"\s+", " ", result.out)
    columns = ("date=Publication date", "value=Training compute (FLOP)")
    options = [option for column in columns for option in ("--column", column)]
    assert run("validate", path, *options).code == 0
    assert run("validate", path, *options[:2], "--column", "value=FLOP").code == 3


OPENAI = (
    "Metric,Publication Date,Publication,Publication link,Compute (teraflops-s/days)\n"
    "AlexNet,6/1/2012,AlexNet,a,3.1\nAlexNet,5/28/2019,EfficientNet,b,0.069\n"
    "GNMT,1/26/2016,GNMT,c,1620\nGNMT,1/12/2017,Transformer (Big),d,181\n"
)
EPOCH = (
    "Model,Publication date,Training compute (FLOP),Link\n"
    '"Model\nA",2017-06-12,1e18,a\nB,2019-01-01,2.5e20,b\nC,2020-03-01,,c\nD,2021-05-01,7e23,d\n'
)


@pytest.mark.parametrize(
    ("preset", "content", "series"),
    [
        ("openai-efficiency", OPENAI, {"AlexNet": 2, "GNMT": 2}),
        ("epoch-models", EPOCH, {"mine": 3}),
    ],
)
def test_public_tables(table, preset, content, series):
    path = table(content)
    result = run("validate", path, "--preset", preset, "--json")
    assert (result.code, result.err) == (0, "")
    assert {one["name"]: one["n_obs"] for one in result.json["series"]} == series
    shown = run("validate", path, "--preset", preset).out
    for one in result.json["series"]:
        for remark in one["remarks"]:
            assert remark[:30] in shown
    assert any(one["remarks"] for one in result.json["series"])


def test_a_public_table_is_sampled(table):
    found = run("sample", "--data", table(EPOCH), "--preset", "epoch-models", *QUICK, "--json").json
    assert (found["direction"], found["unit"], found["n_obs"]) == ("rising", "FLOP", 3)
    assert any("left out" in note or "without" in note for note in found["notes"])


def test_choice_of_series_and_rows(table):
    path = table(OPENAI)
    options = ("--preset", "openai-efficiency", "--series", "GNMT")
    found = run("validate", path, *options, "--json").json["series"]
    assert [one["name"] for one in found] == ["GNMT"]
    result = run("validate", path, *options, "--where", "value > 1000", "--json")
    assert (result.code, result.json["valid"]) == (3, False)
    assert "two observations" in result.json["error"]
    rising = table("date,value\n2020-01-01,1\n2021-01-01,3\n2022-01-01,2\n")
    for direction, kept in (("rising", 2), ("falling", 1)):
        result = run("validate", rising, "--where", "frontier", "--direction", direction, "--json")
        assert result.code == (0 if kept > 1 else 3)


def test_a_file_that_is_not_there(tmp_path):
    for path in (tmp_path / "nowhere.csv", tmp_path):
        result = run("validate", path)
        assert (result.code, result.err) == (3, "")
        sampled = run("sample", "--data", path)
        assert (sampled.code, sampled.out) == (3, "")
        assert result.out.strip() in re.sub(r"\s+", " ", sampled.err)


# --- every bad table ---------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "content", "rule"), CASES, ids=[name for name, _, _ in CASES])
def test_validate_refuses_or_accepts(table, name, content, rule):
    path = table(content, "table.csv")
    result = run("validate", path, "--json")
    assert result.err == ""
    assert result.code == (0 if rule == "ok" else 3)
    found = result.json
    assert found["valid"] is (rule == "ok")
    assert (found["error"] is None) is (rule == "ok")
    shown = run("validate", path) if name != LARGE else result
    assert (shown.code, shown.err) == (result.code, "")
    assert shown.out.strip()
    assert "\x1b" not in shown.out


@pytest.mark.parametrize(("name", "content", "rule"), REFUSED, ids=[name for name, _, _ in REFUSED])
def test_sample_refuses(table, name, content, rule):
    result = run("sample", "--data", table(content, "table.csv"), "--json")
    assert (result.code, result.out) == (3, "")
    assert result.err.startswith("effbayes: ")
    assert re.search(rule, result.err)
    assert "Traceback" not in result.err
    assert result.err.replace("\n", "").isprintable()
    assert len(result.err) < 5000


# --- doctor ------------------------------------------------------------------------------------


def test_doctor_bears_a_cache_in_use(tmp_path, monkeypatch):
    from effbayes.cli import doctor

    (tmp_path / "kept").write_bytes(b"1234")
    (tmp_path / "gone").symlink_to(tmp_path / "nothing")  # as a file that vanishes meanwhile
    monkeypatch.setattr(type(tmp_path), "is_file", lambda _: True)
    assert doctor._cache(tmp_path)["cache_bytes"] == 4


def test_doctor():
    result = run("doctor", "--json")
    assert (result.code, result.err) == (0, "")
    found = result.json
    assert found["schema"] == "effbayes.doctor/1"
    assert found["versions"]["effbayes"] == effbayes.__version__
    assert set(found["versions"]) >= {"jax", "jaxlib", "numpyro", "arviz", "numpy"}
    assert found["x64"] is True
    assert found["devices"]
    assert found["devices"][0].partition(":")[0] in {"cpu", "gpu", "cuda", "tpu"}
    shown = run("doctor")
    assert (shown.code, shown.err) == (0, "")
    assert f"effbayes {effbayes.__version__}, jax " in shown.out
    assert found["data_folder"] in shown.out.replace("\n", "")
