"""Time and size of gzip by library and level, on JSON like the exporter's: `python -m tests.benchmarks.bench_gzip`.

zlib-ng, which the exporter doesn't use, is measured where it is installed.
"""

import importlib
import json
import random
import statistics
import time
import zlib
from collections.abc import Callable, Iterator

from isal import igzip

Compress = Callable[[bytes], bytes]


def documents(items: int, count: int) -> list[bytes]:
    """Result lists of so many items: repeated keys, few values, some hashes."""
    dice = random.Random(items)

    def item(number: int) -> dict[str, object]:
        status = dice.choice(["pass"] * 8 + ["fail", "missing_output"])
        return {
            "regression_test_id": number,
            "sample_id": dice.randint(1, 300),
            "sample_name": f"sample_{dice.randint(1, 300)}_{dice.randbytes(3).hex()}.ts",
            "status": status,
            "exit_code": 0,
            "expected_rc": 0,
            "runtime_ms": dice.randint(20, 90_000),
            "command": f"--autoprogram --out=srt --datapid 0x{dice.randint(1, 8191):x}",
            "categories": ["DVB", "Broken"],
            "outputs": [
                {"output_id": dice.randint(1, 500), "expected_hash": dice.randbytes(32).hex(), "status": status}
            ],
            "href": f"samples/{number}.json",
        }

    made = ([item(number) for number in range(items)] for _ in range(count))
    return [json.dumps({"data": one, "meta": {}}, separators=(",", ":")).encode() for one in made]


def ways() -> Iterator[tuple[str, Compress]]:
    """Name and function of each library and level."""
    for level in (1, 4, 6, 9):
        yield f"zlib {level}", lambda data, level=level: zlib.compress(data, level, wbits=31)  # type: ignore[misc]
    for level in (0, 1, 2, 3):
        yield f"isal {level}", lambda data, level=level: igzip.compress(data, level, mtime=0)  # type: ignore[misc]
    try:
        zlib_ng = importlib.import_module("zlib_ng.zlib_ng")
    except ImportError:
        return
    for level in (1, 2, 6):
        yield f"zlib-ng {level}", lambda data, level=level: zlib_ng.compress(data, level, wbits=31)  # type: ignore[misc]


def main() -> None:
    """Print microseconds and share of the size, medians of seven rounds that take all ways in turn."""
    sets = [documents(items, count) for items, count in ((3, 400), (10, 200), (50, 60), (100, 30))]
    named = list(ways())
    print(f"{'':10}" + "".join(f"{sum(map(len, one)) / len(one):14.0f} B" for one in sets))
    taken: dict[tuple[str, int], list[float]] = {}
    for _ in range(7):
        for name, compress in named:
            for number, one in enumerate(sets):
                begin = time.process_time()
                for data in one:
                    compress(data)
                taken.setdefault((name, number), []).append((time.process_time() - begin) / len(one) * 1e6)
    for name, compress in named:
        row = f"{name:10}"
        for number, one in enumerate(sets):
            share = sum(len(compress(data)) for data in one) / sum(map(len, one))
            row += f"{statistics.median(taken[name, number]):8.0f} us {share:5.1%}"
        print(row)


if __name__ == "__main__":
    main()
