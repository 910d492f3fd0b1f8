"""The machine-readable contract: it is sound, documents keep it, and it keeps what earlier ones promised."""

import contextlib
import copy
import pathlib
import posixpath
import re
import sqlite3
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jsonschema_rs
import openapi_spec_validator
import orjson
import pytest

from exporter import paths
from exporter.builders import api_description
from exporter.demo import create_demo
from exporter.documents.links import links
from exporter.server import platform_api
from tests.support import reference
from tests.support.contract import RELEASED, Compatibility, Contract
from tests.support.platform import export


def _version(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(".")))


RELEASES = sorted(RELEASED.glob("*.json"), key=lambda file: _version(file.stem))
PASSING = {"/pending.json", "/snapshots/latest.json"}
"""Documents that are there for moments only, or that no export makes."""


class Tree(NamedTuple):
    """A published tree: path below the API root → document; and the paths that links lead to."""

    documents: dict[str, Any]
    linked: set[str]

    @property
    def openapi(self) -> dict[str, Any]:
        found: dict[str, Any] = self.documents["openapi.json"]
        return found


def _read(root: pathlib.Path) -> Tree:
    api = root / "v1"
    documents = {
        str(file.relative_to(api)): orjson.loads(data) if file.suffix == ".json" else data.decode()
        for file in api.rglob("*.*")
        if file.is_file() and (data := file.read_bytes())
    }
    linked, queue = {paths.MANIFEST}, [paths.MANIFEST]
    while queue:
        path = queue.pop()
        document = documents[path]
        for link in links(document):
            target = posixpath.normpath(posixpath.join(posixpath.dirname(path), link))
            if target not in linked:
                linked.add(target)
                queue.append(target)
    return Tree(documents, linked)


@pytest.fixture(scope="module")
def parity_tree(
    parity_sqlite: pathlib.Path, parity_files: pathlib.Path, tmp_path_factory: pytest.TempPathFactory
) -> Tree:
    root = tmp_path_factory.mktemp("contract") / "parity"
    export(f"sqlite:///{parity_sqlite}", root, sample_repository=parity_files)
    return _read(root)


