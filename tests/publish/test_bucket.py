"""What `bucket check` and `setup` see and change, against a server that keeps one bucket's settings."""

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from exporter.cli import bucket as bucket_commands
from exporter.cli.main import run
from exporter.errors import ConflictError, StoreError
from exporter.publish.gcs.bucket_settings import Row, Settings, Wanted, read, rows, setup
from tests.support import replies

ACCOUNT = "serviceAccount:exporter@p.iam.gserviceaccount.com"
VIEWER = "roles/storage.objectViewer"
FRESH = {
    "name": "b",
    "iamConfiguration": {"uniformBucketLevelAccess": {"enabled": False}, "publicAccessPrevention": "enforced"},
    "softDeletePolicy": {"retentionDurationSeconds": "604800"},
    "versioning": {"enabled": True},
    "lifecycle": {"rule": [{"action": {"type": "Delete"}, "condition": {"age": 1, "matchesPrefix": ["tmp/"]}}]},
}


class Service:
    """The settings of one bucket, as the JSON API shows and changes them."""

    def __init__(self) -> None:
        self.resource = json.loads(json.dumps(FRESH))
        self.policies: dict[str, dict[str, object]] = {"": {"etag": "0", "bindings": []}}
        self.permissions = ["storage.objects.get", "storage.objects.list"]
        self.forbidden = ""

    def answer(self, asked: replies.Asked) -> tuple[int, bytes]:
        method, _, path = asked.line.partition(" /storage/v1/b/b")
        body = json.loads(asked.body) if asked.body else None
        if self.forbidden and self.forbidden in asked.line:
            return 403, b'{"error": {"message": "no", "errors": [{"reason": "forbidden"}]}}'
        if path.startswith("/iam/testPermissions"):
            return 200, json.dumps({"permissions": self.permissions}).encode()
        if path == "/managedFolders":
            if body["name"] in self.policies:
                return 409, b"{}"
            self.policies[body["name"]] = {"etag": "0", "bindings": []}
            return 200, b"{}"
        if found := re.match(r"(?:/managedFolders/([^/]+))?/iam(\?.*)?$", path):
            folder = (found[1] or "").replace("%2F", "/")
            if folder not in self.policies:
                return 404, b"{}"
            return self._policy(folder, body)
        if method == "PATCH":
            self.resource = _merged(self.resource, body)
        return 200, json.dumps(self.resource).encode()

    def _policy(self, folder: str, body: dict[str, object] | None) -> tuple[int, bytes]:
        policy = self.policies[folder]
        if body is not None:
            if body["etag"] != policy["etag"]:
                return 412, b'{"error": {"message": "etag"}}'
            policy = self.policies[folder] = body | {"etag": str(int(str(policy["etag"])) + 1)}
        return 200, json.dumps(policy).encode()


def _merged(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """A resource after a JSON merge patch."""
    nested = {key: _merged(old.get(key, {}), value) for key, value in new.items() if isinstance(value, dict)}
    return old | new | nested


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    service = Service()
    with replies.running(service.answer) as server:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.url)
        yield service


def table(wanted: Wanted) -> dict[str, Row]:
    return {row.setting: row for row in rows("b", read("b", wanted), wanted)}


def test_a_fresh_bucket_lacks_everything_and_says_how(service: Service) -> None:
    wanted = Wanted(account=ACCOUNT, expire={"_state/old/": 30})
    service.policies[""]["bindings"] = [{"role": VIEWER, "members": ["allUsers", "user:a@b"]}]
    found = table(wanted)
    assert {name: row.right for name, row in found.items()} == {
        "uniform access": False,
        "public access prevention": False,
        "readers": False,
        "private state": False,
        "exporter's role": False,
        "CORS": False,
        "soft delete": False,
        "versioning": False,
        "lifecycle": False,
        "website": False,
    }
    assert [command for row in found.values() for command in row.commands] == [
        "gcloud storage buckets update gs://b --uniform-bucket-level-access",
        "gcloud storage buckets update gs://b --no-public-access-prevention",
        "gcloud storage managed-folders create gs://b/v1/",
        f"gcloud storage managed-folders add-iam-policy-binding gs://b/v1/ --member=allUsers --role={VIEWER}",
        f"gcloud storage buckets remove-iam-policy-binding gs://b --member=allUsers --role={VIEWER}",
        f"gcloud storage buckets add-iam-policy-binding gs://b --member={ACCOUNT} --role=roles/storage.objectUser",
        'echo \'[{"origin":["*"],"method":["GET","HEAD"],"responseHeader":["Content-Type","ETag"],'
        '"maxAgeSeconds":3600}]\' > cors.json',
        "gcloud storage buckets update gs://b --cors-file=cors.json",
        "gcloud storage buckets update gs://b --clear-soft-delete",
        "gcloud storage buckets update gs://b --no-versioning",
        'echo \'{"rule":[{"action":{"type":"Delete"},"condition":{"age":1,"matchesPrefix":["tmp/"]}},'
        '{"action":{"type":"Delete"},"condition":{"age":30,"matchesPrefix":["_state/old/"]}}]}\' > lifecycle.json',
        "gcloud storage buckets update gs://b --lifecycle-file=lifecycle.json",
        "gcloud storage buckets update gs://b --web-main-page-suffix=index.html --web-error-page=404.html",
    ]
    assert found["soft delete"].current == "each replaced or deleted object is billed for 7 days more"


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(account=ACCOUNT, expire={"_state/old/": 30}),
        Wanted(reader="group:readers@example.org", folder="api/v1/", origins=("https://a", "https://b")),
        Wanted(folder="", soft_delete_days=7, index=None),
    ],
    ids=["public", "a group", "the whole bucket"],
)
def test_setup_makes_everything_right_and_nothing_else(service: Service, wanted: Wanted) -> None:
    kept = {"role": "roles/storage.admin", "members": ["user:owner@example.org"]}
    service.policies[""]["bindings"] = [kept, {"role": VIEWER, "members": ["allAuthenticatedUsers", "user:a@b"]}]
    service.permissions += ["storage.objects.create", "storage.objects.delete"]
    before = table(wanted)
    list(setup("b", [row for row in before.values() if not row.right]))
    after = table(wanted)
    assert {name for name, row in after.items() if not row.right} == set()
    assert set(after) == set(before)
    assert kept in service.policies[""]["bindings"]  # type: ignore[operator]
    assert service.resource["lifecycle"]["rule"][0] == FRESH["lifecycle"]["rule"][0]  # type: ignore[index]
    if wanted.folder:
        assert {"role": VIEWER, "members": ["user:a@b"]} in service.policies[""]["bindings"]  # type: ignore[operator]


