"""What Ant's and Jenkins' schemas of JUnit XML both ask for, written down as one table and checked here.

Ant's (windyroad's JUnit.xsd) is the stricter: no attribute of the root, elements in one order, all attributes required.
Jenkins' (xunit-plugin's junit-10.xsd) allows more, and asks for times in digits.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple
from xml.etree import ElementTree as ET

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


def faults(data: bytes) -> Iterator[str]:
    """What is wrong with a document; nothing if it is valid by both schemas."""
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
