"""The files beside the database: caption files in every format that the tests write, and the logs of runs.

The contents decide the hashes in the database, so they are made whether or not anybody keeps them.
"""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

Damage = Literal["shifted", "dropped", "garbled", "nudged"]


class Cue(NamedTuple):
    """One caption: when it shows, in milliseconds from the start, and its lines."""

    start: int
    end: int
    lines: tuple[str, ...]


_ENGLISH = (
    ("the council", "a spokesman", "the coast guard", "our reporter", "the home team", "a new study"),
    ("said on Monday that", "has confirmed that", "did not expect that", "would like to see that"),
    ("the bridge will reopen", "the storm is moving north", "ticket prices are going up", "nobody was hurt"),
    (
        "before the weekend.",
        "for the first time in years.",
        "in spite of the rain.",
        "after a long night.",
        "...",
    ),
)
_GERMAN = (
    ("Die Polizei", "Der Minister", "Eine Sprecherin", "Das Wetteramt", "Unser Gast in Köln"),
    ("erklärte heute,", "rechnet damit,", "hätte nie geglaubt,", "möchte verhindern,"),
    ("dass die Brücke gesperrt bleibt", "dass es am Abend schneit", "dass die Preise für Öl fallen"),
    ("– wenigstens bis Dienstag.", "und zwar überall.", "trotz aller Bemühungen.", "wie im vorigen März."),
)
_SOUNDS = ("[APPLAUSE]", "♪ ♪", "[Music playing]", "(laughter)", "[phone rings]")


def make_cues(rng: random.Random, *, german: bool = False) -> list[Cue]:
    """Invent some fifteen to forty captions of a broadcast."""
    shouting = not german and rng.random() < 0.5
    cues = []
    clock = rng.randrange(300, 9_000)
    for _ in range(rng.randint(14, 40)):
        words = [rng.choice(part) for part in (_GERMAN if german else _ENGLISH)]
        lines = [" ".join(words[:2]), " ".join(words[2:])]
        if rng.random() < 0.08:
            lines = [rng.choice(_SOUNDS)]
        elif shouting:
            lines = [f">> {lines[0].upper()}", lines[1].upper()]
        duration = rng.randrange(900, 4_200)
        cues.append(Cue(clock, clock + duration, tuple(lines)))
        clock += duration + rng.choice((1, 33, 34, 480, 2_300))
    return cues


def damage(cues: Sequence[Cue], how: Damage, rng: random.Random) -> list[Cue]:
    """Return the captions as a defect (or, for `nudged`, another decoder's rounding) would write them."""
    worse = list(cues)
    at = rng.randrange(1, len(worse) - 1)
    match how:
        case "shifted":
            delay = rng.choice((-267, 33, 1_001, 2_000))
            worse[at:] = [Cue(cue.start + delay, cue.end + delay, cue.lines) for cue in worse[at:]]
        case "dropped":
            del worse[at : at + rng.randint(1, 3)]
        case "garbled":
            cue = worse[at]
            place = rng.randrange(len(cue.lines[-1]))
            garbled = f"{cue.lines[-1][:place]}ï¿½{cue.lines[-1][place + 1 :]}"
            worse[at] = cue._replace(lines=(*cue.lines[:-1], garbled))
        case "nudged":
            worse[-1] = worse[-1]._replace(end=worse[-1].end + 17)
    return worse


def _clock(milliseconds: int, point: str = ",") -> str:
    seconds, rest = divmod(milliseconds, 1_000)
    return f"{seconds // 3_600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{point}{rest:03}"


def render(cues: Sequence[Cue], extension: str, encoding: str) -> bytes:
    """Write a caption file: `.srt`, `.sami`, `.xml` (SMPTE-TT), `.bin` (bytes with parity), else a transcript."""
    match extension:
        case ".srt":
            blocks = [
                "\r\n".join((str(number), f"{_clock(cue.start)} --> {_clock(cue.end)}", *cue.lines, "", ""))
                for number, cue in enumerate(cues, start=1)
            ]
            text = "".join(blocks)
        case ".sami":
            syncs = [
                f'<SYNC start={cue.start}><P class="UNKNOWNCC">{"<br>".join(cue.lines)}</P></SYNC>\r\n' for cue in cues
            ]
            text = f"<SAMI>\r\n<HEAD>\r\n</HEAD>\r\n<BODY>\r\n{''.join(syncs)}</BODY></SAMI>\r\n"
        case ".xml":
            captions = [
                f'      <p begin="{_clock(cue.start, ".")}" end="{_clock(cue.end, ".")}">'
                f"{'<br/>'.join(cue.lines)}</p>\n"
                for cue in cues
            ]
            text = (
                f'<?xml version="1.0" encoding="{encoding}"?>\n<tt xmlns="http://www.w3.org/ns/ttml">\n  <body>\n'
                f"    <div>\n{''.join(captions)}    </div>\n  </body>\n</tt>\n"
            )
        case ".bin":
            return b"\xcc\xcc\xed\xcc\x00\x50\x00\x02" + b"".join(_raw(cue) for cue in cues)
        case _:
            rows = [f"{_clock(cue.start)}|{_clock(cue.end)}|POP|{' '.join(cue.lines)}\n" for cue in cues]
            text = "".join(rows)
    return text.encode(encoding, errors="replace")


