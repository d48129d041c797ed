"""The tree of verbs, and what an error or an interruption means to the shell."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Annotated

import typer

from observatory_store.cli import (
    budgets,
    compare,
    demo,
    dev,
    doctor,
    errors,
    forecast,
    keys,
    latency,
    logs,
    maintain,
    models,
    policy,
    prices,
    projects,
    promote,
    recost,
    rollups,
    schema,
    serve,
    sessions,
    traces,
    usage,
)
from observatory_store.errors import ObservatoryError

PROGRAM = "observatory-store"

OK, PROBLEM, ERROR, INTERRUPTED = 0, 1, 2, 130

application = typer.Typer(
    name=PROGRAM,
    help="LLM telemetry on PostgreSQL and TimescaleDB.",
    epilog="Exit codes: 0 ok, 1 something is pending or wrong, 2 error.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
application.command("serve")(serve.serve)
application.command("dev")(dev.dev)
application.command("demo")(demo.demo)
schema.verbs.command("promote")(promote.promote)
application.add_typer(schema.verbs, name="schema")
application.command("doctor")(doctor.doctor)
application.command("maintain")(maintain.maintain)
application.add_typer(policy.verbs, name="policy")
application.add_typer(rollups.verbs, name="rollups")
application.add_typer(prices.verbs, name="prices")
application.add_typer(models.verbs, name="models")
application.command("recost")(recost.recost)
application.add_typer(projects.verbs, name="projects")
application.add_typer(keys.verbs, name="keys")
application.add_typer(budgets.verbs, name="budgets")
application.add_typer(traces.verbs, name="traces")
application.add_typer(logs.verbs, name="logs")
application.command("usage")(usage.usage)
application.command("compare")(compare.compare)
application.command("latency")(latency.latency)
application.command("errors")(errors.errors)
application.command("sessions")(sessions.sessions)
application.command("forecast")(forecast.forecast)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one verb and exit: 0 ok, 1 pending or problem found, 2 error."""
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one verb and return its exit code."""
    try:
        code = application(args=arguments, prog_name=PROGRAM, standalone_mode=False)
        sys.stdout.flush()
    except ObservatoryError as error:
        return _fail(str(error))
    except BrokenPipeError:
        # The reader, such as `head`, has seen enough; nor may the interpreter's own flush complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except Exception as error:
        # Typer has its own copy of click or the real one, whose errors have no common public base.
        describe = getattr(error, "format_message", None)
        if describe is None:
            raise
        # Where a type is refused by pydantic, typer hands its words on.
        return _misused(describe().replace(": Value error, ", ": "))
    return code if isinstance(code, int) else OK


def _misused(message: str) -> int:
    # A group without a verb gives its help: printed already by Typer, or as click's message.
    if not message or message.lstrip().startswith("Usage:"):
        print(message)  # noqa: T201
        return ERROR
    return _fail(message)


def _fail(message: str) -> int:
    print(f"{PROGRAM}: {' '.join(message.split())}", file=sys.stderr)  # noqa: T201
    return ERROR


def _version(wanted: bool) -> None:  # noqa: FBT001 - typer calls it so
    if wanted:
        print(version(PROGRAM))  # noqa: T201
        raise typer.Exit


@application.callback()
def _program(
    *,
    show_version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    pass
