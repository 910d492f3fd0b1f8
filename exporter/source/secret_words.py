"""Whether a word that may be a secret is one: what honest text has in the same places stays."""

import re


def is_assigned_secret(match: re.Match[str]) -> bool:
    """Whether what stands after a name like `token` may be a secret: not a mask, a reference or a piece of code."""
    name, value = match["name"].lower(), match["quoted"] or match["secret"]
    if _NO_SECRET.fullmatch(value) or (name == "pwd" and _PATH.match(value)):
        return False
    if name == "pass" and not is_password(match):
        return False
    spaced = bool(match["gap"] or match["space"])
    if spaced and value == "password" and match.string[match.end() : match.end() + 1] == " ":  # updated successfully
        return False
    if (spaced or name == "pw") and not match["quoted"] and _CALL.match(value):
        return False
    if name in _PASSWORDS:
        return True
    if value.isdigit() and len(value) < 6:
        return False
    # `token: x` may be prose or code, unlike `token=x` and `GITHUB_TOKEN: x`.
    before = match.string[max(0, match.start() - 12) : match.start()]
    composed = before[-1:] in ("_", "-", ".") or (before[-1:].isalnum() and match["name"][0].isupper())
    return not spaced or composed or bool(_SECRETIVE.fullmatch(value) and not _PROSE.search(before.lower()))


def is_password(match: re.Match[str]) -> bool:
    """Whether what stands after a name that ends with `pass` may be a password: a pass of several has a number."""
    name, value = match["name"].lower(), match["quoted"] or match["secret"]
    if name != "pass":
        return True
    before = match.string[max(0, match.start("name") - 12) : match.start("name")].lower()
    return not _RESULT.fullmatch(value) and not _PASS_OF_SEVERAL.search(before)


def is_told_password(match: re.Match[str]) -> bool:
    """Whether `pass: x` tells a password and no result: beside a user's name, if scrambled, or alone on a line."""
    value = match["quoted"] or match["secret"]
    if _NO_SECRET.fullmatch(value) or _RESULT.fullmatch(value) or (not match["quoted"] and _CALL.match(value)):
        return False
    before = match.string[max(0, match.start() - 60) : match.start()]
    if _USER.search(before) or is_scrambled(value):
        return True
    alone = _LEADS.fullmatch(match.string, 0, match.start()) and not match.string[match.end() :].strip("\"'`\\\t ")
    return bool(alone) and _is_lone_password(match["name"], value)


def _is_lone_password(name: str, value: str) -> bool:
    """Whether a line that is `pass: x` and nothing else tells a password: a word and a number, as no test is named."""
    if _NO_PASSWORD.fullmatch(value):
        return False
    if name.lower() == "pw":
        return _LETTER_AND_DIGIT_OR_MARK.match(value) is not None and not _QUANTITY.fullmatch(value)
    word = _WORD_AND_NUMBER.fullmatch(value)
    return word is not None and word[1].lower().removesuffix("s") not in _COUNTED


def is_scrambled(word: str) -> bool:
    """Whether a word changes between small letters, capitals, digits and marks as no name, number or hash does."""
    if len(word) < 8 or _NO_PASSWORD.fullmatch(word) or not _LETTER_AND_DIGIT.match(word):
        return False
    mixed = not (word.islower() or word.isupper()) or not word.isalnum()
    return mixed and len(_RUN.findall(word)) * 1.8 >= len(word)


