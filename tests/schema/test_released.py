"""What is released stays as it is: databases have it."""

from __future__ import annotations

import re
from importlib.metadata import version
from itertools import pairwise

from observatory_store.schema import migrations_folder
from observatory_store.schema.source import read_migrations

_LIST = (migrations_folder() / "released.txt").read_text("utf-8")
RELEASED = {id_: checksum for checksum, id_ in map(str.split, _LIST.splitlines())}


def test_a_released_migration_is_what_it_was() -> None:
    """Whoever edits one, however slightly, finds out here and not from a database that drifted."""
    checksums = {migration.id: migration.checksum for migration in read_migrations()}
    assert {id_: checksums.get(id_) for id_ in RELEASED} == RELEASED


def test_new_migrations_come_after_the_released_ones() -> None:
    """Each depends on the one before: yoyo alone applies them in the order of their numbers."""
    ids = [migration.id for migration in read_migrations()]
    assert ids[: len(RELEASED)] == list(RELEASED)
    assert [int(id_[:4]) for id_ in ids] == list(range(1, len(ids) + 1))
    for before, id_ in pairwise(ids):
        text = (migrations_folder() / f"{id_}.sql").read_text("utf-8")
        assert re.findall(r"^-- depends: (.*)$", text, re.MULTILINE) == [before]


def test_a_release_freezes_all_of_its_migrations() -> None:
    """A version without a suffix is one that people install: none of its migrations is open."""
    if "dev" not in version("observatory-store"):
        assert [migration.id for migration in read_migrations()] == list(RELEASED)
