"""What changes seldom: samples, the regression tests on them, their outputs, and how each test behaves."""

import random
import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Literal, NamedTuple

from sqlalchemy import Table

from exporter.demo import demo_tables
from exporter.demo.contents import Cue, Damage, damage, make_cues, render

Row = tuple[object, ...]
Symptom = Literal["different", "variant", "missing", "no captions", "crash", "abort", "timeout", "slow"]

UPSTREAM = "https://github.com/CCExtractor/ccextractor.git"
FORK_OWNERS = ("amelie-dupont", "jhendricks", "prakash-dev", "tomasz-w", "subtitle-lab", "Kenji0x", "mvarga")
REPORTERS = ("amelie-dupont", "otto-recorder", "jhendricks", "dvb-archive")


class Fault(NamedTuple):
    """What goes wrong with a test; `wrong` picks one of its outputs' wrong contents."""

    symptom: Symptom
    wrong: int = 0


@dataclass(slots=True)
class Output:
    """An expected output, as hashes: the approved content, what is accepted too, what defects make of it."""

    id: int
    correct: str
    variants: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Test:
    """A regression test.

    `first` and `last` say when it was run, as shares (0 to 1) of all history. `habits` has, per platform, what
    tends to go wrong, and its probability.
    """

    id: int
    expected_rc: int
    outputs: list[Output]
    must_write: bool = False
    sample: str = ""
    command: str = ""
    typical_ms: float = 1_000.0
    first: float = 0.0
    last: float = 1.0
    habits: dict[str, tuple[Fault, float]] = field(default_factory=dict)


@dataclass(slots=True)
class Catalog:
    """The tests to run, and the rows of all tables that hold no runs."""

    tests: list[Test] = field(default_factory=list)
    rows: dict[Table, list[Row]] = field(default_factory=lambda: defaultdict(list))


class _Family(NamedTuple):
    """Samples of one kind: their category, how common they are, their names, and what is tested on them."""

    category: str
    weight: int
    extensions: tuple[str, ...]
    names: tuple[str, ...]
    commands: tuple[str, ...]