@pytest.fixture(scope="module")
def demo_tree(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    root = tmp_path_factory.mktemp("contract")
    url = f"sqlite:///{root}/platform.sqlite"
    create_demo(url, runs=250, tests=12, seed=1, sample_repository=root / "files")
    export(url, root / "demo", sample_repository=root / "files")
    return _read(root / "demo")


ODD = (None, -5, 3.5, "", "linux\x1b[31m\u202e", "x" * 300, b"\xff\xfe")


@pytest.fixture(scope="module")
def odd_tree(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """Of rows that make no sense: in every column but the keys of rows, one value in seven is none for it."""
    root = tmp_path_factory.mktemp("contract")
    create_demo(f"sqlite:///{root}/platform.sqlite", runs=120, tests=8, seed=2)
    with contextlib.closing(sqlite3.connect(root / "platform.sqlite", isolation_level=None)) as database:
        tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (table,) in tables:
            # Made anew, a table has no constraints.
            database.execute(f"ALTER TABLE {table} RENAME TO old_{table}")
            database.execute(f"CREATE TABLE {table} AS SELECT * FROM old_{table}")
            for number, (_, column, *_) in enumerate(database.execute(f"PRAGMA table_info({table})").fetchall()):
                if column not in ("id", "test_id", "regression_test_id", "regression_test_output_id"):
                    for place, value in enumerate(ODD):
                        database.execute(
                            f'UPDATE {table} SET "{column}" = ? WHERE (rowid + {3 * number}) % 49 = {7 * place}',
                            (value,),
                        )
    export(f"sqlite:///{root}/platform.sqlite", root / "odd")
    return _read(root / "odd")


@pytest.fixture(params=["parity_tree", "demo_tree", "odd_tree"])
def tree(request: pytest.FixtureRequest) -> Tree:
    found: Tree = request.getfixturevalue(request.param)
    return found


def test_openapi_passes_its_linter() -> None:
    openapi_spec_validator.validate(api_description.openapi(), cls=openapi_spec_validator.OpenAPIV31SpecValidator)


def test_every_schema_is_one_and_stands_alone() -> None:
    for name, schema in api_description.json_schemas().items():
        jsonschema_rs.meta.validate(schema)
        jsonschema_rs.Draft202012Validator(schema)
        assert schema["title"] == name


def test_everything_is_described() -> None:
    bare = [
        f"{name}.{field}"
        for name, schema in api_description.openapi()["components"]["schemas"].items()
        for field, part in schema["properties"].items()
        if not part.get("description") and "$ref" not in part
    ]
    assert not bare
    assert all(schema["description"] for schema in api_description.openapi()["components"]["schemas"].values())


@pytest.mark.parametrize("openapi", [api_description.openapi(), platform_api.openapi()], ids=["tree", "live API"])
def test_generated_clients_have_a_name_for_every_shape(openapi: dict[str, Any]) -> None:
    """Generators name an object without a name, or a choice, by its shape and by its title or the field it is in."""
    named = openapi["components"]["schemas"]
    made: dict[str, object] = {}

    def check(schema: Any, name: str) -> None:
        if name not in named and (schema.get("properties") or "enum" in schema):
            assert made.setdefault(name, schema) == schema, f"two fields are named {name}"
        for field, part in schema.get("properties", {}).items():
            inner = name + "".join(word[0].upper() + word[1:] for word in part.get("title", field).split("_"))
            assert inner not in named or "$ref" in part, f"a field of {name} and a shape are both named {inner}"
            check(part, inner)
        for part in (schema.get("items"), schema.get("additionalProperties")):
            if isinstance(part, dict):
                check(part, f"{name}Item")

    for name, schema in named.items():
        check(schema, name)


def test_a_tree_holds_its_contract(tree: Tree) -> None:
    assert tree.openapi == api_description.openapi()
    for name, schema in api_description.json_schemas().items():
        assert tree.documents[paths.schema(name)] == schema


def test_every_document_is_as_its_schema_says(tree: Tree) -> None:
    assert_kept(tree, tree.openapi)


def assert_kept(tree: Tree, openapi: dict[str, Any]) -> None:
    """Every document matches one path, and is as that says; no field is there that is not named."""
    check = Contract(openapi)
    described = {path: one for path, one in tree.documents.items() if not path.startswith(("openapi", "schemas/"))}
    problems = {problem for path, document in described.items() for problem in check.problems(path, document)}
    assert not problems, "\n".join(sorted(problems)[:30])
    # Nothing links to the pages that heads repeat, nor to what is looked up by a hash.
    assert not {path for path in described.keys() - tree.linked if not re.search("/archive/|^samples/by-sha/", path)}
    assert len(tree.linked) > 500


def test_every_path_leads_to_documents(parity_tree: Tree, demo_tree: Tree) -> None:
    check = Contract(api_description.openapi())
    found = {check.template(path) for tree in (parity_tree, demo_tree) for path in tree.documents}
    # No tree of these sizes has more than one page of these, nor a hundred tests in a bucket of a comparison.
    few = {path for path in check.templates if path.endswith(("/page/{page}.json", "/{reference}/{bucket}.json"))}
    assert check.templates.keys() - found <= few | PASSING


@pytest.mark.parametrize("release", RELEASES, ids=lambda file: file.stem)
def test_what_was_released_is_kept(release: pathlib.Path) -> None:
    problems = list(Compatibility(orjson.loads(release.read_bytes()), api_description.openapi()).problems())
    assert not problems, "\n".join(problems)


def test_a_release_is_kept_here() -> None:
    assert RELEASES and _version(RELEASES[-1].stem) <= _version(paths.API_VERSION)


MUTATIONS: dict[str, tuple[Callable[[Any], Any], str | None]] = {
    "nothing": (lambda api: None, None),
    "a field removed": (lambda api: _shape(api, "Tag")["properties"].pop("name"), "Tag.name: removed"),
    "a field renamed": (
        lambda api: _shape(api, "Tag")["properties"].update(title=_shape(api, "Tag")["properties"].pop("name")),
        "Tag.name: removed",
    ),
    "a field retyped": (lambda api: _field(api, "Tag", "id").update(type="string"), "Tag.id: type changed"),
    "a field made nullable": (
        lambda api: _field(api, "Tag", "id").update(type=["integer", "null"]),
        "Tag.id: made nullable",
    ),
    "a field made optional": (lambda api: _shape(api, "Tag")["required"].remove("id"), "Tag: no longer always there"),
    "a nested shape made nullable": (
        lambda api: _shape(api, "RunItem")["properties"].update(
            summary={"anyOf": [{"$ref": "#/components/schemas/Summary"}, {"type": "null"}]}
        ),
        "RunItem.summary: made nullable",
    ),
    "a nested shape exchanged": (
        lambda api: _field(api, "RunItem", "summary").update({"$ref": "#/components/schemas/Tag"}),
        "RunItem.summary.total_samples: removed",
    ),
    "an enum value removed": (
        lambda api: _field(api, "RunItem", "status")["enum"].remove("fail"),
        "enum values removed",
    ),
    "an enum opened": (lambda api: _field(api, "RunItem", "status").pop("enum"), "enum values removed"),
    "another unit": (lambda api: _field(api, "HistoryEntry", "runtime_ms").update({"x-unit": "s"}), "x-unit changed"),
    "another format": (lambda api: _field(api, "RunItem", "created_at").update(format="date"), "format changed"),
    "items retyped": (lambda api: _field(api, "SampleItem", "tags")["items"].update(type="integer"), "type changed"),
    "a tuple made longer": (
        lambda api: _field(api, "ManifestPartDocument", "documents")["additionalProperties"]["prefixItems"].append({}),
        "another number of items",
    ),
    "a document removed": (lambda api: api["paths"].pop("/tags.json"), "/tags.json: document removed"),
    "a document renamed": (
        lambda api: api["paths"].update({"/labels.json": api["paths"].pop("/tags.json")}),
        "/tags.json: document removed",
    ),
    "a document of another shape": (
        lambda api: _content(api, "/tags.json").update(schema={"$ref": "#/components/schemas/RunFeedHead"}),
        "/tags.json.pagination.page: removed",
    ),
    "a schema removed": (lambda api: _schemas(api).pop("Upload"), "Upload: removed"),
    "a parameter retyped": (
        lambda api: api["components"]["parameters"]["run_id"]["schema"].update(type="string"),
        "run_id: type changed",
    ),
    "an operation renamed": (
        lambda api: api["paths"]["/tags.json"]["get"].update(operationId="t"),
        "operation renamed",
    ),
    "an entry document removed": (
        lambda api: _field(api, "ManifestDocument", "links")["required"].remove("tags"),
        "no longer always there: ['tags']",
    ),
    "a field added": (lambda api: _shape(api, "Tag")["properties"].update(new={"type": "string"}), None),
    "an enum value added": (lambda api: _field(api, "RunItem", "status")["enum"].append("paused"), None),
    "a document added": (lambda api: api["paths"].update({"/new.json": api["paths"]["/tags.json"]}), None),
    "never null again": (lambda api: _field(api, "Tag", "name").update(type="string"), None),
    "another description": (lambda api: _field(api, "Tag", "name").update(description="Other."), None),
}


def _schemas(api: Any) -> Any:
    return api["components"]["schemas"]


def _shape(api: Any, name: str) -> Any:
    return _schemas(api)[name]


def _field(api: Any, name: str, field: str) -> Any:
    return _shape(api, name)["properties"][field]


def _content(api: Any, path: str) -> Any:
    return api["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]


@pytest.mark.parametrize("name", MUTATIONS)
def test_what_breaks_a_reader_is_found_and_nothing_else(name: str) -> None:
    change, expected = MUTATIONS[name]
    old = api_description.openapi()
    new = copy.deepcopy(old)
    change(new)
    problems = list(Compatibility(old, new).problems())
    assert any(expected in problem for problem in problems) if expected else not problems, problems


def test_what_is_not_as_its_schema_says_is_found() -> None:
    check = Contract(api_description.openapi())
    tags = {
        "data": [{"id": 1, "name": None, "description": None}],
        "pagination": {"page": 1, "pages": 1, "per_page": 100, "total": 1}
        | {"first": "tags.json", "prev": None, "next": None, "last": "tags.json"},
        "meta": {},
    }
    assert list(check.problems("tags.json", tags)) == []
    for wrong in _wrong(tags):
        assert list(check.problems("tags.json", wrong))


def _wrong(tags: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield tags | {"more": 1}
    yield tags | {"data": [{"name": None, "id": 1, "description": None}]}
    yield {name: part for name, part in tags.items() if name != "meta"}
    yield tags | {"data": [{"id": 1, "name": None, "description": None, "colour": "red"}]}
    yield tags | {"data": [{"id": "1", "name": None, "description": None}]}
    yield tags | {"data": [{"id": None, "name": None, "description": None}]}


def test_the_reference_page_is_the_contracts() -> None:
    assert reference.PAGE.read_text() == reference.page(), "write it anew: make reference"


def test_the_reference_page_leads_to_no_missing_shape() -> None:
    text = reference.page()
    assert {f"#{name.lower()}" for name in re.findall(r"^### (\w+)$", text, re.M)} >= set(
        re.findall(r"\]\((#\w+)\)", text)
    )
