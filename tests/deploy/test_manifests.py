"""The files for Kubernetes and systemd name verbs, settings and accounts that exist."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from deploy.scripts import FOLDER, ROOT
from observatory_store.cli.command import application
from observatory_store.settings import Settings

MANIFESTS = sorted((FOLDER / "kubernetes").glob("*.yaml"))
UNITS = sorted((FOLDER / "systemd").iterdir())
ACCOUNT = re.findall(r"--uid (\d+) observatory", (ROOT / "Dockerfile").read_text())
INSTALLED = "/opt/observatory-store/"


def _documents() -> Iterator[dict[str, Any]]:
    for path in MANIFESTS:
        yield from yaml.safe_load_all(path.read_text())


def _pods() -> dict[str, dict[str, Any]]:
    """Return what each manifest says of its pods, by its name."""
    pods = {}
    for document in _documents():
        spec = document["spec"]
        while "template" in spec or "jobTemplate" in spec:
            spec = (spec.get("template") or spec["jobTemplate"])["spec"]
        if "containers" in spec:
            pods[document["metadata"]["name"]] = spec
    return pods


PODS = _pods()
CONTAINERS = [
    (name, container)
    for name, pod in PODS.items()
    for container in [*pod.get("initContainers", []), *pod["containers"]]
]


def _assert_is_ours(words: list[str]) -> None:
    verb = [word for word in words if re.fullmatch("[a-z]+", word)]
    shown = CliRunner().invoke(application, [*verb, "--help"])
    assert shown.exit_code == 0, words
    assert all(word in shown.output for word in words if word.startswith("--"))


def test_there_are_the_kinds_that_the_documentation_tells_of() -> None:
    """A job, a service that migrates by itself, and upkeep."""
    kinds = [(document["kind"], document["metadata"]["name"]) for document in _documents()]
    assert sorted(kinds) == [
        ("CronJob", "observatory-maintain"),
        ("Deployment", "observatory"),
        ("Job", "observatory-migrate"),
        ("Service", "observatory"),
    ]
    assert [c["args"] for c in PODS["observatory"]["initContainers"]] == [["schema", "apply"]]


@pytest.mark.parametrize(("pod", "container"), CONTAINERS)
def test_containers(pod: str, container: dict[str, Any]) -> None:
    """They run verbs of ours with settings of ours, as the account of the image, with no rights."""
    _assert_is_ours(container["args"])
    names = {variable["name"] for variable in container["env"]}
    assert "OBSERVATORY_DATABASE_URL" in names
    assert names <= {f"OBSERVATORY_{name.upper()}" for name in Settings.model_fields}
    assert not any("value" in variable for variable in container["env"])
    assert PODS[pod]["securityContext"]["runAsNonRoot"]
    assert [str(PODS[pod]["securityContext"]["runAsUser"])] == ACCOUNT
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert "memory" in container["resources"]["limits"]


def test_the_deployment_and_its_service_find_each_other() -> None:
    """Labels, ports and probes agree with each other and with the API."""
    found = {document["kind"]: document for document in _documents()}
    deployment, service = found["Deployment"]["spec"], found["Service"]["spec"]
    labels = deployment["template"]["metadata"]["labels"]
    assert deployment["selector"]["matchLabels"] == labels == service["selector"]
    [container] = PODS["observatory"]["containers"]
    [port] = container["ports"]
    assert port["containerPort"] == service["ports"][0]["port"] == Settings().port
    assert service["ports"][0]["targetPort"] == port["name"]
    for probe, path in (("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")):
        assert container[probe]["httpGet"] == {"path": path, "port": port["name"]}
    for name in ("observatory-migrate", "observatory-maintain"):
        assert PODS[name]["restartPolicy"] == "Never"


def _commands(unit: Path) -> list[list[str]]:
    found = re.findall(r"^Exec\w+=(.+)$", unit.read_text(), re.MULTILINE)
    return [shlex.split(command) for command in found]


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_units(unit: Path) -> None:
    """What a unit starts exists, and a timer has its service."""
    if unit.suffix == ".timer":
        assert unit.with_suffix(".service") in UNITS
        assert re.search(r"^OnCalendar=(hourly|daily)$", unit.read_text(), re.MULTILINE)
        return
    commands = _commands(unit)
    assert commands
    for program, *words in commands:
        if program == f"{INSTALLED}bin/observatory-store":
            _assert_is_ours(words)
        elif program.startswith(INSTALLED):
            assert (ROOT / program.removeprefix(INSTALLED)).is_file()
        else:
            assert program == "/usr/bin/find"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    """A misspelt key is ignored in silence, and the unit runs without it."""
    for unit in UNITS:
        text = unit.read_text().replace(f"{INSTALLED}deploy_scripts", str(FOLDER))
        text = text.replace(f"{INSTALLED}bin", str(Path(sys.executable).parent))
        (tmp_path / unit.name).write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", *tmp_path.iterdir()],
        capture_output=True,
        text=True,
        check=False,
        env={"SYSTEMD_UNIT_PATH": f"{tmp_path}:", "PATH": "/usr/bin:/bin"},
    )
    ours = [line for line in done.stderr.splitlines() if "observatory" in line]
    assert (ours, done.returncode) == ([], 0), done.stderr
