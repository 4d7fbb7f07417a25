"""``effbayes report``: the formats, what it refuses, and what it says of a run that failed."""

import csv
import json
import os
import re
import subprocess
import sys

import pytest

from effbayes import wording
from tests.cli.program import EXECUTABLE, NOT_CONVERGED, QUICK, run


@pytest.fixture(scope="session")
def page(kept, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "report.html"
    return run("report", kept[0], "--out", path), path


def test_the_page_says_what_summarize_says(kept, page):
    result, path = page
    assert (result.code, result.out, result.err) == (0, f"{path}\n", "")
    text = path.read_text(encoding="utf-8")
    said = kept[1].json
    months = said["doubling_time_months"]
    low, median, high = (wording.number(months[end]) for end in ("low", "median", "high"))
    assert f"Efficiency doubles every {median} months" in text
    assert f"{low} to {high}" in text
    for name in ("trend", "predictive", "observed"):
        assert wording.estimate(said["efficiency_factor"][name]) in text
    for reference in said["references"]:
        assert (
            wording.probability(reference["prob_faster"]).replace("<", "&lt;").replace(">", "&gt;")
            in text
        )
    assert said["provenance"]["data_sha256"] in text


SECTIONS = (
    "What the data say", "The trend", "Efficiency over the years", "The doubling time",
    "What the prior says, and what the data changed", "If it goes on like this",
    "Other models, and what moves the answer", "Does the model fit?",
    "Can the draws be relied on?", "The data", "The model and its priors", "How to make it again",
    "How to cite", "What made this report",
)  # fmt: skip


def test_sections_come_in_the_order_in_which_a_reader_asks(kept, tmp_path):
    out = tmp_path / "report.md"
    assert run("report", kept[0], "--out", out).code == 0
    text = out.read_text(encoding="utf-8")
    assert tuple(re.findall(r"^## (.+)$", text, re.MULTILINE)) == SECTIONS
    pictures = re.findall(r"\]\((report-md-figures/[a-z-]+\.svg)\)", text)
    assert len(pictures) == 8
    for name in pictures:
        assert (tmp_path / name).read_bytes().startswith(b"<?xml")
    said = "effbayes sample --domain imagenet --series alexnet-training --point-values --seed 3\n"
    assert said in text


def test_json_is_that_of_summarize(kept, tmp_path):
    out = tmp_path / "report.json"
    assert run("report", kept[0], "--out", out, "--ci", 0.9, "--interval", "hdi").code == 0
    again = run("summarize", kept[0], "--json", "--ci", 0.9, "--interval", "hdi")
    assert out.read_text(encoding="utf-8") == again.out


def test_csv_holds_every_estimate(kept, tmp_path):
    out = tmp_path / "report.csv"
    assert run("report", kept[0], "--out", out).code == 0
    with out.open(newline="", encoding="utf-8") as file:
        rows = {row["quantity"]: row for row in csv.DictReader(file)}
    said = kept[1].json
    for name in ("doubling_time_months", "rate_per_year", "factor_per_year"):
        assert float(rows[name]["median"]) == said[name]["median"]
        assert float(rows[name]["high"]) == said[name]["high"]
    trend = rows["efficiency_factor.trend"]
    assert float(trend["low"]) == said["efficiency_factor"]["trend"]["low"]
    assert rows["parameters.sigma"]["series"] == "imagenet/alexnet-training"
    assert rows["verdict"]["note"] == "ok"


def test_draws_are_those_of_the_run(kept, tmp_path):
    import effbayes as eb

    out = tmp_path / "draws.csv"
    assert run("report", kept[0], "--format", "draws", "--out", out).code == 0
    with out.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    rate = eb.load(kept[0]).draws["rate"]
    assert len(rows) == rate.size
    assert [float(row["rate"]) for row in rows] == rate.ravel().tolist()
    assert {(int(row["chain"]), int(row["draw"])) for row in rows} == {
        (chain, draw) for chain in range(rate.shape[0]) for draw in range(rate.shape[1])
    }


@pytest.mark.parametrize(("kind", "begins"), [("svg", b"<?xml"), ("png", b"\x89PNG")])
def test_pictures_alone(kept, tmp_path, kind, begins):
    out = tmp_path / "pictures"
    assert run("report", kept[0], "--format", kind, "--out", out).code == 0
    found = {path.name: path.read_bytes() for path in out.iterdir()}
    assert {f"trend.{kind}", f"doubling-time.{kind}", f"ranks.{kind}"} <= found.keys()
    assert all(content.startswith(begins) for content in found.values())


def test_numbers_of_a_run_that_failed_say_so_too(quick, tmp_path):
    reasons = quick[1].json["diagnostics"]["reasons"]
    summary, draws, json_too = (tmp_path / name for name in ("a.csv", "draws.csv", "a.json"))
    assert run("report", quick[0], "--out", summary).code == NOT_CONVERGED
    assert run("report", quick[0], "--format", "draws", "--out", draws).code == NOT_CONVERGED
    assert run("report", quick[0], "--out", json_too).code == NOT_CONVERGED
    with summary.open(newline="", encoding="utf-8") as file:
        first = next(csv.DictReader(file))
    assert (first["quantity"], first["median"]) == ("verdict", "")
    assert first["note"] == "; ".join(["not converged", *reasons])
    with draws.open(newline="", encoding="utf-8") as file:
        assert {row["converged"] for row in csv.DictReader(file)} == {"false"}
    assert json.loads(json_too.read_text(encoding="utf-8"))["diagnostics"]["reasons"] == reasons


@pytest.mark.parametrize(
    ("kind", "name", "begins"),
    [
        ("html", "report.html", "<!doctype html>"), ("md", "report.md", "# "),
        ("tex", "report.tex", r"\documentclass"), ("pdf", "report.pdf", "%PDF-"),
        ("json", "report.json", "{"), ("csv", "report.csv", "series,model,quantity"),
        ("draws", "draws.csv", "series,model,chain,draw"),
    ],
)  # fmt: skip
def test_each_format_has_a_name_of_its_own(kept, tmp_path, monkeypatch, kind, name, begins):
    monkeypatch.chdir(tmp_path)
    result = run("report", kept[0], "--format", kind)
    assert (result.code, result.out) == (0, f"{name}\n")
    content = (tmp_path / name).read_bytes()
    assert content[: len(begins)].decode().lower() == begins.lower()
    beside = {"md": ".svg", "tex": ".pdf"}.get(kind)
    found = sorted(path.suffix for path in tmp_path.glob("report-*-figures/*"))
    assert found == ([beside] * 8 if beside else [])


@pytest.mark.parametrize("ending", ["pdf", "tex"])
def test_the_ending_tells_the_format(kept, tmp_path, ending):
    out = tmp_path / f"mine.{ending}"
    assert run("report", kept[0], "--out", out).code == 0
    assert out.read_bytes().startswith(b"%PDF-" if ending == "pdf" else b"\\documentclass")


def test_without_the_extra_it_is_said_what_to_install(kept, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "typst", None)
    result = run("report", kept[0], "--out", tmp_path / "a.pdf")
    assert result.code == 2
    assert "effbayes[pdf]" in result.err
    assert list(tmp_path.iterdir()) == []


def test_a_model_that_failed_is_said_before_the_answer(kept, tmp_path):
    failed, out = tmp_path / "failed.nc", tmp_path / "report.md"
    made = run(
        "sample", "--domain", "imagenet", "--series", "alexnet-training", "--point-values",
        "--prior", "signed", *QUICK, "--out", failed,
    )  # fmt: skip
    assert made.code == NOT_CONVERGED
    assert run("report", kept[0], failed, "--out", out).code == NOT_CONVERGED
    head = out.read_text(encoding="utf-8").replace("\\", "").partition("**Efficiency doubles")[0]
    assert "These numbers cannot be relied on" in head
    assert "imagenet/alexnet-training, loglinear (signed): the sampler did not converge" in head


@pytest.mark.parametrize("ending", ["html", "md"])
def test_a_run_that_failed_says_so_first(quick, tmp_path, ending):
    out = tmp_path / f"report.{ending}"
    result = run("report", quick[0], "--out", out)
    assert result.code == NOT_CONVERGED
    text = out.read_text(encoding="utf-8")
    body = text[text.index("<main") :] if ending == "html" else text
    assert "cannot be relied on" in body[: body.index("Efficiency")] or (
        "do not rely on these numbers" in body[: body.index("credible interval")]
    )
    assert quick[1].json["diagnostics"]["reasons"][0].split(",")[0][:20] in text
    # A label that a terminal would obey is shown, not obeyed.
    assert ending == "html" or not {"\x1b", "\u202e"} & set(text)


def test_nothing_is_replaced_unless_it_is_said(kept, tmp_path):
    out = tmp_path / "report.json"
    out.write_text("mine", encoding="utf-8")
    result = run("report", kept[0], "--out", out)
    assert (result.code, out.read_text(encoding="utf-8")) == (4, "mine")
    assert "exists" in result.err
    assert run("report", kept[0], "--out", out, "--force").code == 0
    assert json.loads(out.read_text(encoding="utf-8"))["schema"] == "effbayes.summary/1"
    beside = tmp_path / "other-md-figures"
    beside.mkdir()
    (beside / "mine").touch()
    result = run("report", kept[0], "--out", tmp_path / "other.md")
    assert (result.code, sorted(beside.iterdir())) == (4, [beside / "mine"])
    assert not (tmp_path / "other.md").exists()
    assert run("report", kept[0], "--out", tmp_path / "other.md", "--force").code == 0
    assert (beside / "mine").exists()
    assert (beside / "trend.svg").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--out", "report.doc"], 2, "a report ends with one of"),
        (["--format", "word", "--out", "a"], 2, "is not one of html"),
        (["--out", "no/such/folder/report.html"], 4, "does not exist"),
        (["--domain", "imagenet"], 2, "give run files, or --domain NAME"),
        (["--series", "alexnet-training"], 2, "add --domain"),
        (["--seed", 1], 2, "--seed chooses draws, and those of a run are made"),
        (["--out", "."], 2, "'.' is a folder; give the name of a file"),
        (["--out", ".", "--format", "html"], 2, "'.' is a folder; give the name of a file"),
        (["--out", "/", "--format", "md"], 2, "'/' is a folder; give the name of a file"),
        (["--out", "a.html", "--format", "csv"], 2, "does not end as --format csv does"),
        (["--out", "a.html", "--format", "draws"], 2, "does not end as --format draws does"),
        (["--out", "a.md", "--format", "svg"], 2, "does not end as --format svg does"),
        (["--out", "ö.tex"], 2, "LaTeX cannot take pictures from a folder named"),
    ],
)
def test_what_it_refuses(kept, tmp_path, monkeypatch, arguments, code, said):
    monkeypatch.chdir(tmp_path)
    result = run("report", kept[0], *arguments)
    assert result.code == code
    assert said in result.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("out", ["a.pdf", "a%.tex"])
