"""The verbs are those that the documentation tells of."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import typer

from observatory_store.cli.command import application

DOCUMENTATION = Path(__file__).parents[2] / "docs" / "cli.md"


def _verbs(command: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    below = getattr(command, "commands", None)
    if not below:
        return [path]
    return [verb for name, inner in below.items() for verb in _verbs(inner, (*path, name))]


VERBS = _verbs(typer.main.get_command(application))
ROWS = re.findall(r"^\| `([a-z ]+)` \| .+ \| `(.+)` \|$", DOCUMENTATION.read_text(), re.MULTILINE)


def test_every_verb_is_documented_and_no_other() -> None:
    """A verb that docs/cli.md does not tell of is found by nobody; one it makes up is worse."""
    assert {verb for verb, _ in ROWS} == {" ".join(path) for path in VERBS}


@pytest.mark.parametrize("path", VERBS, ids=" ".join)
def test_every_verb_explains_itself(path: tuple[str, ...], command: Any) -> None:
    """`--help` is where people look first."""
    outcome = command(*path, "--help")
    assert outcome.code == 0
    assert " ".join(path) in outcome.out
    assert outcome.err == ""


@pytest.mark.parametrize(("verb", "example"), ROWS, ids=[verb for verb, _ in ROWS])
def test_the_options_of_every_example_exist(verb: str, example: str, command: Any) -> None:
    """An example that is refused costs its reader an evening."""
    assert f"observatory-store {verb}" in example
    shown = command(*verb.split(), "--help").out
    for option in re.findall(r"--[a-z-]+", example):
        assert option in shown


def test_reading_verbs_take_json(command: Any) -> None:
    """Programs read the output; a verb without `--json` would have them parse tables."""
    reading = [
        path
        for path in VERBS
        if path[-1] in {"status", "list", "show", "maintain", "unpriced", "explain"}
        or path[-1] in {"usage", "compare", "latency", "errors", "sessions", "forecast", "burn"}
    ]
    assert len(reading) == 24
    for path in reading:
        assert "--json" in command(*path, "--help").out
