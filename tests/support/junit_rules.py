"""What Ant's and Jenkins' schemas of JUnit XML ask for: as one table, and themselves where `.ci/junit-schemas` was run.

Ant's (windyroad's JUnit.xsd) is the stricter: no attribute of the root, elements in one order, all attributes required.
Jenkins' (xunit-plugin's junit-10.xsd) allows more, and asks for times in digits.
"""

import functools
import pathlib
import re
from collections.abc import Iterator
from typing import Any, NamedTuple
from xml.etree import ElementTree as ET

from tests.support.needs import missing

FETCHED = pathlib.Path(__file__).parent.parent.parent / "build" / "junit-schemas"

_NUMBER, _SECONDS = r"\d+", r"\d+(\.\d+)?"
_TOKEN = r"\S(.*\S)?"


class Rule(NamedTuple):
    """The children that an element may have, as a pattern over their names, and what each attribute must match."""

    children: str
    attributes: dict[str, str]


RULES = {
    "testsuites": Rule("(testsuite )*", {}),
    "testsuite": Rule(
        "properties (testcase )*system-out system-err ",
        {
            "name": _TOKEN,
            "package": ".*",
            "id": _NUMBER,
            "hostname": _TOKEN,
            "timestamp": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d",
            "tests": _NUMBER,
            "failures": _NUMBER,
            "errors": _NUMBER,
            "time": _SECONDS,
        },
    ),
    "properties": Rule("(property )*", {}),
    "property": Rule("", {"name": _TOKEN, "value": ".*"}),
    "testcase": Rule("((skipped|error|failure) )?", {"name": ".*", "classname": ".*", "time": _SECONDS}),
    "error": Rule("", {"type": ".*", "message": ".*"}),
    "failure": Rule("", {"type": ".*", "message": ".*"}),
    "system-out": Rule("", {}),
    "system-err": Rule("", {}),
}


@functools.cache
def schemas() -> dict[str, Any]:
    """Name → validator of each schema that was fetched; the test is skipped where none was."""
    if not FETCHED.is_dir():
        missing("the XML schemas of JUnit: .ci/junit-schemas")
    from lxml import etree

    return {file.name: etree.XMLSchema(file=str(file)) for file in sorted(FETCHED.glob("*.xsd"))}


def faults_by_schemas(data: bytes) -> Iterator[str]:
    """What the fetched schemas find wrong with a document."""
    from lxml import etree

    document = etree.fromstring(data)
    for name, schema in schemas().items():
        if not schema.validate(document):
            yield f"{name}: {schema.error_log.last_error}"


def faults(data: bytes) -> Iterator[str]:
    """What is wrong with a document; nothing if it is valid by the table, and by the schemas if they were fetched."""
    yield from faults_by_rules(data)
    if FETCHED.is_dir():
        yield from faults_by_schemas(data)


def faults_by_rules(data: bytes) -> Iterator[str]:
    """What the table finds wrong with a document."""
    root = ET.fromstring(data)
    if root.tag != "testsuites":
        yield f"the root is {root.tag}"
    for element in root.iter():
        rule = RULES.get(element.tag)
        if rule is None:
            yield f"there is no element {element.tag}"
            continue
        if not re.fullmatch(rule.children, "".join(f"{child.tag} " for child in element)):
            yield f"{element.tag} has the children {[child.tag for child in element]}"
        if element.keys() and set(element.keys()) != set(rule.attributes):
            yield f"{element.tag} has the attributes {element.keys()}"
        for name, pattern in rule.attributes.items():
            if not re.fullmatch(pattern, element.get(name, "\0"), re.ASCII | re.DOTALL):
                yield f"{element.tag}/@{name} is {element.get(name)!r}"
    ids = [suite.get("id") for suite in root]
    if ids != [str(number) for number in range(len(ids))]:
        yield f"ids of suites are {ids}"
