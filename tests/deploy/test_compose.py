"""The compose file and the image, as far as they can be judged without an engine."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from observatory_store.cli.command import application
from observatory_store.settings import Settings

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
DEPLOY_DOCUMENT = (ROOT / "docs" / "deploy.md").read_text()


def test_the_order_of_the_start() -> None:
    """A service on a database without its schema would refuse everything it is sent."""
    started = {name for name, service in SERVICES.items() if "profiles" not in service}
    assert started == {"database", "migrate", "observatory"}
    assert SERVICES["migrate"]["depends_on"] == {"database": {"condition": "service_healthy"}}
    assert SERVICES["observatory"]["depends_on"] == {
        "database": {"condition": "service_healthy"},
        "migrate": {"condition": "service_completed_successfully"},
    }


def test_grafana_is_for_who_asks_for_it() -> None:
    """Its profile starts the dashboards, after the role by which they read was made."""
    for name in ("reader", "grafana"):
        assert SERVICES[name]["profiles"] == ["grafana"]
    completed = {"condition": "service_completed_successfully"}
    assert SERVICES["reader"]["depends_on"] == {"migrate": completed}
    assert SERVICES["grafana"]["depends_on"] == {"reader": completed}
    assert SERVICES["reader"]["image"] == SERVICES["database"]["image"]
    assert re.fullmatch(r"grafana/grafana:\d+\.\d+\.\d+", SERVICES["grafana"]["image"])
    assert all(port.startswith("127.0.0.1:") for port in SERVICES["grafana"]["ports"])


def test_what_is_mounted_exists() -> None:
    """Docker makes an empty folder of a path that is not there; nothing of ours is written to."""
    for service in SERVICES.values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("."):
                assert (ROOT / source).exists()
                assert volume.endswith(":ro")
            else:
                assert source in COMPOSE["volumes"]


def test_the_reader_of_the_data_source() -> None:
    """One variable sets its password in both places, and each that the data source names is set."""
    provisioning = ROOT / "grafana/provisioning/datasources/observatory.yaml"
    named = set(re.findall(r"\$\{(\w+)\}", provisioning.read_text()))
    environment = SERVICES["grafana"]["environment"]
    assert named <= set(environment)
    password = environment["OBSERVATORY_READER_PASSWORD"]
    assert SERVICES["reader"]["environment"]["PGOPTIONS"].endswith(f"_password={password}")
    assert "observatory.reader_password" in (ROOT / "grafana/reader.sql").read_text()


def test_health_checks() -> None:
    """Without them the order above means nothing."""
    assert "pg_isready" in SERVICES["database"]["healthcheck"]["test"]
    assert "/readyz" in " ".join(SERVICES["observatory"]["healthcheck"]["test"])
    assert SERVICES["migrate"]["restart"] == "no"
    for name in ("database", "observatory"):
        assert SERVICES[name]["restart"] == "unless-stopped"


def test_the_image_of_the_database_is_pinned() -> None:
    """A tag that moves brings another PostgreSQL to a volume that it cannot read."""
    assert re.fullmatch(r"timescale/timescaledb:2\.\d+\.\d+-pg\d+", SERVICES["database"]["image"])
    assert "-oss" not in SERVICES["database"]["image"]


def test_data_outlive_the_container() -> None:
    """They are on a named volume, at the place that the image uses."""
    assert SERVICES["database"]["volumes"] == ["database:/var/lib/postgresql/data"]
    assert "database" in COMPOSE["volumes"]


def test_ports() -> None:
    """OTLP/HTTP's own port is published, the database's is not."""
    assert SERVICES["observatory"]["ports"] == ["${OBSERVATORY_PORT:-4318}:4318"]
    assert "ports" not in SERVICES["database"]
    assert "EXPOSE 4318" in DOCKERFILE


def test_every_variable_is_a_setting() -> None:
    """A misspelt variable is ignored in silence, and the default used."""
    known = {f"OBSERVATORY_{name.upper()}" for name in Settings.model_fields}
    for name in ("migrate", "observatory"):
        assert set(SERVICES[name]["environment"]) <= known


def test_every_setting_is_documented() -> None:
    """docs/deploy.md has the one table of settings."""
    table = DEPLOY_DOCUMENT.partition("## Settings")[2]
    documented = set(re.findall(r"^\| `(OBSERVATORY_\w+)`", table, re.MULTILINE))
    assert documented == {f"OBSERVATORY_{name.upper()}" for name in Settings.model_fields}


def test_the_password_comes_from_outside() -> None:
    """All places agree, and one variable changes them all."""
    text = (ROOT / "docker-compose.yml").read_text()
    assert text.count("${POSTGRES_PASSWORD:-observatory}") == 3
    assert not re.search(r"PASSWORD: (?!\$\{)", text)


def test_the_commands_exist() -> None:
    """What the containers run are verbs of ours, with options that they have."""
    for name in ("migrate", "observatory"):
        words = SERVICES[name]["command"]
        verb = [word for word in words if re.fullmatch("[a-z]+", word)]
        shown = CliRunner().invoke(application, [*verb, "--help"]).output
        assert "Usage" in shown
        assert all(word in shown for word in words if word.startswith("--"))
    assert 'ENTRYPOINT ["observatory-store"]' in DOCKERFILE


def test_the_migration_waits() -> None:
    """The script is mounted where it is started, and its last word is what the image starts."""
    migrate = SERVICES["migrate"]
    script, *words = migrate["entrypoint"]
    mounted = [volume.split(":")[:2] for volume in migrate["volumes"]]
    [found] = [ROOT / here / Path(script).name for here, there in mounted if there in script]
    assert found.stat().st_mode & 0o111
    assert words[-2:] == ["--", "observatory-store"]


def test_the_image_is_built_from_what_is_there() -> None:
    """Each path it copies exists and is not kept out by .dockerignore."""
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    let_in = {line.removeprefix("!") for line in ignored if line.startswith("!")}
    copied = [
        word
        for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE)
        for word in line.split()[:-1]
    ]
    assert copied
    for path in copied:
        assert (ROOT / path).exists(), path
        assert path in let_in, path
    assert "*" in ignored


def test_the_image_runs_unprivileged_and_pinned() -> None:
    """A hole in the service must not be root in the container."""
    final = DOCKERFILE.rpartition("FROM ")[2]
    assert re.search(r"^USER \d+$", final, re.MULTILINE)
    assert final.startswith("python:3.13-slim")
    assert "--no-cache-dir" in final
    assert "-c /tmp/constraints.txt" in final


def test_compose_reads_it() -> None:
    """The program itself accepts the file; it needs no engine for that."""
    docker = shutil.which("docker")
    if (
        docker is None
        or subprocess.run(
            [docker, "compose", "version"], capture_output=True, check=False
        ).returncode
    ):
        pytest.skip("docker compose is not installed")
    done = subprocess.run(
        [docker, "compose", "config", "--quiet"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