_FAMILIES = (
    _Family("General", 7, ("ts", "mpg", "", "ts"),
            ("{channel}_{date}_{hour}00_News", "CH{number}-1", "capture_{number}", "{date}-{channel}",
             "c{hash}"),
            ("--autoprogram --out=ttxt --latin1", "--autoprogram --out=srt --latin1 --quant 0",
             "--autoprogram --out=ttxt --latin1 --ucla --xds",
             "--autoprogram --out=srt --latin1 --output-field both", "--in=ts --autoprogram --out=srt --stdin",
             "--in=es --out=srt --latin1")),
    _Family("CEA-708", 4, ("ts", "ts", "mpg"),
            ("{channel}_608_708_{date}", "atsc_{channel}_{number}", "Closed_Caption_708_{hash}"),
            ("--service 1 --out=txt --no-bom --no-rollup", "--service 1[EUC-KR] --out=txt --no-rollup",
             "--service 1,2[UTF-8],3[EUC-KR],54 --out=txt --no-rollup", "--service all --out=srt --no-bom")),
    _Family("DVB", 4, ("ts",),
            ("{date} {hour}-00-00_{channel}", "dvbsub_{channel}_{number}", "BBC1_{date}_{hour}45"),
            ("--autoprogram --out=srt --latin1 --dvblang eng", "--codec dvbsub --out=spupng --ocrlang eng",
             "--program-number 530 --out=srt --latin1 --ucla",
             "--multiprogram --out=srt --latin1 --dvblang deu")),
    _Family("DVD", 3, ("vob", "mpg", "vob"), ("VTS_0{digit}_1", "VTS_01_{digit}", "dvd_{hash}_cc"),
            ("--autoprogram --out=ttxt --latin1", "--autoprogram --out=srt --latin1 --sentencecap",
             "--out=sami --autoprogram")),
    _Family("DVR-MS", 2, ("dvr-ms",), ("{channel}_{date}_{hour}_00_00", "Recorded TV {number}"),
            ("--wtvconvertfix --autoprogram --out=srt --latin1 --quant 0",
             "--autoprogram --out=ttxt --latin1 --ucla --xds", "--autoprogram --out=sami --latin1")),
    _Family("Hardsubx", 2, ("mp4", "mkv"), ("burned_in_{number}", "trailer_{hash}"),
            ("--hardsubx --out=srt", "--hardsubx --ocr-mode word --subcolor white --out=srt",
             "--hardsubx --subcolor yellow --conf-thresh 60 --out=srt")),
    _Family("Hauppage", 2, ("ts", "mpg"), ("hdpvr_{channel}_{date}", "WinTV_{number}"),
            ("--hauppauge --autoprogram --out=ttxt --latin1", "--hauppauge --out=srt --latin1 --datapid 50")),
    _Family("MP4", 3, ("mp4", "mp4", "mkv"), ("itunes_{number}", "{channel}_stream_{hash}", "IMG_{number}"),
            ("--in=mp4 --autoprogram --out=srt --latin1", "--autoprogram --out=srt --bom --latin1",
             "--out=smptett --autoprogram", "--autoprogram --out=ttxt --ucla --latin1")),
    _Family("NoCC", 2, ("ts", "mpg", "mp4"), ("no_cc_{number}", "{channel}_radio_{date}"),
            ("--autoprogram --out=null", "--out=srt --autoprogram --latin1")),
    _Family("Options", 6, ("ts", "mpg", ""), ("sample_{hash}", "{channel}_{date}", "capture_{number}_short"),
            ("--startat 4 --endat 7 --out=srt --autoprogram", "--out=bin --latin1 --autoprogram",
             "--autoprogram --out=srt --latin1 --sentencecap --capfile /repository/CustomFiles/caps.txt",
             "--customtxt 1100100 --out=ttxt --autoprogram", "--out=smptett --latin1 --autoprogram",
             "--unixts 5 --out=ttxt --latin1 --autoprogram", "--out=report --autoprogram",
             "--stdout --out=srt --quant 0", "--out=sami --autoprogram --no-fontcolor --trim",
             "--udp 127.0.0.1:5004 --out=srt", "--sendto 127.0.0.1:2048 --out=bin",
             "--delay -1000 --out=srt")),
    _Family("Teletext", 4, ("ts", "mpg", "ts"),
            ("teletext_{channel}_{date}", "{channel}_{date}_{hour}15", "dvb-t_{number}_p888"),
            ("--autoprogram --out=ttxt --latin1 --datapid 5603 --tpage 398",
             "--codec teletext --out=srt --tpage 888", "--autoprogram --out=srt --latin1 --tpage 150",
             "--out=smptett --codec teletext --tpage 777")),
    _Family("WTV", 2, ("wtv",), ("{channel}_{date}_{hour}_00_00", "Tagesschau_{channel}_{date}"),
            ("--in=wtv --autoprogram --out=srt --latin1", "--wtvmpeg2 --autoprogram --out=srt --latin1")),
    _Family("XDS", 2, ("mpg", "ts"), ("xds_{channel}_{number}", "vchip_{date}"),
            ("--xds --autoprogram --out=ttxt --latin1 --ucla", "--autoprogram --xds --out=srt --latin1")),
)  # fmt: skip
_CHANNELS = ("CNN", "KABC", "WGBH", "ZDF", "ORF1", "BBC2", "RTVE", "NRK1", "SVT", "FOXNews", "KQED", "3sat")
_CATEGORIES = {
    "Broken": "Recordings with damaged streams",
    "Bogus": "Files that only look like video",
    **{family.category: f"{family.category} samples" for family in _FAMILIES},
    "Multiprogram": "Several programs in one stream",
}
_EXTENSIONS = {"srt": ".srt", "sami": ".sami", "smptett": ".xml", "spupng": ".xml", "bin": ".bin"}
_TAGS = {
    "HD": "", "SD": "", "ATSC": "US over-the-air broadcast", "DVB-T": "", "DVB-S": "",
    "ISDB": "Japan, Brazil", "roll-up": "Roll-up captions", "pop-on": "", "OCR": "Bitmap subtitles",
    "page-888": "Teletext on page 888", "Español": "", "dub/OV": "two audio tracks, subtitles for one",
    "needs review": "Is this output really right?",
}  # fmt: skip
_VERSIONS = {
    "0.85": "2017-01-23", "0.86": "2018-01-09", "0.87": "2018-10-23", "0.88": "2019-05-21",
    "0.89": "2021-06-13", "0.90": "2021-07-14", "0.91": "2021-07-26", "0.92": "2021-08-10",
    "0.93": "2021-08-16", "0.94": "2021-12-14", "0.95": "2025-09-15", "0.96": "2025-11-30",
    "0.96.4": "2026-01-01", "0.96.5": "2026-01-05", "0.96.6": "2026-02-20",
}  # fmt: skip
_NOTES = (
    "Subtitles are two seconds late after the first commercial break.",
    "Recorded with an HDHomeRun. Works with 0.85, empty output since then.",
    "The second caption channel is missing.",
    "Contributed for the regression suite.",
    "",
)
_ISSUES = (
    "Last line is lost with DVB subtitles",
    "Segmentation fault when the PMT changes",
    "Wrong encoding of umlauts in teletext",
    "Roll-up captions are repeated",
    'Option --startat ignores "HH:MM:SS" & friends',
)
# Names that a person could really have given to a recording, and that careless software trips over.
_AWKWARD_NAMES = ('Müller & Söhne – "Die Küche" (2017)', "it's <b>late</b> 100%_final", "録画_ニュース7")


