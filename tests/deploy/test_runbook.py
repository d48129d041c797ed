"""docs/runbook.md: its commands, in their order, on a database to which that has happened."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from deploy.scripts import ROOT, environment, run, shell
from observatory_store import Store
from observatory_store.schema import Migrator, State
from storage.samples import content, now, query, span

RUNBOOK = (ROOT / "docs" / "runbook.md").read_text()
DAY = timedelta(days=1)
LATER = "INSERT INTO _yoyo_migration VALUES ('x', '9999_later', now())"
OTHER = "### On apache and postgres"
COMMUNITY = "### On community"


def _sections() -> dict[str, str]:
    found = re.split(r"^## ", RUNBOOK, flags=re.MULTILINE)[1:]
    return {heading: body for heading, _, body in (one.partition("\n") for one in found)}


def _commands(section: str) -> list[tuple[str, int]]:
    """Return each command, with the code by which it exits."""
    found = []
    for block in re.findall(r"^```sh\n(.*?)^```", section, re.MULTILINE | re.DOTALL):
        for command in re.findall(r"^\S.*\n(?:[ ].*\n)*", block, re.MULTILINE):
            text, _, code = command.strip().partition(" # exits ")
            found.append((text, int(code or 0)))
    return found


def _script(commands: list[tuple[str, int]]) -> str:
    """Return a script that stops at the first command that exits otherwise."""
    return "".join(
        f"{text}\ncode=$?\n"
        f'[ $code -eq {code} ] || {{ echo "STOPPED: $code of {number}" >&2; exit 99; }}\n'
        for number, (text, code) in enumerate(commands)
    )


SECTIONS = _sections()


async def _one_step_behind(url: str) -> None:
    Migrator(url).apply()
    async with Store.open(url) as store:
        await store.write_spans([span(1, start_time=now() - DAY)])
    Migrator(url).rollback(steps=2)


async def _applied(url: str) -> None:
    Migrator(url).apply()
    async with Store.open(url) as store:
        old = [span(n, start_time=now() - n * DAY) for n in (1, 20, 25)]
        await store.write_spans(old)


async def _newer(url: str) -> None:
    Migrator(url).apply()
    query(url, LATER)


async def _locked(url: str) -> None:
    Migrator(url).apply()
    query(url, "INSERT INTO yoyo_lock VALUES (1, now(), 999999)")


async def _lagging(url: str) -> None:
    await _applied(url)
    query(url, "UPDATE observatory_private.changed_buckets SET noted_at = now() - interval '1 day'")


def _is_current(url: str) -> bool:
    return Migrator(url).status().is_current and not Migrator(url).verify()


def _is_one_step_back(url: str) -> bool:
    return len(Migrator(url).status().of(State.PENDING)) == 1


def _restored(url: str) -> bool:
    return content(_beside(url)) == content(url)


def _kept(url: str) -> bool:
    [(retention,)] = query(
        url, "SELECT retention FROM observatory.policies WHERE relation = 'span_payloads'"
    )
    return retention == 14 * DAY and query(url, "SELECT count(*) FROM observatory.spans") == [(3,)]


def _unlocked(url: str) -> bool:
    return Migrator(url).holders() == []


def _refreshed(url: str) -> bool:
    return query(url, "SELECT count(*) FROM observatory_private.changed_buckets") == [(0,)]


def _always(_url: str) -> bool:
    return True


def _dropped(url: str) -> bool:
    return query(
        url, "SELECT count(*) FROM observatory.spans WHERE start_time < now() - interval '31 days'"
    ) == [(0,)]


SCENES = {
    "A new version is out": (_one_step_behind, _is_current),
    "A migration fails": (_one_step_behind, _is_current),
    "Roll back": (_applied, _is_one_step_back),
    "Restore": (_applied, _restored),
    "The disk fills": (_applied, _kept),
    "The database is newer than the package": (_newer, _always),
    "Who holds the lock": (_locked, _unlocked),
    "Rollups lag": (_lagging, _refreshed),
}
ON_COMMUNITY = ("Restore", "The disk fills")
BY_JOBS = "A job failed"


def test_every_section_is_tried() -> None:
    """A command that nobody ran fails at three in the morning."""
    assert set(SECTIONS) == {*SCENES, BY_JOBS}
    assert all(_commands(section) for section in SECTIONS.values())


def _beside(url: str) -> str:
    return urlsplit(url)._replace(path="/observatory_restored").geturl()


@pytest.fixture
def follow(tmp_path: Path) -> Iterator[Callable[..., None]]:
    """Do what a text says."""
    restored = []

    def do(text: str, url: str, programs: Path, **variables: str) -> None:
        backups = tmp_path / "backups"
        backups.mkdir()
        assert run("backup.sh", backups / "last.dump", url=url, programs=programs).returncode == 0
        restored.append(url)
        known = {"BACKUPS": str(backups), "RESTORED": _beside(url), **variables}
        commands = _commands(text)
        done = shell(
            ["sh", "-u", "-c", _script(commands)], environment(url, programs) | known, cwd=ROOT
        )
        assert done.returncode == 0, (done.stderr, done.stdout[-3000:])

    yield do
    for url in restored:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("DROP DATABASE IF EXISTS observatory_restored WITH (FORCE)")


@pytest.mark.parametrize("heading", SCENES)
async def test_on_postgres(
    heading: str, sound_url: str, own_programs: Path, follow: Callable[..., None]
) -> None:
    """On a server that forgets nothing."""
    prepare, is_well = SCENES[heading]
    await prepare(sound_url)
    before, _, after = SECTIONS[heading].partition(COMMUNITY)
    follow(before + after.partition(OTHER)[2], sound_url, own_programs)
    assert is_well(sound_url)


@pytest.mark.editions("community")
@pytest.mark.parametrize("heading", ON_COMMUNITY)
async def test_on_community(
    heading: str, database_url: str, programs: Path, follow: Callable[..., None]
) -> None:
    """Where TimescaleDB has steps and policies of its own."""
    prepare, is_well = SCENES[heading]
    await prepare(database_url)
    follow(SECTIONS[heading].partition(OTHER)[0], database_url, programs)
    assert is_well(database_url)
    assert Migrator(database_url).verify() == []


@pytest.mark.editions("community")
async def test_a_job(database_url: str, programs: Path, follow: Callable[..., None]) -> None:
    """The one that drops spans, which did not run for long."""
    await _applied(database_url)
    async with Store.open(database_url) as store:
        await store.write_spans([span(9, start_time=now() - 80 * DAY)])
    query(
        database_url,
        "SELECT remove_retention_policy('observatory.spans');"
        " SELECT add_retention_policy('observatory.spans', interval '30 days')",
    )
    ((job,),) = query(
        database_url,
        "SELECT job_id FROM timescaledb_information.jobs"
        " WHERE hypertable_name = 'spans' AND proc_name = 'policy_retention'",
    )
    assert not _dropped(database_url)
    follow(SECTIONS[BY_JOBS], database_url, programs, JOB=str(job))
    assert _dropped(database_url)
