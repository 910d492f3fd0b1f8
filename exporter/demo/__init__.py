"""A synthetic platform database, for `exporter demo`, for tests and for benchmarks.

It describes the platform as it is, secrets included, so it shares no table definition with `exporter.source`,
which lists only what is read. Nothing in it comes from the real platform.
"""

from exporter.demo.platform import create_demo

__all__ = ["create_demo"]
