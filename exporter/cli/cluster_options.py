"""The options that say where the workers of an export run."""

import functools
from typing import Any

import click

from exporter.cli.options import Command, option
from exporter.export.dask_cluster import DaskCluster


def cluster_options(command: Command) -> Command:
    """Add where the workers run; the command gets it as a `DaskCluster` or None, named `cluster`."""

    @option(
        "--executor",
        type=click.Choice(["local", "dask"]),
        default="local",
        show_default=True,
        help="Where the workers run: on this machine, or on a Dask cluster, which takes a bucket (docs/scaling.md).",
    )
    @option(
        "--dask-scheduler",
        metavar="ADDRESS",
        default="",
        help="With --executor dask: the scheduler's address, such as tls://HOST:8786; Dask's own configuration has the "
        "TLS files.",
    )
    @option(
        "--dask-cluster",
        metavar="MODULE:FUNCTION",
        default="",
        help="With --executor dask, for --dask-scheduler: a function without arguments that makes a cluster.",
    )
    @functools.wraps(command)
    def with_cluster(*args: Any, executor: str, dask_scheduler: str, dask_cluster: str, **kwargs: Any) -> Any:
        cluster = DaskCluster(dask_scheduler, dask_cluster) if executor == "dask" else None
        return command(*args, cluster=cluster, **kwargs)

    return with_cluster