_LETTER_AND_DIGIT = re.compile(r"(?=.*[A-Za-z])(?=.*\d)")
_LETTER_AND_DIGIT_OR_MARK = re.compile(r"(?=.*[A-Za-z])(?=.*[\d!$^&*?])\S{5,}")
_LEADS = re.compile(r"[\d\s:.,TZ+|/#>*\[\]-]*")
"""What stands before a line's own text: a time, a number, a bullet."""
_QUANTITY = re.compile(r"\d+(?:x\d+)?[a-z%]{0,3}|[a-z]\d+")
_WORD_AND_NUMBER = re.compile(r"([A-Z]?[a-z]{4,}|[A-Z]{4,})\d{1,6}[!$^&*?]*")
_COUNTED = frozenset(
    (
        *("test", "testcase", "case", "sample", "step", "stage", "round", "phase", "part", "task", "check", "suite"),
        *("file", "track", "stream", "channel", "page", "line", "item", "group", "block", "section", "unit", "module"),
        *("level", "option", "output", "input", "frame", "field", "version", "build", "index", "iteration", "attempt"),
        *("number", "worker", "thread", "shard", "process", "node", "port", "host", "slot", "device", "disk"),
        *("encoder", "decoder", "parser", "demuxer", "muxer", "codec", "dtvcc", "isdb", "arib", "atsc", "subtitle"),
        *("caption", "teletext", "mpeg", "sami", "ttml", "webvtt", "hevc", "latin", "window", "linux", "ubuntu"),
        *("debian", "macos", "base", "regression", "general", "broken", "hauppauge", "hardsubx", "video"),
        *("audio", "feature", "issue", "ticket", "commit", "revision", "release", "example", "scenario"),
        *("demo",),
    )
)
"""What honest logs number, without a plural's s."""
_RUN = re.compile(r"[a-z]+|[A-Z]+|\d+|[^A-Za-z\d]+")
_NO_PASSWORD = re.compile(r".*[./:_()\[\]-].*|(?:0x)?[0-9A-Fa-f]+")
"""Paths, versions, names of several words, calls, hashes and addresses."""
_RESULT = re.compile(r"(?i)[\d.,:/%]{1,8}(?:m?s)?|ok|all|any|only|each|skip(?:ped)?|fail(?:ed|ure)?|pass(?:ed)?|done")
_PASS_OF_SEVERAL = re.compile(r"(?<![a-z])(?:first|second|third|last|final|one|two|single|multi|each|per|num|nr?)[_-]$")
_USER = re.compile(r"(?i)(?<![a-z])(?:user(?:[_-]?name)?|usr)[\"']?\s*[:=]")

_PASSWORDS = ("password", "passwd", "passphrase", "pass phrase", "passcode", "pwd")
_NO_SECRET = re.compile(
    r"(?i)[*x.•-]+|(?:null|none|nil|undefined|true|false|yes|no|empty|unset)[,;.)]*"
    r"|\$\{\{?.*|\$\(?[A-Z_][A-Z0-9_]*\)?|%[A-Z_][A-Z0-9_]*%"
)
"""Masks, constants, and references to a value that stands elsewhere."""
_PATH = re.compile(r"[/~.]|[A-Za-z]:[\\/]")
_CALL = re.compile(r"[A-Za-z_][\w.]*+(?:(?:->|::)\w++)*[(\[]")
_SECRETIVE = re.compile(r"(?=.*(?:\d|[a-z].*[A-Z]|\w-\w|[A-Z]{2}|\S{20}))\S{6,}")
_PROSE = re.compile(r"(?:expected|near|next|current|end) $")


def is_address(match: re.Match[str]) -> bool:
    """Whether `name@host.tld` is a mail address, and not that of a Git server or the name of a file or unit."""
    return match["name"].lower() not in ("git", "hg", "svn") and (match["end"] or "").lower() not in _FILE_ENDS


def is_random(match: re.Match[str]) -> bool:
    """Whether a long word may be a token: letters of both cases with numbers among them, unlike a hash or a name."""
    word = match[0]
    return len(_NUMBER.findall(word)) > 3 and not word.isupper() and not word.islower() and not _HASH.fullmatch(word)


_NUMBER = re.compile(r"\d+")
_HASH = re.compile(r"[0-9A-Fa-f]+")
_FILE_ENDS = frozenset(
    (
        *("service", "socket", "timer", "mount", "target", "slice", "png", "jpg", "gif", "svg", "so", "dll", "exe"),
        *("ts", "mts", "tsv", "mpg", "mpeg", "vob", "mkv", "avi", "wtv", "asf", "mxf", "bin", "raw", "dvr", "txt"),
        *("srt", "ssa", "ass", "vtt", "scc", "smi", "sami", "ttml", "xml", "json", "log", "html"),
    )
)
