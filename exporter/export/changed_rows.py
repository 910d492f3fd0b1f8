"""Partitions whose rows were lost with their worker and are others now: they are read and built again.

A partition's documents are built from the rows that its statistics were computed from. If these rows are gone and the
database has others by now, the statistics are computed anew, and with them the prior history of all later partitions.
"""

import logging
from collections.abc import Collection

from exporter.export.plan import Plan
from exporter.export.stages import Built, Read, Shared, build, read

log = logging.getLogger(__name__)


def build_all(shared: Shared, found: Read) -> tuple[Read, Built]:
    """Build what was read, and read again what has changed meanwhile, until all is built; both as they are then."""
    built = build(shared, found.plan)
    while built.changed:
        found = _read_again(shared, found, built.changed)
        built = _build_again(shared, found.plan, built)
    for number, names in sorted(built.shown.items()):  # not before: what was built again shows something else
        shared.state.lists.extend(number, names)
    return found, built


def _read_again(shared: Shared, before: Read, changed: Collection[int]) -> Read:
    """Read partitions of a plan again whose rows have changed since they were read."""
    log.info("the rows of %d partitions have changed while they were built; reading them again", len(changed))
    found = read(shared, before.plan, changed)
    return Read(
        found.plan,
        {**before.priors, **found.priors},
        before.dirty_lists | found.dirty_lists,
        before.problems + found.problems,
    )


def _build_again(shared: Shared, plan: Plan, before: Built) -> Built:
    """Build the partitions that were not built, and all later ones of the plan: their prior history may be another."""
    first = min(before.changed)
    later = Plan({number: why for number, why in plan.build.items() if number >= first}, plan.gone, plan.force_rebuild)
    found = build(shared, later)
    parts = {number: part for number, part in before.parts.items() if number in plan.build}
    return Built(
        {**parts, **found.parts},
        {**before.priors, **found.priors},
        before.dirty | found.dirty,
        before.problems + found.problems,
        {number: names for number, names in before.shown.items() if number in parts} | dict(found.shown),
        found.changed,
    )
