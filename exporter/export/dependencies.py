"""What documents show of the catalogue: the one place that says which row's change reaches which document.

A *dependency fingerprint* is a short digest of all that documents of one kind show of one thing.
`partition_fingerprints` are of what a partition's documents show; their keys are names of posting lists of the
partitions that show it. `target_fingerprints` are of what the catalogue's own documents show of one sample or
regression test. The lists of the catalogue are built in every export.
"""

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from exporter.builders import diffs, targets
from exporter.builders.build_log import sample_names
from exporter.builders.runs import listed_repositories, repository_name
from exporter.rules.outcomes import category_names, sample_of
from exporter.source.catalog import Catalog, OutputRow
from exporter.source.partitions import RunRows
from exporter.state.state_file import DependencyFingerprints

SHOWS = "shows/"
"""How the name of a posting list of partitions that show something begins."""

ACTIVE = SHOWS + "active tests"
"""Key of the list of active tests, which a run that is not limited to some tests shows."""


def test_key(test_id: int) -> str:
    """Key of a regression test."""
    return f"{SHOWS}test {test_id}"


def name_key(test_id: int) -> str:
    """Key of a regression test of which only the sample's name is shown."""
    return f"{SHOWS}name of test {test_id}"


def output_key(output_id: int) -> str:
    """Key of an output."""
    return f"{SHOWS}output {output_id}"


def fork_key(fork_id: int) -> str:
    """Key of a fork."""
    return f"{SHOWS}fork {fork_id}"


def partition_fingerprints(catalog: Catalog) -> DependencyFingerprints:
    """Of what partitions' documents show of the catalogue."""
    found = {ACTIVE: _fingerprint(catalog.active_tests)}
    for output in catalog.outputs.values():
        found[output_key(output.id)] = _fingerprint(_evaluated(output))
    repositories = listed_repositories(catalog)
    for fork_id, url in catalog.forks.items():
        found[fork_key(fork_id)] = _fingerprint([url, repositories.get(repository_name(url))])
    for test in catalog.tests.values():
        row = sample_of(catalog, test.id)
        sample = row.original_name if row else None
        names = sample_names(row) if row else []
        outputs = [[o.id, bool(o.ignore), *_evaluated(o)] for o in test.outputs]
        found[name_key(test.id)] = _fingerprint([test.sample_id, sample])
        found[test_key(test.id)] = _fingerprint(
            [test.sample_id, sample, names, test.command, category_names(catalog, test), outputs]
        )
    return found


def _evaluated(output: OutputRow) -> list[Any]:
    """What the evaluation and the name of a result file of this output depend on."""
    return [
        output.correct,
        output.correct_extension,
        sorted({hash_ for _, hash_ in output.variants if hash_ is not None}),
    ]


def shown(runs: Iterable[RunRows], catalog: Catalog) -> Iterator[str]:
    """Keys of what the documents of these runs show, including what the catalogue does not (yet) have."""
    tests: set[int] = set()
    files: set[tuple[int, int]] = set()
    forks: set[int] = set()
    limited = True
    for run in runs:
        tests.update([row[0] for row in run.results])
        files.update([(row[1], row[0]) for row in run.files])
        forks.update(() if run.fork_id is None else (run.fork_id,))
        limited = limited and bool(run.customized)
    yield from map(test_key, tests)
    for output_id, test_id in files:
        output = catalog.outputs.get(output_id)
        if output is None or output.regression_id != test_id:
            yield output_key(output_id)
    yield from map(fork_key, forks)
    if not limited:
        yield ACTIVE


def target_fingerprints(catalog: Catalog) -> DependencyFingerprints:
    """Of what the documents of each sample and regression test show of the catalogue; keys are names of targets.

    With them the version of the rules by which contents are compared.
    """
    found = {targets.DIFF_RULES: str(diffs.RULES)}
    for sample in catalog.samples.values():
        tests = [
            [test, catalog.tests[test].command, catalog.tests[test].active]
            for test in catalog.tests_of_sample.get(sample.id, ())
        ]
        found[targets.sample(sample.id)] = _fingerprint([sample, catalog.tag_names(sample), tests])
    for test in catalog.tests.values():
        row = sample_of(catalog, test.id)
        name = row.original_name if row else None
        found[targets.regression_test(test.id)] = _fingerprint([test, name, category_names(catalog, test)])
    return found


def changed(old: DependencyFingerprints, new: DependencyFingerprints) -> set[str]:
    """Keys of what is shown differently, newly or no longer."""
    return {key for key in old.keys() | new.keys() if old.get(key) != new.get(key)}


def _fingerprint(value: Any) -> str:
    return hashlib.blake2b(orjson.dumps(value, default=list), digest_size=8).hexdigest()
