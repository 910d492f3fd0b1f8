"""What a bucket needs to serve a static API, what it has, and the way from one to the other.

`read` asks the service, `rows` compares, `setup` changes what is asked for; `docs/bucket.md` says why.
"""

import pathlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import quote

import orjson
from google.auth.transport.requests import AuthorizedSession

from exporter.publish.gcs.reply_checks import json_object
from exporter.publish.gcs.session import (
    FAILURES,
    FULL_CONTROL,
    NEEDED,
    credentials,
    endpoint,
    explain,
    explain_reply,
    session,
)

Json = dict[str, Any]

_VIEWER = "roles/storage.objectViewer"
_USER = "roles/storage.objectUser"
_EVERYONE = ("allUsers", "allAuthenticatedUsers")
_TIMEOUT = 30.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the operator asks for.

    Args:
        reader: who may read: `allUsers`, or one as `group:NAME@DOMAIN`.
        folder: what the reader may read: the names that begin so, up to a slash; empty for the whole bucket, `_state/`
            included.
        account: the exporter's, as `serviceAccount:NAME@PROJECT.iam.gserviceaccount.com`; None to leave roles alone.
        origins: web sites whose scripts may read.
        soft_delete_days: for which deleted and replaced objects are kept, and billed; 0 or 7 to 90.
        expire: prefix of object names → days after whose creation they are deleted. Never of anything published.
        index: object that a web server shows for a folder; None for no web site.
        not_found: object that it shows for what does not exist.
    """

    reader: str = "allUsers"
    folder: str = "v1/"
    account: str | None = None
    origins: tuple[str, ...] = ("*",)
    soft_delete_days: int = 0
    expire: Mapping[str, int] = field(default_factory=dict)
    index: str | None = "index.html"
    not_found: str = "404.html"


@dataclass(frozen=True, slots=True)
class Grant:
    """A role to be given to a member, or taken from it, on a folder or, where that is empty, on the bucket."""

    folder: str
    member: str
    role: str
    given: bool = True


@dataclass(frozen=True, slots=True)
class Row:
    """One setting.

    Args:
        setting: its name, by which `setup` is asked for it.
        current: what is, in words.
        wanted: what should be, in words.
        right: whether they agree; None if what is cannot be seen with these credentials.
        commands: the `gcloud` commands that make it so.
        patch: what to change in the bucket's resource.
        grants: what to change in its policies.
    """

    setting: str
    current: str
    wanted: str
    right: bool | None
    commands: tuple[str, ...] = ()
    patch: Json | None = None
    grants: tuple[Grant, ...] = ()


@dataclass(frozen=True, slots=True)
class Settings:
    """What the service says of a bucket.

    Args:
        resource: the bucket's resource.
        policy: its policy; None if it may not be seen.
        folder_policy: that of the readers' folder, empty if it has none; None if it may not be seen.
        permissions: those of `NEEDED` that these credentials have.
    """

    resource: Json
    policy: Json | None
    folder_policy: Json | None
    permissions: frozenset[str]


def read(bucket: str, wanted: Wanted, file: pathlib.Path | None = None) -> Settings:
    """Ask for a bucket's settings, with the credentials of a file or the application default ones.

    Raises:
        StoreError: there is no such bucket, or it may not be seen.
    """
    api = _Api(bucket, session(credentials(file, FULL_CONTROL), 1))
    resource = api.call("GET", "?projection=noAcl")
    policy = api.call("GET", _policy_of(""), without=(403, 404))
    folder_policy = policy
    if wanted.folder:
        folder_policy = api.call("GET", _policy_of(wanted.folder), without=(403,), empty=(404,))
    asked = "&".join(f"permissions={permission}" for permission in NEEDED)
    found = api.call("GET", f"/iam/testPermissions?{asked}", empty=(403, 404)) or {}
    return Settings(resource or {}, policy, folder_policy, frozenset(found.get("permissions", ())))


def rows(bucket: str, settings: Settings, wanted: Wanted) -> list[Row]:
    """Compare what is with what should be, setting by setting, in the order in which to change them."""
    return [
        *_access(bucket, settings.resource, wanted),
        *_readers(bucket, settings, wanted),
        _exporter(bucket, settings, wanted),
        _cors(bucket, settings.resource, wanted),
        *_copies(bucket, settings.resource, wanted),
        _lifecycle(bucket, settings.resource, wanted),
        _website(bucket, settings.resource, wanted),
    ]


def setup(bucket: str, chosen: Collection[Row], file: pathlib.Path | None = None) -> Iterator[Row]:
    """Change the settings of these rows and nothing else; yield each row when its change is made.

    Raises:
        StoreError: a change was refused; those before it were made.
    """
    api = _Api(bucket, session(credentials(file, FULL_CONTROL), 1))
    for row in chosen:
        if row.patch is not None:
            api.call("PATCH", "?projection=noAcl", row.patch)
        for grant in row.grants:
            if grant.folder:
                api.call("POST", "/managedFolders", {"name": grant.folder}, empty=(409,))
            policy = api.call("GET", _policy_of(grant.folder)) or {}
            api.call("PUT", _policy_of(grant.folder).partition("?")[0], _changed(policy, grant))
        yield row


def _access(bucket: str, resource: Json, wanted: Wanted) -> list[Row]:
    access = resource.get("iamConfiguration", {})
    uniform = access.get("uniformBucketLevelAccess", {}).get("enabled", False)
    found = [
        Row(
            "uniform access",
            "on" if uniform else "off",
            "on",
            uniform,
            (_update(bucket, "--uniform-bucket-level-access"),),
            {"iamConfiguration": {"uniformBucketLevelAccess": {"enabled": True}}},
        )
    ]
    if wanted.reader in _EVERYONE:
        prevention = access.get("publicAccessPrevention", "inherited")
        found.append(
            Row(
                "public access prevention",
                prevention,
                "inherited, and not enforced by the organization",
                prevention != "enforced",
                (_update(bucket, "--no-public-access-prevention"),),
                {"iamConfiguration": {"publicAccessPrevention": "inherited"}},
            )
        )
    return found


def _readers(bucket: str, settings: Settings, wanted: Wanted) -> list[Row]:
    place = f"gs://{bucket}/{wanted.folder}" if wanted.folder else f"gs://{bucket}"
    grant = Grant(wanted.folder, wanted.reader, _VIEWER)
    readers = _members(settings.folder_policy, _VIEWER)
    known = settings.folder_policy is not None
    create = (f"gcloud storage managed-folders create {place}",) if wanted.folder else ()
    found = [
        Row(
            "readers",
            (", ".join(sorted(readers)) or "nobody") if known else "cannot be seen",
            f"{wanted.reader} may read {place}",
            wanted.reader in readers if known else None,
            (*create, _command(bucket, grant)),
            grants=(grant,),
        )
    ]
    if wanted.folder:
        open_to = [
            Grant("", member, binding["role"], given=False)
            for binding in (settings.policy or {}).get("bindings", ())
            for member in binding["members"]
            if member in (wanted.reader, *_EVERYONE)
        ]
        found.append(
            Row(
                "private state",
                ("; ".join(f"{one.role} for {one.member}" for one in open_to) or "private")
                if settings.policy is not None
                else "cannot be seen",
                f"no role for readers outside {wanted.folder}",
                not open_to if settings.policy is not None else None,
                tuple(_command(bucket, one) for one in open_to),
                grants=tuple(open_to),
            )
        )
    return found


def _exporter(bucket: str, settings: Settings, wanted: Wanted) -> Row:
    missing = [permission for permission in NEEDED if permission not in settings.permissions]
    if wanted.account is None:
        return Row(
            "exporter's role",
            f"these credentials lack {', '.join(missing)}" if missing else "these credentials suffice",
            f"{_USER}, or a role of its four permissions",
            not missing,
            (_command(bucket, Grant("", "serviceAccount:EXPORTER", _USER)),),
        )
    grant = Grant("", wanted.account, _USER)
    known = settings.policy is not None
    given = wanted.account in _members(settings.policy, _USER)
    return Row(
        "exporter's role",
        (_USER if given else "not given") if known else "cannot be seen",
        f"{_USER} for {wanted.account}",
        given if known else None,
        (_command(bucket, grant),),
        grants=(grant,),
    )


def _cors(bucket: str, resource: Json, wanted: Wanted) -> Row:
    should = [
        {
            "origin": list(wanted.origins),
            "method": ["GET", "HEAD"],
            "responseHeader": ["Content-Type", "ETag"],
            "maxAgeSeconds": 3600,
        }
    ]
    text = orjson.dumps(should).decode()
    return Row(
        "CORS",
        orjson.dumps(resource["cors"]).decode() if resource.get("cors") else "none",
        text,
        resource.get("cors", []) == should,
        (f"echo '{text}' > cors.json", _update(bucket, "--cors-file=cors.json")),
        {"cors": should},
    )


def _copies(bucket: str, resource: Json, wanted: Wanted) -> list[Row]:
    seconds = int(resource.get("softDeletePolicy", {}).get("retentionDurationSeconds", 0))
    days = wanted.soft_delete_days
    versioning = resource.get("versioning", {}).get("enabled", False)
    return [
        Row(
            "soft delete",
            f"each replaced or deleted object is billed for {seconds / 86_400:g} days more" if seconds else "off",
            f"{days} days" if days else "off",
            seconds == days * 86_400,
            (_update(bucket, f"--soft-delete-duration={days}d" if days else "--clear-soft-delete"),),
            {"softDeletePolicy": {"retentionDurationSeconds": str(days * 86_400)}},
        ),
        Row(
            "versioning",
            "each replaced or deleted object is billed for ever" if versioning else "off",
            "off",
            not versioning,
            (_update(bucket, "--no-versioning"),),
            {"versioning": {"enabled": False}},
        ),
    ]


def _lifecycle(bucket: str, resource: Json, wanted: Wanted) -> Row:
    rules: list[Json] = resource.get("lifecycle", {}).get("rule", [])
    should = [
        {"action": {"type": "Delete"}, "condition": {"age": days, "matchesPrefix": [prefix]}}
        for prefix, days in wanted.expire.items()
    ]
    missing = [rule for rule in should if rule not in rules]
    # Whatever rules the operator has besides stay.
    lifecycle = {"rule": [*rules, *missing]}
    return Row(
        "lifecycle",
        orjson.dumps(rules).decode() if rules else "none",
        ", ".join(f"{prefix} goes after {days} days" for prefix, days in wanted.expire.items()) or "nothing",
        not missing,
        (
            f"echo '{orjson.dumps(lifecycle).decode()}' > lifecycle.json",
            _update(bucket, "--lifecycle-file=lifecycle.json"),
        ),
        {"lifecycle": lifecycle},
    )


def _website(bucket: str, resource: Json, wanted: Wanted) -> Row:
    website = resource.get("website", {})
    current = f"{website.get('mainPageSuffix', 'none')}, {website.get('notFoundPage', 'none')}"
    if wanted.index is None:
        return Row("website", current, "as it is", right=True)
    return Row(
        "website",
        current,
        f"{wanted.index}, {wanted.not_found}",
        website == {"mainPageSuffix": wanted.index, "notFoundPage": wanted.not_found},
        (_update(bucket, f"--web-main-page-suffix={wanted.index} --web-error-page={wanted.not_found}"),),
        {"website": {"mainPageSuffix": wanted.index, "notFoundPage": wanted.not_found}},
    )


def _update(bucket: str, options: str) -> str:
    return f"gcloud storage buckets update gs://{bucket} {options}"


def _command(bucket: str, grant: Grant) -> str:
    what, place = ("managed-folders", f"{bucket}/{grant.folder}") if grant.folder else ("buckets", bucket)
    action = "add" if grant.given else "remove"
    member = f"--member={grant.member} --role={grant.role}"
    return f"gcloud storage {what} {action}-iam-policy-binding gs://{place} {member}"


def _members(policy: Json | None, role: str) -> set[str]:
    """Who has a role without a condition."""
    bindings = (policy or {}).get("bindings", ())
    return {
        member
        for binding in bindings
        if binding["role"] == role and "condition" not in binding
        for member in binding["members"]
    }


def _changed(policy: Json, grant: Grant) -> Json:
    """A policy after a grant. It keeps its etag, so that a change made meanwhile is not lost but refuses this one."""
    bindings = [dict(binding) for binding in policy.get("bindings", ())]
    if grant.given:
        bindings.append({"role": grant.role, "members": [grant.member]})
    else:
        for binding in bindings:
            if binding["role"] == grant.role:
                binding["members"] = [member for member in binding["members"] if member != grant.member]
    return policy | {"bindings": [binding for binding in bindings if binding["members"]]}


def _policy_of(folder: str) -> str:
    place = f"/managedFolders/{quote(folder, safe='')}" if folder else ""
    return f"{place}/iam?optionsRequestedPolicyVersion=3"


@dataclass(frozen=True, slots=True)
class _Api:
    """The JSON API of one bucket; the client library knows no managed folders."""

    bucket: str
    http: AuthorizedSession

    def call(
        self,
        method: Literal["GET", "PATCH", "POST", "PUT"],
        path: str,
        body: Json | None = None,
        *,
        without: tuple[int, ...] = (),
        empty: tuple[int, ...] = (),
    ) -> Json | None:
        """The reply; None for the statuses `without`, an empty one for `empty`.

        Raises:
            StoreError: any other error.
        """
        name, url = f"gs://{self.bucket}", f"{endpoint()}/storage/v1/b/{self.bucket}{path}"
        try:
            reply = self.http.request(method, url, json=body, timeout=_TIMEOUT)
        except FAILURES as error:
            raise explain(name, error) from error
        if reply.status_code in without:
            return None
        if reply.status_code in empty:
            return {}
        if reply.status_code >= 300:
            raise explain_reply(name, reply.status_code, reply.content)
        return json_object(reply.content)
