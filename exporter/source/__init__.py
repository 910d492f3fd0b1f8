"""The platform's database: the only room that knows SQL."""

DATABASE_TIMEOUT = 120
"""Seconds that a database may be silent for, unless the operator says otherwise."""
