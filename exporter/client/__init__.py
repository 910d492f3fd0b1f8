"""Readers of what is published: the typed `Api`, and copies of snapshots and whole trees."""

from exporter.client.api import Api

__all__ = ["Api"]
