"""What a test needs from the machine: without it the test is skipped, and fails where CI promises that it is there."""

import os
import shutil
from typing import NoReturn

import pytest

PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin", "/sbin"])
"""Folders of programs: the path of an ordinary user may lack those of servers."""


def missing(how: str) -> NoReturn:
    """Skip the test, or under `CI=true` fail it; `how` says what it needs and which command installs that."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"needs {how}", pytrace=False)
    pytest.skip(f"needs {how}")


def program(name: str, package: str) -> str:
    """The path of a program, which that package of Debian's installs."""
    found = shutil.which(name, path=PATH)
    if found is None:
        missing(f"{name}: apt-get install {package}")
    return found