def build_catalog(rng: random.Random, tests: int, keep: Callable[[str, bytes], None]) -> Catalog:
    """Invent a catalogue of so many regression tests, and about four fifths as many samples.

    `keep` is called with the name (`HASH.srt`) and the content of every caption file that a row mentions.
    """
    catalog = Catalog()
    rows = catalog.rows
    rows[demo_tables.USER] = [
        (number, f"CANARY name {number}", f"CANARY{number}@example.invalid",
         f"gho_CANARY{rng.getrandbits(120):030x}", f"CANARY-login-{number}",
         f"CANARY${rng.getrandbits(160):040x}", role)
        for number, role in enumerate(("admin", "tester", "contributor", "user"), start=1)
    ]  # fmt: skip
    rows[demo_tables.FORK] = [
        (number, url)
        for number, url in enumerate(
            (UPSTREAM, *(f"https://github.com/{owner}/ccextractor.git" for owner in FORK_OWNERS)), start=1
        )
    ]
    rows[demo_tables.CCEXTRACTOR_VERSION] = [
        (number, version, released, f"{rng.getrandbits(160):040x}")
        for number, (version, released) in enumerate(_VERSIONS.items(), start=1)
    ]
    rows[demo_tables.CATEGORY] = [(number, *item) for number, item in enumerate(sorted(_CATEGORIES.items()), start=1)]
    rows[demo_tables.TAG] = [(number, *item) for number, item in enumerate(_TAGS.items(), start=1)]
    deck = [family for family in _FAMILIES for _ in range(family.weight)]
    rng.shuffle(deck)
    samples = max(1, round(0.8 * tests))
    for number in range(samples):
        _add_sample(catalog, rng, number, deck[number % len(deck)])
    # A few samples have been uploaded and not got a test yet.
    tested = max(1, round(0.96 * samples))
    for number in range(tests):
        sample = number * tested // tests
        _add_test(catalog, rng, number, tests, sample, deck[sample % len(deck)], keep)
    return catalog


