"""What is asked wrongly is answered with code 2 and what could be asked instead."""

import re

import pytest

import effbayes
from effbayes.domains import domain_names
from tests.cli.program import QUICK, run

COMMANDS = (
    *("domains", "sample", "summarize", "diagnose", "factor", "convert", "forecast", "effective"),
    *(
        "compare",
        "calibrate",
        "bootstrap",
        "sensitivity",
        "validate",
        "plot",
        "reproduce",
        "doctor",
    ),
)
GO = ("sample", "--domain", "go", *QUICK)


def test_no_arguments_show_the_help():
    result = run()
    assert result.code == 2
    assert "Start with: effbayes sample --domain imagenet" in re.sub(r"\s+", " ", result.err)


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_lists_every_command_and_exit_code(option):
    result = run(option)
    assert (result.code, result.err) == (0, "")
    assert [name for name in COMMANDS if f"\n  {name} " not in result.out] == []
    assert "..." not in result.out.partition("Commands:")[2]
    told = re.sub(r"\s+", " ", result.out)
    assert all(f"; {code} " in told for code in (2, 3, 4, 5, 6, 130))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command):
    result = run(command, "--help")
    assert (result.code, result.err) == (0, "")
    assert f"Usage: effbayes {command}" in result.out


def test_every_option_of_sample_is_explained():
    options = re.split(r"\n  (?=-)", run("sample", "--help").out.partition("Options:")[2])[1:]
    assert len(options) > 20
    assert [one for one in options if len(re.sub(r"\[default.*|\s+", " ", one).split()) < 3] == []


def test_version():
    result = run("--version")
    assert (result.code, result.out) == (0, f"effbayes {effbayes.__version__}\n")


def test_nothing_to_sample_names_what_there_is():
    result = run("sample")
    assert (result.code, result.out) == (2, "")
    assert "--data FILE.csv" in result.err
    assert [name for name in domain_names() if name not in result.err] == []


ALL_DOMAINS = "imagenet, translation, go, dota2, nanogpt, cifar10, imagenet-fixed-hardware"
WRONG = [
    (("smaple",), r"No such command 'smaple'. Did you mean 'sample'"),
    (("sample", "--domian", "go"), r"No such option: --domian .*--domain"),
    (("sample", "--domain", "go", "--data", "x.csv"), r"give one of them"),
    (("sample", "--domain", "imagnet"), r"did you mean imagenet\?.*" + ALL_DOMAINS),
    (("sample", "--domain", ""), ALL_DOMAINS),
    (("sample", "--domain", "go", "extra"), r"unexpected extra argument"),
    ((*GO, "--series", "alphago"), r"series of go called 'alphago'.*alphago-zero-level"),
    ((*GO, "--model", "linear"), r"no model 'linear'; there are loglinear"),
    ((*GO, "--prior", "flat"), r"default, signed, reference"),
    ((*GO, "--platform", "cuda"), r"cpu, gpu, tpu"),
    ((*GO, "--interval", "sd"), r"eti, hdi"),
    ((*GO, "--ci", "95"), r"between 0 and 1 \(0.95"),
    ((*GO, "--ci", "0"), r"between 0 and 1"),
    ((*GO, "--ci", "nan"), r"between 0 and 1"),
    ((*GO, "--ci", "most"), r"--ci"),
    ((*GO, "--seed", "-1"), r"from 0 to 2\*\*63 - 1"),
    ((*GO, "--seed", str(2**63)), r"from 0 to 2\*\*63 - 1"),
    ((*GO, "--seed", "lucky"), r"--seed"),
    ((*GO, "--chains", "1"), r"chains = 1, must be from 2"),
    ((*GO, "--draws", "0"), r"draws = 0, must be from 10"),
    ((*GO, "--warmup", "-5"), r"warmup = -5, must be from 50"),
    ((*GO, "--draws", "1e3"), r"--draws"),
    ((*GO, "--target-accept", "1"), r"target_accept = 1.0, must be between 0 and 1"),
    ((*GO, "--where", "frontier and"), r"where: 'frontier and'"),
    ((*GO, "--where", "compute < 3"), r"may name: .*date.*value"),
    ((*GO, "--where", "value"), r"not true or false for each row"),
    ((*GO, "--where", "label.map(print)"), r"\.map is not allowed"),
    ((*GO, "--column", "value=x", "--unit", "s"), r"--column, --unit .* add --data FILE.csv"),
    (("sample", "--domain", "imagenet", "--out", "x.nc"), r"--series.*alexnet-training"),
    (("sample", "--domain", "all", "--series", "nothing"), r"needs the domain it is in"),
    (("validate",), r"FILE.csv"),
    (("validate", "x.csv", "--preset", "mine"), r"openai-efficiency, epoch-models"),
    (("validate", "x.csv", "--column", "date"), r"'date' is not of the form FIELD=NAME"),
    (("validate", "x.csv", "--column", "date="), r"FIELD=NAME"),
    (("validate", "x.csv", "--column", "=when"), r"FIELD=NAME"),
    (("validate", "x.csv", "--column", "date=a", "--column", "date=b"), r"names .* date twice"),
    (("validate", "x.csv", "--column", "cost=a"), r"no field 'cost'; the fields are: date, value"),
    (("validate", "x.csv", "--direction", "up"), r"falling, rising"),
    (("validate", "x.csv", "--date-format", "%d.%m"), r"%d/%m/%Y, or excel"),
    (("validate", "x.csv", "--where", " "), r"all, frontier or an expression"),
    (("summarize",), r"RUN"),
    (("factor", "run.nc", "--from", "2012-06-01"), r"--to"),
]


@pytest.mark.parametrize(("arguments", "message"), WRONG, ids=[" ".join(a[-3:]) for a, _ in WRONG])
def test_usage(arguments, message):
    result = run(*arguments)
    assert (result.code, result.out) == (2, "")
    assert re.search(message, result.err)
    assert "Traceback" not in result.err
    assert len(result.err.splitlines()) <= 4


@pytest.mark.parametrize("platform", ["gpu", "tpu"])
def test_a_device_that_is_not_here(platform, monkeypatch):
    from effbayes import runtime

    def none(**_):
        raise RuntimeError(f"Unknown backend {platform}\nand more")

    # On a machine that has one, its absence is played.
    if any(one.startswith(("gpu", "cuda", "tpu")) for one in runtime.device_names()):
        monkeypatch.setattr("jax.local_devices", none)
    result = run(*GO, "--platform", platform, "--json")
    assert (result.code, result.out) == (6, "")
    assert f"no {platform} device here" in result.err
    assert len(result.err.splitlines()) == 1


def test_the_platform_that_is_here():
    result = run(*GO, "--platform", "cpu", "--json")
    assert result.code == 5
    assert result.json["provenance"]["device"].startswith("cpu")
