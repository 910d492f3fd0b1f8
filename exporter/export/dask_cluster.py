"""A Dask cluster, as an operator names it. Dask itself is loaded when a cluster is connected to."""

import contextlib
import importlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from exporter.errors import ExporterError, UsageError

if TYPE_CHECKING:
    from distributed import Client

log = logging.getLogger(__name__)

_CONNECT = 30
"""Seconds that a scheduler may take to answer."""
_CLOSE = 5
"""Seconds that closing the connection may take."""


@dataclass(frozen=True, slots=True)
class DaskCluster:
    """Where the workers of an export are; exactly one of the two is given.

    Args:
        scheduler: the scheduler's address, such as `tls://HOST:8786`.
        factory: `MODULE:FUNCTION`, a function without arguments that makes a cluster, as Dask's packages have them.

    Raises:
        UsageError: none or both are given, or the factory has another form.
    """

    scheduler: str = ""
    factory: str = ""

    def __post_init__(self) -> None:
        if bool(self.scheduler) == bool(self.factory):
            raise UsageError("--executor dask needs either --dask-scheduler ADDRESS or --dask-cluster MODULE:FUNCTION")
        module, _, function = self.factory.partition(":")
        if self.factory and not (module and function.isidentifier()):
            raise UsageError(f"{self.factory!r} names no function that makes a cluster: write MODULE:FUNCTION")

    @property
    def name(self) -> str:
        """What messages call it."""
        return self.scheduler or self.factory

    @contextlib.contextmanager
    def client(self) -> "Iterator[Client]":
        """A connection to the cluster; one that a factory has made is closed in the end.

        Raises:
            UsageError: Dask is not installed, or there is no such function or kind of address.
            ExporterError: the scheduler does not answer.
        """
        try:
            import distributed
        except ImportError:
            raise UsageError(
                "Dask is not installed: run pip install '.[dask]' in a clone of the exporter, here and on all workers"
            ) from None
        for name in (
            "distributed",
            *(one for one in logging.root.manager.loggerDict if one.startswith("distributed.")),
        ):
            logging.getLogger(name).setLevel(logging.CRITICAL)  # what matters to an operator, our own messages say
        with contextlib.ExitStack() as opened:
            place = self.scheduler or self._made(opened)
            try:
                client = distributed.Client(place, timeout=_CONNECT, set_as_default=False, name="exporter")
            except ValueError:
                raise UsageError(
                    f"{self.name} is no address of a Dask scheduler: write tls://HOST:PORT or tcp://HOST:PORT"
                ) from None
            except TypeError:  # what Dask raises where it lacks a file
                raise ExporterError(
                    f"the Dask scheduler {self.name} cannot be reached: Dask's configuration names no TLS files for "
                    "this process (distributed.comm.tls.ca-file, distributed.comm.tls.client.cert and .key)"
                ) from None
            except (FileNotFoundError, PermissionError):
                raise ExporterError(
                    f"the Dask scheduler {self.name} cannot be reached: a TLS file that Dask's configuration names for "
                    "this process does not exist or cannot be read (distributed.comm.tls.ca-file, "
                    "distributed.comm.tls.client.cert and .key)"
                ) from None
            except (OSError, RuntimeError):
                raise ExporterError(
                    f"the Dask scheduler {self.name} cannot be reached: does it run, and are host, port and the TLS "
                    "settings of Dask's configuration right?"
                ) from None
            opened.callback(client.close, _CLOSE)
            yield client

    def _made(self, opened: contextlib.ExitStack) -> Any:
        """The cluster that the factory makes; closed with `opened`."""
        module, _, function = self.factory.partition(":")
        try:
            make = getattr(importlib.import_module(module), function)
        except (ImportError, AttributeError) as error:
            raise UsageError(
                f"there is no {self.factory} ({error}): is its module installed, or on PYTHONPATH?"
            ) from None
        log.info("making a Dask cluster by %s", self.factory)
        cluster = make()
        opened.callback(cluster.close, timeout=_CLOSE)
        return cluster
