"""What must be built: the partitions whose rows, or what they show of the catalogue, have changed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from exporter.builders.dependencies import SHOWS, DependencyFingerprints, changed
from exporter.builders.feeds import Feeds
from exporter.publish.manifest import CATALOG, SITE
from exporter.publish.publisher import PublishedState
from exporter.state.state_file import State


@dataclass(frozen=True, slots=True)
class Plan:
    """What must be built.

    Args:
        build: partition → why, ascending.
        gone: the partitions that no longer have a run.
        afresh: the partitions that show something of the catalogue that has changed: none of their documents stays.
    """

    build: Mapping[int, str]
    gone: tuple[int, ...] = ()
    force_rebuild: frozenset[int] = frozenset()


def make(
    base: PublishedState,
    state: State | None,
    feeds: Feeds,
    fingerprints: Mapping[int, str],
    views: DependencyFingerprints,
    chosen: Iterable[int] | None,
) -> Plan:
    """Decide what must be built.

    Args:
        base: what is published.
        state: what is remembered; None builds everything there is a fingerprint of.
        feeds: as the state has them.
        fingerprints: partition → fingerprint, of all partitions or of the chosen ones.
        views: what partitions show of the catalogue now.
        chosen: the partitions whose rows were looked at; None: all.
    """
    published = base.manifest.parts if base.manifest else {}
    looked_at = {*fingerprints, *(int(name) for name in published if name not in (CATALOG, SITE))}
    looked_at |= set(state.partitions) if state else set()
    if chosen is not None:
        looked_at &= set(chosen)
    gone = tuple(sorted(looked_at - set(fingerprints)))
    if state is None:
        return Plan(dict.fromkeys(fingerprints, "nothing is remembered of it"), gone)
    reasons = {number: why for number in fingerprints if (why := _of_rows(number, fingerprints[number], state))}
    others = [number for number in state.partitions if number not in gone and number not in reasons]
    reasons |= {number: why for number in others if (why := _of_store(number, state, base))}
    force_rebuild: set[int] = set()
    for key in sorted(changed(state.views, views)):
        for number in feeds.chain(key):
            if number not in gone:
                reasons.setdefault(number, f"it shows what has changed: {key.removeprefix(SHOWS)}")
                force_rebuild.add(number)
    return Plan(dict(sorted(reasons.items())), gone, frozenset(force_rebuild))


def _of_rows(number: int, rows: str, state: State) -> str | None:
    """Why a partition must be built because of its rows."""
    remembered = state.partitions.get(number)
    if remembered is None:
        return "it is new"
    return None if remembered.rows == rows else "its rows have changed"


def _of_store(number: int, state: State, base: PublishedState) -> str | None:
    """Why a partition must be built because of what the store holds."""
    part = base.manifest.parts.get(str(number)) if base.manifest else None
    if part is None or part.digest != state.partitions[number].manifest:
        return "what is published is not what is remembered"
    return "an export died over it" if base.hrefs(part.name).pending else None
