"""What documents show of the catalogue: the one place that says which row's change reaches which document.

A *view* is a short digest of all that documents of one kind show of one thing. `partition_views` are what a
partition's documents show; their keys are chains, as `feeds` has them, of the partitions that show it. `subject_views`
are what the catalogue's own documents show of one sample or regression test. The lists of the catalogue are built in
every export.
"""

import hashlib
from collections.abc import Iterator
from typing import Any

import orjson

from exporter.builders import targets
from exporter.rules.outcomes import category_names
from exporter.source.catalog import Catalog, OutputRow, SampleRow
from exporter.source.partitions import RunRows

DependencyFingerprints = dict[str, str]
"""Key → digest of what is shown."""

SHOWS = "shows/"

ACTIVE = SHOWS + "active tests"
"""Key of what a run shows that is not limited to some tests."""


def test_key(test_id: int) -> str:
    """Key of a regression test."""
    return f"{SHOWS}test {test_id}"


def name_key(test_id: int) -> str:
    """Key of a regression test of which only its sample is told."""
    return f"{SHOWS}name of test {test_id}"


def output_key(output_id: int) -> str:
    """Key of an output."""
    return f"{SHOWS}output {output_id}"


def fork_key(fork_id: int) -> str:
    """Key of a fork."""
    return f"{SHOWS}fork {fork_id}"


def partition_fingerprints(catalog: Catalog) -> DependencyFingerprints:
    """What a partition's documents show of the catalogue."""
    views = {ACTIVE: _view(catalog.active_tests)}
    for output in catalog.outputs.values():
        views[output_key(output.id)] = _view(_judged(output))
    for fork_id, url in catalog.forks.items():
        views[fork_key(fork_id)] = _view(url)
    for test in catalog.tests.values():
        row = catalog.samples[test.sample_id] if test.sample_id is not None else None
        sample = row.original_name if row else None
        names = sample_names(row) if row else []
        outputs = [[o.id, o.correct, bool(o.ignore), *_judged(o)] for o in test.outputs]
        views[name_key(test.id)] = _view([test.sample_id, sample])
        views[test_key(test.id)] = _view(
            [test.sample_id, sample, names, test.command, category_names(catalog, test), outputs]
        )
    return views


def _judged(output: OutputRow) -> list[Any]:
    """What decides how a result file of this output is judged and named."""
    return [output.correct_extension, sorted({hash_ for _, hash_ in output.variants if hash_ is not None})]


def sample_names(sample: SampleRow) -> list[str]:
    """The names by which a log may call a sample: as it was uploaded, and as it is kept."""
    extension = f".{sample.extension}" if sample.extension else ""
    bare = [name for name in (sample.original_name, sample.sha) if name]
    return sorted({name for one in bare for name in (one, one + extension)})


def shown(runs: list[RunRows], catalog: Catalog) -> Iterator[str]:
    """Keys of what the documents of these runs show, also of what the catalogue does not (yet) have."""
    tests: set[int] = set()
    files: set[tuple[int, int]] = set()
    for run in runs:
        tests.update([row[0] for row in run.results])
        files.update([(row[1], row[0]) for row in run.files])
    yield from map(test_key, tests)
    for output_id, test_id in files:
        output = catalog.outputs.get(output_id)
        if output is None or output.regression_id != test_id:
            yield output_key(output_id)
    yield from map(fork_key, {run.fork_id for run in runs if run.fork_id is not None})
    if not all(run.customized for run in runs):
        yield ACTIVE


def target_fingerprints(catalog: Catalog) -> DependencyFingerprints:
    """What the documents of each sample and regression test show of the catalogue; keys are subjects' names."""
    views = {}
    for sample in catalog.samples.values():
        tests = [
            [test, catalog.tests[test].command, catalog.tests[test].active]
            for test in catalog.tests_of_sample.get(sample.id, ())
        ]
        tags = [catalog.tags[tag].name for tag in sample.tags]
        views[targets.sample(sample.id)] = _view([sample, tags, tests])
    for test in catalog.tests.values():
        name = catalog.samples[test.sample_id].original_name if test.sample_id is not None else None
        views[targets.regression_test(test.id)] = _view([test, name, category_names(catalog, test)])
    return views


def changed(old: DependencyFingerprints, new: DependencyFingerprints) -> set[str]:
    """Keys of what is shown differently, newly or no longer."""
    return {key for key in old.keys() | new.keys() if old.get(key) != new.get(key)}


def _view(value: Any) -> str:
    return hashlib.blake2b(orjson.dumps(value, default=list), digest_size=8).hexdigest()