def _add_sample(catalog: Catalog, rng: random.Random, number: int, family: _Family) -> None:
    rows, sample_id = catalog.rows, number + 1
    recorded = datetime(2014, 1, 1) + timedelta(hours=rng.randrange(60_000))
    name = rng.choice(family.names).format(
        channel=rng.choice(_CHANNELS), date=f"{recorded:%Y%m%d}", hour=f"{recorded:%H}",
        number=rng.randrange(3, 999), digit=rng.randrange(1, 8), hash=f"{rng.getrandbits(28):07x}",
    )  # fmt: skip
    if number % 40 == 7:
        name = _AWKWARD_NAMES[number // 40 % len(_AWKWARD_NAMES)]
    sha, extension = f"{rng.getrandbits(256):064x}", rng.choice(family.extensions)
    rows[demo_tables.SAMPLE].append((sample_id, sha, extension, name))
    for tag_id in sorted(rng.sample(range(1, len(_TAGS) + 1), rng.choice((0, 0, 1, 1, 2, 3)))):
        rows[demo_tables.SAMPLE_TAG_ASSOCIATION].append((sample_id, tag_id))
    if rng.random() < 0.06:
        extra = rows[demo_tables.SAMPLE_EXTRA]
        extra.append((len(extra) + 1, sample_id, f"{name}_{rng.choice(('mediainfo', 'reference', 'log'))}", "txt"))
    if rng.random() < 0.6:
        uploads = rows[demo_tables.UPLOAD]
        uploads.append(
            (len(uploads) + 1, rng.randint(1, 4), sample_id, rng.randint(1, len(_VERSIONS)),
             rng.choice(("linux", "linux", "windows", "windows", "mac", "bsd")), rng.choice(family.commands),
             rng.choice(_NOTES))
        )  # fmt: skip
    if rng.random() < 0.06:
        issues = rows[demo_tables.SAMPLE_ISSUE]
        opened = datetime(2018, 1, 1) + timedelta(minutes=rng.randrange(4_000_000))
        issues.append(
            (len(issues) + 1, sample_id, rng.randrange(700, 1_900), rng.choice(_ISSUES),
             rng.choice(REPORTERS), str(opened), rng.choice(("open", "closed", "closed")))
        )  # fmt: skip


def _add_test(
    catalog: Catalog,
    rng: random.Random,
    number: int,
    tests: int,
    sample: int,
    family: _Family,
    keep: Callable[[str, bytes], None],
) -> None:
    rows, test_id = catalog.rows, number + 1
    # Tests on the same sample are neighbours, and differ in their command.
    command = family.commands[(sample + number) % len(family.commands)]
    _, sha, extension, _ = rows[demo_tables.SAMPLE][sample]
    test = Test(
        id=test_id,
        expected_rc=10 if family.category == "NoCC" else 0,
        outputs=[],
        sample=f"{sha}.{extension}" if extension else str(sha),
        command=command,
        typical_ms=rng.lognormvariate(7.2, 1.0) * (6 if family.category == "Hardsubx" else 1),
        # Somewhat less than half of the tests are as old as the first run; the others came bit by bit.
        first=max(0.0, (number / tests - 0.45) / 0.55),
    )
    active = test_id % 25 != 20
    if not active:
        test.last = test.first + (1 - test.first) * rng.uniform(0.2, 0.7)
    if family.category != "NoCC":
        _add_outputs(catalog, rng, test, keep)
    categories = [family.category]
    if broken := _give_habits(rng, test):
        categories.append("Broken")
    elif rng.random() < 0.2:
        categories.append(rng.choice([name for name in ("General", "Options", "Bogus") if name != family.category]))
    if "--multiprogram" in command:
        categories = [family.category, "Multiprogram"]
    names = sorted(_CATEGORIES)
    rows[demo_tables.REGRESSION_TEST_CATEGORY] += [(test_id, names.index(name) + 1) for name in categories]
    description = (
        "Known to fail, see the sample's issues" if broken else rng.choice(("", "", f"{family.category} sample"))
    )
    rows[demo_tables.REGRESSION_TEST].append(
        (test_id, sample + 1, command, _input_type(command), _output_type(command), test.expected_rc,
         int(active), None, None, description)
    )  # fmt: skip
    catalog.tests.append(test)


def _input_type(command: str) -> str:
    return next((kind for kind in ("stdin", "udp") if f"--{kind}" in command), "file")


def _output_type(command: str) -> str:
    signs = {
        "--out=null": "null", "--out=report": "report", "--stdout": "stdout", "--sendto": "tcp",
        "--service": "cea708", "--multiprogram": "multiprogram",
    }  # fmt: skip
    return next((kind for sign, kind in signs.items() if sign in command), "file")


def _add_outputs(catalog: Catalog, rng: random.Random, test: Test, keep: Callable[[str, bytes], None]) -> None:
    outputs, variants = (
        catalog.rows[demo_tables.REGRESSION_TEST_OUTPUT],
        catalog.rows[demo_tables.REGRESSION_TEST_OUTPUT_FILES],
    )
    found = re.search(r"--out=(\w+)", test.command)
    extension = _EXTENSIONS.get(found[1] if found else "srt", ".txt")
    encoding = "cp1252" if "--latin1" in test.command else "utf-8"
    several = any(sign in test.command for sign in ("both", "--service 1,", "--multiprogram"))
    for suffix in ("_1", "_2") if several else ("",):
        cues = make_cues(rng, german="teletext" in test.command or "deu" in test.command)

        def content_hash(how: Damage | None = None, cues: list[Cue] = cues) -> str:
            content = render(damage(cues, how, rng) if how else cues, extension, encoding)
            keep(sha256(content).hexdigest() + extension, content)
            return sha256(content).hexdigest()

        output = Output(len(outputs) + 1, content_hash(), wrong=[content_hash("shifted"), content_hash("garbled")])
        if rng.random() < 0.15:
            accepted: tuple[Damage, ...] = ("nudged", "dropped") if rng.random() < 0.2 else ("nudged",)
            output.variants = [content_hash(how) for how in accepted]
        ignored = rng.random() < 0.03
        test.must_write = test.must_write or not ignored
        test.outputs.append(output)
        name = f"{test.sample.partition('.')[0]}{suffix}{extension}"
        # Old rows were written before the column existed.
        ignore = 1 if ignored else (None if test.id <= 5 else 0)
        outputs.append((output.id, test.id, output.correct, extension, name, ignore))
        variants += [(len(variants) + number, sha, output.id) for number, sha in enumerate(output.variants, start=1)]


def _give_habits(rng: random.Random, test: Test) -> bool:
    """Decide how a test tends to behave; returns whether it is known to be broken."""
    platforms = rng.choice((("linux",), ("windows",), ("linux", "windows")))
    # Most tests that never pass have been switched off; while one was left on, no run on Windows passes.
    broken = test.id % 50 == 20 or test.id % 160 == 78
    if broken:
        fault = Fault(rng.choice(("different", "no captions", "crash")), wrong=0)
        test.habits = dict.fromkeys(platforms if test.id % 50 == 20 else ("windows",), (fault, 1.0))
    elif test.id % 20 == 12:
        flaky = Fault(rng.choice(("different", "different", "missing", "timeout", "crash")), wrong=1)
        test.habits = dict.fromkeys(platforms, (flaky, rng.uniform(0.02, 0.2)))
    elif any(output.variants for output in test.outputs):
        # Most variants were accepted because Windows always writes them, some because they come and go.
        windows = (Fault("variant"), 1.0)
        test.habits = {"windows": windows} if rng.random() < 0.6 else dict.fromkeys(platforms, (Fault("variant"), 0.1))
    return broken
