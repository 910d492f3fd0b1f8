"""What a command that failed says, and a statement that makes it fail."""

import contextlib
import json
import pathlib
import re
import sqlite3

USER, PASSWORD = "UserName", "PassWord"


def one_line(err: str, message: str, format_: str = "plain") -> None:
    """See that there is one line, which says this and no secret."""
    assert err.endswith("\n") and err.count("\n") == 1, err
    if format_ == "json":
        line = json.loads(err)
        assert line["level"] == "error" and line.keys() == {"time", "level", "logger", "message"}
        err = line["message"]
    else:
        assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ error: ", err)
    assert message in err and USER not in err and PASSWORD not in err


def changed(statement: str, file: pathlib.Path) -> None:
    """Carry out a statement on an SQLite file."""
    with contextlib.closing(sqlite3.connect(file)) as connection:
        connection.execute(statement)
        connection.commit()
