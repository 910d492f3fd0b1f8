"""The plan: the partitions whose rows, or what they show of the catalogue, have changed, and why each must be built.

Two more reasons are found while the partitions of the plan are read (`stages.read`): a page must link to another page,
or the prior history has changed. After a change of code or options all partitions are built (`state/made_by.py`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from exporter.export.dependencies import SHOWS, changed
from exporter.publish.manifest import CATALOG, SITE
from exporter.publish.published_state import PublishedState
from exporter.state.posting_lists import PostingLists
from exporter.state.state_file import DependencyFingerprints, State

NOT_REMEMBERED = "nothing is remembered of it"
NEW = "new"
ROWS_CHANGED = "its rows have changed"
NOT_PUBLISHED = "what is published is not what is remembered"
DIED = "an export died over it"
RELINKED = "an archive page of it now links to another page"
PRIOR_CHANGED = "the history before its runs has changed"


@dataclass(frozen=True, slots=True)
class Plan:
    """What must be built.

    Args:
        build: partition → why, ascending.
        gone: the partitions that no longer have a run.
        force_rebuild: the partitions that show something of the catalogue that has changed: none of their documents
            is reused.
    """

    build: Mapping[int, str]
    gone: tuple[int, ...] = ()
    force_rebuild: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Examined:
    """What an export examines before it plans.

    Args:
        rows: partition → fingerprint of its rows, of all partitions or of the chosen ones.
        shown: dependency fingerprints of partitions.
        chosen: the partitions whose rows were examined; None: all.
        differences: the options that differ from those of the last export; empty: none do.
    """

    rows: Mapping[int, str]
    shown: DependencyFingerprints
    chosen: Iterable[int] | None = None
    differences: str = ""


def make_plan(base: PublishedState, state: State | None, lists: PostingLists, examined: Examined) -> Plan:
    """Decide what must be built; without a state, everything that was examined. `lists` are those of the state."""
    rows = examined.rows
    published = base.manifest.parts if base.manifest else {}
    candidates = {*rows, *(int(name) for name in published if name not in (CATALOG, SITE))}
    candidates |= set(state.partitions) if state else set()
    if examined.chosen is not None:
        candidates &= set(examined.chosen)
    gone = tuple(sorted(candidates - set(rows)))
    if state is None:
        if examined.differences:
            return Plan(dict.fromkeys(rows, f"changed since the last export: {examined.differences}"), gone)
        return Plan(dict.fromkeys(rows, NOT_REMEMBERED if base.manifest else NEW), gone)
    reasons = {number: why for number in rows if (why := _because_of_rows(number, rows[number], state))}
    others = [number for number in state.partitions if number not in gone and number not in reasons]
    reasons |= {number: why for number in others if (why := _because_of_store(number, state, base))}
    force_rebuild: set[int] = set()
    for key in sorted(changed(state.shown, examined.shown)):
        for number in lists.partitions(key):
            if number not in gone:
                reasons.setdefault(number, f"it shows what has changed: {key.removeprefix(SHOWS)}")
                force_rebuild.add(number)
    return Plan(dict(sorted(reasons.items())), gone, frozenset(force_rebuild))


def _because_of_rows(number: int, rows: str, state: State) -> str | None:
    """Why a partition must be built because of its rows."""
    remembered = state.partitions.get(number)
    if remembered is None:
        return NEW
    return None if remembered.rows == rows else ROWS_CHANGED


def _because_of_store(number: int, state: State, base: PublishedState) -> str | None:
    """Why a partition must be built because of what the store holds."""
    part = base.manifest.parts.get(str(number)) if base.manifest else None
    if part is None or part.digest != state.partitions[number].manifest:
        return NOT_PUBLISHED
    return DIED if base.part_manifests(part.name).pending else None
