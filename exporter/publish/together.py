"""Calls that wait for answers of a distant store at the same time."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import TypeVar

from exporter.publish.store import Distant, Store

T = TypeVar("T")


def in_thread(call: Callable[[], T]) -> Future[T]:
    """Call in a thread that does not keep the process from ending."""
    future = Future[T]()

    threading.Thread(target=settle, args=(future, call), daemon=True).start()
    return future


def settle(future: Future[T], call: Callable[[], T]) -> None:
    """Call, and keep what comes of it: whoever takes the answer raises its error."""
    try:
        future.set_result(call())
    except BaseException as error:
        future.set_exception(error)


def together(store: Store, first: Callable[[], object], second: Callable[[], T]) -> T:
    """Call both, at once if the store is distant, else one after the other; return what the second one returns.

    Neither is under way any more when an error is raised; only an interruption waits for nothing.
    """
    if not isinstance(store, Distant):
        first()
        return second()
    other = in_thread(first)
    try:
        found = second()
    except Exception:
        wait([other])
        raise
    other.result()
    return found
