"""Readers of what is published: the typed `Api`, and copies of snapshots and whole trees."""

from exporter.client.api import Api, FetchError, NotFoundError

__all__ = ["Api", "FetchError", "NotFoundError"]
