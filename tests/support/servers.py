"""The database servers that there are for tests."""

import os

MYSQL_URL = os.environ.get("EXPORTER_TEST_MYSQL_URL", "")
"""The URL, without a database, of a MySQL server on which tests may do everything; empty without one."""

SERVERS = ["mariadb", "mysql"] if MYSQL_URL else ["mariadb"]
