"""The Dockerfile and what runs its image, held to rules; `make image` carries out the steps."""

import json
import pathlib
import re
from typing import Any

import kubernetes_validate
import pytest
import yaml

from exporter.cli.main import cli, commands

ROOT = pathlib.Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"


def _instructions() -> list[tuple[str, str]]:
    lines = [line for line in (ROOT / "Dockerfile").read_text().splitlines() if line and not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", "")
    return [(name, rest) for name, rest in (line.split(None, 1) for line in joined.splitlines())]


def _of(name: str) -> list[str]:
    return [rest for found, rest in _instructions() if found == name]


def _settings() -> set[str]:
    found = [parameter for _, command in [("", cli), *commands()] for parameter in command.params]
    return {str(parameter.envvar) for parameter in found}


def test_the_image_is_built_in_two_stages_and_runs_as_somebody_without_rights() -> None:
    names = [name for name, _ in _instructions()]
    last = len(names) - 1 - names[::-1].index("FROM")
    assert names.count("FROM") == 2
    user = [rest for place, (name, rest) in enumerate(_instructions()) if name == "USER" and place > last]
    assert user and re.fullmatch(r"[1-9]\d*:[1-9]\d*", user[-1]), "a number, so that runAsNonRoot can be checked"
    assert not [rest for name, rest in _instructions()[last:] if name == "RUN" and "venv" in rest]
    assert _of("VOLUME") == ["/tmp"] and _of("WORKDIR")[-1] == "/tmp"
    assert "ADD" not in names


def test_the_image_is_healthy_if_the_status_is() -> None:
    (health,) = _of("HEALTHCHECK")
    assert json.loads(health.partition("CMD ")[2]) == ["exporter", "status"]
    (entrypoint,), (command,) = map(json.loads, _of("ENTRYPOINT") + _of("CMD"))
    assert entrypoint == "exporter" and command in dict(commands())


def test_only_what_the_image_needs_is_sent_to_the_engine() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    allowed = {line[1:] for line in ignored if line.startswith("!")}
    copied = {word for rest in _of("COPY") if not rest.startswith("--from") for word in rest.split()[:-1]}
    assert "*" in ignored and allowed == copied
    assert all((ROOT / name).exists() for name in copied)


def _documents(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((DEPLOY / name).read_text()))


@pytest.mark.filterwarnings("ignore")
def test_kubernetes_knows_all_that_its_example_says() -> None:
    for document in _documents("kubernetes.yaml"):
        kubernetes_validate.validate(document, "1.34", strict=True)


def test_kubernetes_gives_the_container_no_rights() -> None:
    (job,) = (document for document in _documents("kubernetes.yaml") if document["kind"] == "CronJob")
    pod = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert job["spec"]["concurrencyPolicy"] == "Forbid"
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert [mount["mountPath"] for mount in container["volumeMounts"]] == ["/tmp"]
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}


def test_cloud_run_runs_one_task() -> None:
    (job,) = _documents("cloud-run-job.yaml")
    assert job["spec"]["template"]["spec"]["taskCount"] == 1
    (container,) = job["spec"]["template"]["spec"]["template"]["spec"]["containers"]
    assert container["args"] == ["export"]


def test_every_setting_that_is_named_is_one() -> None:
    texts = {
        file.name: file.read_text() for file in [*DEPLOY.iterdir(), ROOT / "Dockerfile", ROOT / "docs/container.md"]
    }
    named = {(name, setting) for name, text in texts.items() for setting in re.findall(r"EXPORTER_[A-Z_]+", text)}
    assert len(named) > 15
    assert not {(name, setting) for name, setting in named if setting not in _settings() | {"EXPORTER_SERVICE_ACCOUNT"}}
    secrets = {(name, text) for name, text in texts.items() if re.search(r"DATABASE_URL\W+value: *\S*mysql", text)}
    assert not secrets, "the URL has a password: it comes from a secret"