def test_setup_changes_only_what_is_asked_for(service: Service) -> None:
    list(setup("b", [table(Wanted())["soft delete"]]))
    assert service.resource == FRESH | {"softDeletePolicy": {"retentionDurationSeconds": "0"}}
    assert service.policies == {"": {"etag": "0", "bindings": []}}


def test_what_cannot_be_seen_is_not_said_to_be_right(service: Service) -> None:
    service.forbidden = "/iam?"
    found = table(Wanted(account=ACCOUNT))
    for setting in ("readers", "private state", "exporter's role"):
        assert found[setting].right is None
        assert found[setting].current == "cannot be seen"
    service.forbidden = "?projection"
    with pytest.raises(StoreError, match=r"^gs://b: permission denied"):
        read("b", Wanted())


def test_a_policy_that_another_changes_meanwhile_is_not_overwritten(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = table(Wanted(folder=""))["readers"]
    answer = service.answer

    def overtaken(asked: replies.Asked) -> tuple[int, bytes]:
        reply = answer(asked)
        if asked.line.startswith("GET"):
            service.policies[""] |= {"etag": "7"}
        return reply

    with replies.running(overtaken) as server:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.url)
        with pytest.raises(ConflictError):
            list(setup("b", [row]))


def test_conditions_do_not_count_as_grants() -> None:
    bindings = [{"role": VIEWER, "members": ["allUsers"], "condition": {"expression": "false"}}]
    settings = Settings({}, {"bindings": []}, {"bindings": bindings}, frozenset())
    (row,) = (row for row in rows("b", settings, Wanted()) if row.setting == "readers")
    assert row.right is False
    open_bucket = replace(settings, policy={"bindings": bindings})
    (row,) = (row for row in rows("b", open_bucket, Wanted()) if row.setting == "private state")
    assert row.right is False


def test_check_and_setup_on_the_command_line(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["bucket", "check", "gs://b"]) == 1
    out, err = capsys.readouterr()
    assert err == ""
    assert "wrong: soft-delete: each replaced or deleted object is billed for 7 days more; should be: off\n" in out
    assert "  gcloud storage buckets update gs://b --clear-soft-delete\n" in out

    assert run(["bucket", "setup", "gs://b"]) == 0
    assert service.resource == FRESH
    assert "not changed: uniform-access, public-access-prevention, readers," in capsys.readouterr().out

    assert run(["bucket", "setup", "gs://b", "--setting", "soft-delete"]) == 0
    assert service.resource == FRESH | {"softDeletePolicy": {"retentionDurationSeconds": "0"}}
    assert "changed soft-delete: was each" in capsys.readouterr().out

    assert run(["bucket", "setup", "gs://b", "--everything"]) == 1, "nobody is named to get the exporter's role"
    service.permissions += ["storage.objects.create", "storage.objects.delete"]
    assert run(["bucket", "setup", "gs://b", "--everything", "--account", ACCOUNT]) == 0
    capsys.readouterr()
    assert run(["bucket", "check", "gs://b", "--account", ACCOUNT]) == 0
    assert "wrong" not in capsys.readouterr().out


@pytest.mark.parametrize("name", ["b", "gs://", "gs://B", "s3://b", "gs://b?x"])
def test_what_names_no_bucket(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["bucket", "check", name]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_the_table_on_a_terminal(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    terminal = pytest.MonkeyPatch()
    terminal.setenv("COLUMNS", "140")
    terminal.setattr(sys.stdout, "isatty", lambda: True)
    try:
        assert run(["bucket", "check", "gs://b"]) == 1
    finally:
        terminal.undo()
    assert "soft-delete" in capsys.readouterr().out


def test_the_names_of_settings_are_those_of_the_table(service: Service) -> None:
    assert tuple(map(bucket_commands._name, table(Wanted()).values())) == bucket_commands._NAMES