def test_what_a_format_lacks_is_said_before_the_work(tmp_path, monkeypatch, out):
    monkeypatch.setitem(sys.modules, "typst", None)
    monkeypatch.setattr("effbayes.fitting.sample", None)
    result = run("report", "--domain", "go", "--out", tmp_path / out)
    assert result.code == 2
    assert re.search(r"effbayes\[pdf\]|LaTeX cannot take pictures", result.err)


@pytest.mark.parametrize("kind", ["html", "md", "json", "csv", "draws", "svg"])
@pytest.mark.parametrize("pooled_first", [True, False])
def test_a_pooled_run_is_not_put_beside_others(kept, pooled, tmp_path, kind, pooled_first):
    both = (pooled[0], kept[0]) if pooled_first else (kept[0], pooled[0])
    result = run("report", *both, "--format", kind, "--out", tmp_path / "out")
    assert (result.code, list(tmp_path.iterdir())) == (2, [])
    assert "a pooled run has a report of its own" in result.err


def test_nothing_to_report():
    result = run("report")
    assert result.code == 2
    assert "give run files, or --domain NAME" in result.err


HEAVY = {"arviz", "arviz_stats", "dask", "jax", "numpyro", "pandas", "scipy", "xarray"}


def test_a_page_of_a_run_waits_for_no_library_that_it_can_do_without(kept, tmp_path):
    command = [EXECUTABLE, "report", str(kept[0]), "--out", str(tmp_path / "report.html")]
    environment = {**os.environ, "PYTHONPROFILEIMPORTTIME": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    account = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in account}
    assert {"bokeh", "matplotlib"} <= imported
    assert imported & HEAVY == set()
