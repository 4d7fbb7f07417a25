"""The Typer app, and the one place where an error becomes a message and an exit code."""

from __future__ import annotations

import sys
from typing import Annotated, NoReturn

import typer

import effbayes
from effbayes.cli import (
    comparing,
    doctor,
    output,
    plotting,
    quantities,
    replicating,
    reporting,
    reproducing,
    runs,
    sampling,
    surroundings,
    tables,
)
from effbayes.errors import EffbayesError

INTERRUPTED = 130
BROKEN_PIPE = 141

app = typer.Typer(
    name="effbayes",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help=(
        "How fast is it improving, and how sure are we? Posteriors for doubling times and "
        "efficiency factors. Start with: effbayes sample --domain imagenet"
    ),
    epilog=(
        "Exit codes: 0 ok; 1 output that cannot be written; 2 usage; 3 bad data; 4 bad or damaged "
        "run file; 5 the sampler did not converge; 6 no such device or cluster; 130 interrupted; "
        "141 nobody reads the output any more."
    ),
)


def _version(asked: bool) -> None:
    if asked:
        output.write(f"effbayes {effbayes.__version__}\n")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Options of the program itself."""


app.command("domains")(tables.domains)
app.command("sample")(sampling.sample)
app.command("summarize")(runs.summarize)
app.command("diagnose")(runs.diagnose)
app.command("factor")(runs.factor)
app.command("convert")(quantities.convert)
app.command("forecast")(quantities.forecast)
app.command("effective")(quantities.effective)
app.command("compare")(comparing.compare)
app.command("calibrate")(replicating.calibrate)
app.command("bootstrap")(replicating.bootstrap)
app.command("sensitivity")(replicating.sensitivity)
app.command("validate")(tables.validate)
app.command("plot")(plotting.plot)
app.command("report")(reporting.report)
app.command("reproduce")(reproducing.reproduce)
app.command("doctor")(doctor.doctor)


def main() -> NoReturn:
    """Run the command line and end the process with its exit code."""
    with surroundings.borne():
        _run()


def _run() -> NoReturn:
    output.bear_any_text()
    try:
        _ask()
    except EffbayesError as error:
        typer.echo(f"effbayes: {output.plain(str(error))}", err=True)
        sys.exit(error.exit_code)
    except output.ReaderGoneError:
        sys.exit(BROKEN_PIPE)
    except (KeyboardInterrupt, SystemExit) as end:
        # Typer turns Ctrl-C into this code, without a word.
        if isinstance(end, SystemExit) and end.code != INTERRUPTED:
            raise
        typer.echo("effbayes: interrupted", err=True)
        sys.exit(INTERRUPTED)
    sys.exit(0)


def _ask() -> None:
    try:
        app(prog_name="effbayes")
    except OSError:
        # Help is printed by Click: where stdout is at fault, it says so once more.
        output.write("")
        raise
