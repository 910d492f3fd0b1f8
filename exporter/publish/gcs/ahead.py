"""What is asked of a bucket together: objects ahead of their use, and what stands where documents are written.

Each answer takes a round trip of some 40 ms, and an export of one run needs a hundred.
"""

import collections
import functools
import itertools
import threading
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

from google.cloud import storage

from exporter import paths
from exporter.publish.together import in_thread, settle

T = TypeVar("T")

THREADS = 64
PAGE = 1000
_PAGE_PAYS = 12
"""A listing page costs as much as so many reads, in money and, roughly, in time."""

_LISTED = 50
"""Names that one listing is asked for where several are at once: their neighbours should fit into its page."""

Seen = tuple[int, str | None]
"""Generation and SHA-256 of an object."""


class Ahead(Generic[T]):
    """Answers that were asked for, by what they answer. Each is taken once.

    The threads that ask don't keep the process from ending.
    """

    def __init__(self) -> None:
        self._asked: dict[str, Future[T]] = {}

    def ask(self, ask: Callable[[str], T], names: Iterable[str]) -> None:
        """Ask for these paths, again if the answer was not taken and can have become old: its name tells no content."""
        asked = {
            name: Future[T]()
            for name in names
            if name not in self._asked or not name.startswith(paths.NAMED_BY_CONTENT)
        }
        self._asked |= asked
        waiting = collections.deque(asked.items())

        def work() -> None:
            while waiting:
                try:
                    name, future = waiting.popleft()
                except IndexError:  # another thread was faster
                    return
                settle(future, functools.partial(ask, name))

        for _ in range(min(THREADS, len(asked))):
            threading.Thread(target=work, daemon=True).start()

    def take(self, name: str) -> Future[T] | None:
        """The answer, as a future; None if it was not asked for, or is taken."""
        return self._asked.pop(name, None)


class Looked:
    """What stands at names of objects that are going to be written, asked for together.

    All are written on condition of what is seen here, and after one check: that the lease was still this export's when
    the last of these looks was over. Nobody else had written before that check, or else the lease would have been
    another's; so nothing of anybody else's is among what is seen, and no write takes its place, however late it comes.

    Args:
        ask: looks at sorted names.
        groups: of names that lie close together, for each of which a few listings may do.
        absent: names at which nothing stood when a listing was made.
    """

    def __init__(
        self, ask: Callable[[Sequence[str]], dict[str, Seen]], groups: Iterable[Iterable[str]], absent: Iterable[str]
    ) -> None:
        listed = [sorted(group) for group in groups]
        self._names = frozenset(itertools.chain(absent, *listed))
        parts = (group[start : start + _LISTED] for group in listed for start in range(0, len(group), _LISTED))
        self._answers = [in_thread(functools.partial(ask, part)) for part in parts]
        self._checked = False
        self._lock = threading.Lock()

    def at(self, names: Iterable[str]) -> dict[str, Seen] | None:
        """What stands at names, when all looks are over; None if not all of these were asked for."""
        if not self._names.issuperset(names):
            return None
        return {name: seen for answer in self._answers for name, seen in answer.result().items()}

    def check(self, check: Callable[[], None]) -> None:
        """Call a check when all looks are over, unless one was called then: its threads write together."""
        for answer in self._answers:
            answer.result()
        with self._lock:
            if not self._checked:
                check()
                self._checked = True


def look(
    names: Sequence[str],
    listed: Callable[[str, str], Iterator[storage.Blob]],
    singly: Callable[[str], storage.Blob | None],
) -> dict[str, Seen]:
    """What stands at names, which are sorted.

    A page of the listing from the first undecided name on decides all names up to the page's last one. Where that
    are too few, the rest is asked for one by one.

    Args:
        names: the names.
        listed: lists the objects from one name up to another one, without the latter.
        singly: the object of a name, or None.
    """
    found: dict[str, Seen] = {}
    wanted = set(names)
    begin = 0
    while len(names) - begin >= _PAGE_PAYS:
        page = list(itertools.islice(listed(names[begin], names[-1] + "\0"), PAGE))
        found.update((blob.name, _seen(blob)) for blob in page if blob.name in wanted)
        end = bisect_right(names, page[-1].name) if len(page) == PAGE else len(names)
        begin, decided = end, end - begin
        if decided < _PAGE_PAYS:
            break
    with ThreadPoolExecutor(THREADS) as threads:
        blobs = threads.map(singly, names[begin:])
        found.update((blob.name, _seen(blob)) for blob in blobs if blob is not None)
    return found


def _seen(blob: storage.Blob) -> Seen:
    return int(blob.generation), (blob.metadata or {}).get("sha256")