def _raw(cue: Cue) -> bytes:
    letters = " ".join(cue.lines).encode("ascii", errors="replace")
    odd = bytes(letter | (0x80 if letter.bit_count() % 2 == 0 else 0) for letter in letters)
    return cue.start.to_bytes(8, "little") + len(odd).to_bytes(2, "little") + odd


def run_log(
    platform: str, commit: str, began: datetime, tested: Sequence[tuple[str, str, int, int, int]], end: str
) -> bytes:
    """Write the build log of a run.

    Args:
        platform: `linux` or `windows`.
        commit: 40 hex digits.
        began: when the virtual machine came up, UTC.
        tested: per test, in order: sample file, command, runtime in ms, exit code, expected exit code.
        end: the last line, a message.
    """
    steps = _WINDOWS_BUILD if platform == "windows" else _LINUX_BUILD
    clock = began
    lines = []
    for step in steps:
        clock += timedelta(seconds=4)
        lines.append(f"{clock:%Y-%m-%d %H:%M:%S} [INFO] {step.format(commit=commit)}")
    for number, (sample, command, runtime, code, expected) in enumerate(tested, start=1):
        clock += timedelta(milliseconds=runtime)
        stamp = f"{clock:%Y-%m-%d %H:%M:%S}"
        lines.append(f"{stamp} [INFO] ({number}/{len(tested)}) ccextractor {command} {sample}: {code}, {runtime} ms")
        if code != expected:
            lines.append(f"{stamp} [ERROR] {sample}: expected exit code {expected}, got {code}")
    lines.append(f"{clock:%Y-%m-%d %H:%M:%S} [INFO] {len(tested)} tests were run. {end}")
    return ("\n".join(lines) + "\n").encode()


_SOURCES = (
    "ccextractor", "params", "telxcc", "ocr", "dvb_subtitle_decoder", "mp4", "wtv_functions", "hardsubx",
    "ccx_decoders_608", "ccx_decoders_708", "ccx_decoders_xds", "ccx_encoders_srt", "ts_functions",
    "general_loop", "asf_functions", "matroska", "avc_functions", "hamming", "output", "networking",
)  # fmt: skip
_CRATES = ("libc v0.2", "bindgen v0.64", "log v0.4", "lib_ccxr v0.1.0", "ccx_rust v0.1.0")
_COMMON_BUILD = (
    "VM is up, fetching configuration",
    "Setting the clock",
    *(f"Found {name}" for name in ("git 2.43.0", "cmake 3.28.3", "rustc 1.87.0", "tesseract 5.3.4", "ffmpeg 6.1.1")),
    "Mounting the sample repository",
    "Sample repository mounted at /repository, read only",
    "Downloading build artifact for {commit}",
    "HEAD is now at {commit}",
    "Artifact checksum verified",
    *(f"   Compiling {crate}" for crate in _CRATES),
)
_LINUX_BUILD = (
    *_COMMON_BUILD,
    *(f"[ {share}%] Building C object {source}.c.o" for share, source in enumerate(_SOURCES, start=71)),
    "lib_ccx/ocr.c:478:9: warning: unused variable 'hocr' [-Wunused-variable]",
    "[100%] Linking CXX executable ccextractor",
    "[100%] Built target ccextractor",
    "Running ldd on ccextractor",
    *(f"lib{name} => found" for name in ("m.so.6", "gpac.so.12", "tesseract.so.5", "leptonica.so.6", "c.so.6")),
    "ccextractor --version: CCExtractor 0.96.5, Rust decoder enabled, tesseract 5.3.4",
    "Running tests",
)
_WINDOWS_BUILD = (
    *_COMMON_BUILD,
    "Microsoft (R) C/C++ Optimizing Compiler Version 19.38.33135 for x64",
    *(f"  {source}.c" for source in _SOURCES),
    "params.c(1034): warning C4244: '=': conversion from 'double' to 'int', possible loss of data",
    "   Creating library x64\\Release-Full\\ccextractorwinfull.lib",
    "  ccextractor.vcxproj -> x64\\Release-Full\\ccextractorwinfull.exe",
    "Build succeeded.",
    "    1 Warning(s)",
    "    0 Error(s)",
    "ccextractorwinfull.exe --version: CCExtractor 0.96.5, Rust decoder enabled, tesseract 5.3.4",
    "Setting TESSDATA_PREFIX",
    "Running tests",
)
