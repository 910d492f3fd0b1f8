"""How a long stage tells how far it is, without knowing whom."""

from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar

T = TypeVar("T")


class Progress(Protocol):
    """Gives the items of a stage on, showing how many of the total are done."""

    def __call__(self, stage: str, items: Iterable[T], total: int) -> Iterator[T]:
        """Give the items on."""
        ...


def quiet(stage: str, items: Iterable[T], total: int) -> Iterator[T]:
    """Show nothing."""
    return iter(items)
