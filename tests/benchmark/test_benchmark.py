"""Whether the benchmark still runs; what it measures is not for a test to judge."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
FEW = ["--records", "100", "--rounds", "1", "--connections", "2", "--workers", "1"]


def test_every_way_stores_all_records_and_is_reported(tmp_path: Path) -> None:
    """A benchmark that broke with the writers would be mended only when it is needed.

    It fails where a way has not stored every record.
    """
    report = tmp_path / "report.json"
    command = [sys.executable, "-m", "bench", *FEW, "--only", "spans", "--server", "wheel"]
    run = subprocess.run(
        [*command, "--json", str(report)], cwd=ROOT, check=True, capture_output=True, text=True
    )
    found = json.loads(report.read_text())["spans"]
    assert len(found) == 5
    for way, figures in found.items():
        assert way in run.stdout
        assert [one > 0 for one in figures["ratio"]] == [True]


def test_the_pieces_are_reported(tmp_path: Path) -> None:
    """What the mapping and the price take is looked up here before either is changed."""
    report = tmp_path / "report.json"
    command = [sys.executable, "-m", "bench", *FEW, "--only", "pieces", "--server", "wheel"]
    run = subprocess.run(
        [*command, "--json", str(report)], cwd=ROOT, check=True, capture_output=True, text=True
    )
    found = json.loads(report.read_text())["pieces"]
    assert {piece: len(values) for piece, values in found.items()} == dict.fromkeys(
        ("decode, protobuf", "decode, JSON", "columns", "messages", "price"), 1
    )
    assert all(piece in run.stdout for piece in found)
