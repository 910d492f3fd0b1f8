"""New runs in a demo database, as the platform would add them: for tests and benchmarks."""

import itertools
import math
import random
from collections import defaultdict
from datetime import datetime, timedelta

import sqlalchemy as sa

from exporter.demo import demo_tables
from exporter.demo.platform import Loader, connected, set_last_passed, write_run
from exporter.demo.pushes import Push, Run, execute
from exporter.demo.suite import Fault, Output, Test
from exporter.errors import UsageError
from exporter.paths import PLATFORMS


def add_run(database_url: str, *, seed: int = 0) -> int:
    """Add one completed run of all active tests to a demo database, a day after the newest; returns its id.

    It is made from what the database holds, so it can be repeated; three in a hundred tests go wrong.

    Raises:
        UsageError: the database is no demo or cannot be used.
    """
    rng = random.Random(seed)
    with connected(database_url) as connection:
        runs = sa.select(demo_tables.TEST.c.id, demo_tables.TEST.c.token).order_by(demo_tables.TEST.c.id.desc())
        newest, token = connection.execute(runs).first() or (0, "")
        if "CANARY" not in (token or ""):
            raise UsageError("this is no demo database; runs are added to nothing else")
        began: datetime = connection.execute(sa.select(sa.func.max(demo_tables.TEST_PROGRESS.c.timestamp))).scalar_one()
        began += timedelta(days=1)
        push = Push(0, began, "commit", 1, "master", f"{rng.getrandbits(160):040x}", 0, {})
        run = Run(newest + 1, PLATFORMS[newest % 2])
        tests = _read_tests(connection, newest)
        broken = {
            test.id: Fault("different" if all(output.wrong for output in test.outputs) else "crash")
            for test in rng.sample(tests, math.ceil(0.03 * len(tests)))
        }
        took = execute(rng, run, tests, broken)
        run.progress = [
            ("preparation", began, "Loaded variables, created log file and checking for build artifact"),
            ("testing", began + timedelta(minutes=5), "Running tests"),
            ("completed", began + timedelta(minutes=5) + took, "Ran all tests"),
        ]
        progress_id = connection.execute(sa.select(sa.func.max(demo_tables.TEST_PROGRESS.c.id))).scalar_one() + 1
        loader = Loader(connection)
        write_run(loader, rng, push, run, itertools.count(progress_id), itertools.count(1))
        loader.finish()
        set_last_passed(connection, run.platform, dict.fromkeys(run.passed, run.id))
    return run.id


def _read_tests(connection: sa.Connection, newest_run: int) -> list[Test]:
    """Read the active tests, with their runtimes and wrong outputs in the newest hundred runs."""
    test, output, variant = (
        demo_tables.REGRESSION_TEST.c,
        demo_tables.REGRESSION_TEST_OUTPUT.c,
        demo_tables.REGRESSION_TEST_OUTPUT_FILES.c,
    )
    result, file = demo_tables.TEST_RESULT.c, demo_tables.TEST_RESULT_FILE.c
    outputs: dict[int, list[Output]] = defaultdict(list)
    by_output = {}
    must_write = set()
    expected = sa.select(output.id, output.regression_id, output.correct, output.ignore)
    for output_id, test_id, correct, ignored in connection.execute(expected):
        by_output[output_id] = Output(output_id, correct)
        outputs[test_id].append(by_output[output_id])
        if not ignored:
            must_write.add(test_id)
    for output_id, accepted in connection.execute(sa.select(variant.regression_test_output_id, variant.file_hashes)):
        by_output[output_id].variants.append(accepted)
    wrong = sa.select(file.regression_test_output_id, file.got).where(
        file.test_id > newest_run - 100, file.got.is_not(None)
    )
    for output_id, got in connection.execute(wrong.distinct().order_by(file.regression_test_output_id, file.got)):
        if got not in by_output[output_id].variants:
            by_output[output_id].wrong.append(got)
    runtimes = sa.select(result.regression_test_id, sa.func.avg(result.runtime)).where(
        result.test_id > newest_run - 100
    )
    typical = {row[0]: float(row[1]) for row in connection.execute(runtimes.group_by(result.regression_test_id))}
    active = sa.select(test.id, test.expected_rc).where(test.active).order_by(test.id)
    return [
        Test(test_id, expected_rc, outputs[test_id], test_id in must_write, typical_ms=typical.get(test_id, 1_000.0))
        for test_id, expected_rc in connection.execute(active)
    ]
