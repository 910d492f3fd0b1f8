"""Snapshots: all rows as files to take home, in several formats."""
