"""Copies a platform database from an SQLite file into MariaDB, into the tables that the platform really has there."""

import contextlib
import pathlib
import sqlite3

import sqlalchemy as sa

from exporter.demo.demo_tables import metadata


def load(source: pathlib.Path, url: str) -> None:
    """Make all tables in the empty database at `url` and fill them with the rows of the SQLite file.

    Rows go over as SQLite holds them, orphans too. A value that does not fit its column is an error.
    """
    engine = sa.create_engine(url, poolclass=sa.NullPool, connect_args={"charset": "utf8mb4"})
    metadata.create_all(engine)
    with contextlib.closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as rows, engine.begin() as target:
        target.exec_driver_sql("SET foreign_key_checks = 0, sql_mode = 'STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO'")
        for table in metadata.sorted_tables:
            names = [f"`{column.name}`" for column in table.columns]
            found = rows.execute(f"SELECT {', '.join(names)} FROM `{table.name}`").fetchall()
            values = ", ".join(["%s"] * len(names))
            if found:
                target.exec_driver_sql(f"INSERT INTO `{table.name}` ({', '.join(names)}) VALUES ({values})", found)
