"""Takes secrets and mail addresses out of free text, before any document is made of it.

Rows and build logs hold text that people and programs have written: a log repeats command lines, and one of the
platform's own holds the token of its run. `Redactor.text` replaces each secret by `[redacted]` and counts it by its
kind; a value is never logged.

A secret is known by its form (prefixes and lengths follow the public rules of gitleaks and detect-secrets), by the name
before it (`password=`), or by its place (an `Authorization` header, user information in a URL); one that stands alone,
if it is a word of forty letters of both cases and digits in turns. Hashes and commits, which readers want, are none.
A rule's pattern is only tried on lines that hold one of its triggers, and for these a log is searched by its distinct
words and lines.
"""

import itertools
import logging
import re
from collections import Counter
from dataclasses import dataclass, field

from exporter.source.redaction_rules import ALIKE, REDACTED, RULES, TRIGGERS, Trigger
from exporter.source.secret_words import is_scrambled

log = logging.getLogger(__name__)

_CONTROLS = "".join(map(chr, (*range(9), 11, 12, *range(14, 32), 127)))
_UNSEEN = "".join(map(chr, (*range(128, 160), 0xAD, *range(0x200B, 0x2010), *range(0x2060, 0x2065), 0xFEFF)))
_INVISIBLE = re.compile(rf"\x1b\[[0-?]*+[ -/]*+[@-~]?|[{_CONTROLS}{_UNSEEN}]")
"""What may stand within a secret unseen: colours, control characters, and characters without width."""


@dataclass(slots=True)
class Redactor:
    """Redacts texts, and counts by kind what it redacted; one that is not enabled returns texts as they are."""

    enabled: bool = True
    counts: Counter[str] = field(default_factory=Counter)
    _clean: set[str] = field(default_factory=set, repr=False)
    """Short texts without a secret: many messages are the same."""
    _clean_words: set[str] = field(default_factory=set, repr=False)
    """Words of logs in which no trigger stands: logs of a partition have most words in common."""

    def text(self, text: str) -> str:
        """The text without secrets; it has as many lines (LF) as before.

        Escape sequences and invisible characters are removed as well if one of them hides a secret.
        """
        if not self.enabled or not text or text in self._clean:
            return text
        visible = text
        if any(character in text for character in (_CONTROLS if text.isascii() else _CONTROLS + _UNSEEN)):
            visible = _INVISIBLE.sub("", text)
        redacted = _redacted(visible, self.counts, self._clean_words)
        if redacted != visible:
            return redacted
        if len(text) <= _SHORT and len(self._clean) < _MOST_CLEAN:
            self._clean.add(text)
        return text

    def optional(self, text: str | None) -> str | None:
        """The same for a text that may be null."""
        return None if text is None else self.text(text)

    def url(self, url: str | None) -> str | None:
        """A repository's URL without user information, which does not belong to its identity."""
        if url is None or not self.enabled:
            return url
        found = _USER_INFORMATION.sub("", url)
        self.counts["user information"] += found != url
        return found

    def report(self, what: str) -> None:
        """Log how many values of each kind were redacted in `what`, if any were, and begin to count anew."""
        if found := ", ".join(f"{count} × {kind}" for kind, count in sorted(self.counts.items()) if count):
            log.info("%s: redacted %s", what, found)
        self.counts.clear()


_SHORT, _MOST_CLEAN = 200, 10_000
"""Characters of a text that is remembered as clean, and how many are."""
_USER_INFORMATION = re.compile(r"(?<=://)(?!git@)[^/?#]*@")


_KEY = "PRIVATE KEY"
_KEY_MARK = re.compile(r"-----? ?(BEGIN|END) (?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY(?: BLOCK)? ?-{4,5}")
_KEY_LINE = re.compile(
    r"(?:^|[^A-Za-z0-9+/=])(?:[A-Za-z0-9+/=]{32,}+|[A-Za-z0-9+/]{2,}+={1,2})[^A-Za-z0-9+/=]*+$|Proc-Type:|DEK-Info:"
)
_KEY_LINES = 250
"""Lines of the longest key: one of 16,384 bits has 200."""


def _redacted(text: str, counts: Counter[str], clean: set[str]) -> str:
    """The text without secrets; `clean` as in `_triggers`."""
    if _KEY in text:
        text = _without_keys(text, counts)
    lower = _lower(text)
    triggers, lines = _triggers(lower, clean)
    if "\n" in text and any(trigger.text in _WRAPPING for trigger in triggers):
        text = _WRAPPED.sub(lambda match: _without_wrapped(match, counts), text)
        lower = _lower(text)
    found: dict[int, set[int]] = {}
    for trigger in triggers:
        if lines is None or trigger.may_be_in(lines):
            for start in trigger.lines(lower):
                found.setdefault(start, set()).update(TRIGGERS[trigger])
    if not found:
        return text
    pieces: list[str] = []
    done = 0
    for start in sorted(found):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        line = text[start:end]
        for index in sorted(found[start]):
            line = RULES[index].apply(line, counts)
        pieces += (text[done:start], line)
        done = end
    result = "".join((*pieces, text[done:]))
    return _CONTINUED.sub(_without_continued, result) if f"{REDACTED}\n" in result else result


_WHOLE = {
    "GitHub token": (("ghp_", "gho_", "ghu_", "ghs_", "ghr_"), 40),
    "AWS key": (("AKIA", "ASIA"), 20),
    "Google key": (("AIza",), 39),
    "GitLab token": (("glpat-",), 26),
    "service token": (("npm_",), 40),
}
"""Kind → how tokens of one length begin, and their characters."""
_BEGINS = {begin: (kind, size) for kind, (begins, size) in _WHOLE.items() for begin in begins}
_WRAPPING = {"progress-reporter", *map(str.lower, _BEGINS)}
_WRAPPED = re.compile(
    rf"(?<!\w)((?P<begin>{'|'.join(_BEGINS)})[\w-]{{0,39}}|progress-reporter/[^\s/]+/)\n([\w-]+)(?![\w.:-])"
)
_SHORTEST = 8
"""The fewest characters of a reporting URL's token, of which the next line has the rest."""
_CONTINUED = re.compile(
    rf"(?<=[^\n\w+/]{re.escape(REDACTED)})(?:\n(?:{re.escape(REDACTED)}|[\w+/=.~-]{{8,}}+)(?![^\s\"'`,;<>)\]}}]))+"
)
_SEPARATORS = str.maketrans("", "", "+/=.~_-")


def _without_wrapped(match: re.Match[str], counts: Counter[str]) -> str:
    """A token of known length, or the one of a reporting URL, that goes on in the next line."""
    first, begin, rest = match.groups()
    kind, size = _BEGINS[begin] if begin else ("reporting URL", 0)
    if len(first) + len(rest) != size if begin else len(rest) < _SHORTEST:
        return match[0]
    counts[kind] += 1
    return f"{REDACTED if begin else first}\n{REDACTED}"


def _without_continued(match: re.Match[str]) -> str:
    """The lines after one that ends with a secret, without what goes on of it: words that are scrambled as well.

    Not after a line that is one alone, which may be a certificate's.
    """
    words = match[0].split("\n")[1:]
    kept = list(itertools.dropwhile(lambda one: one == REDACTED or is_scrambled(one.translate(_SEPARATORS)), words))
    return "".join(f"\n{word}" for word in [REDACTED] * (len(words) - len(kept)) + kept)


_LOG = 5_000
"""Characters of a text that is searched by its distinct lines."""


def _lower(text: str) -> str:
    """The text in lower case, of which a place is the text's: the letter whose lower case is longer is another."""
    return text.replace("\u0130", "i").lower()


def _triggers(lower: str, clean: set[str]) -> tuple[list[Trigger], str | None]:
    """The triggers whose texts stand in a text, and the distinct lines of one that is a log.

    Lines are distinct that differ in more than numbers, hashes and times. They are a small part of most logs, and what
    is not in their words is not in the log. Words in which no trigger stands are added to `clean`, and not looked at
    again.
    """
    if len(lower) < _LOG:
        return [trigger for trigger in TRIGGERS if trigger.text in lower], None
    lines = "\n".join(set(lower.translate(ALIKE).split("\n")))
    words = set(lines.split()) - clean
    joined = "\n".join(words)
    triggers = [trigger for trigger in TRIGGERS if trigger.is_in(joined)]
    if len(clean) < _MOST_CLEAN:
        clean.update(word for word in words if not any(trigger.is_in(word) for trigger in triggers))
    return triggers, lines


def _without_keys(text: str, counts: Counter[str]) -> str:
    """The text without private keys, of which each line may have a prefix of the log's.

    A key reaches from its first line to its last. Where one of these is missing, as next to the gap in a long log, the
    lines beside the other that look like a key's are taken for it.
    """
    pieces: list[str] = []
    done, begin = 0, None
    for mark in _KEY_MARK.finditer(text):
        if begin is not None:
            whole = mark[1] == "END" and text.count("\n", begin, mark.start()) <= _KEY_LINES
            end = mark.end() if whole else _key_end(text, begin, mark.start())
            pieces += [text[done:begin], _blank(text[begin:end])]
            done, begin = end, None
            counts["private key"] += 1
            if whole:
                continue
        if mark[1] == "BEGIN":
            begin = mark.start()
        else:
            start = _key_start(text, done, mark.start())
            pieces += [text[done:start], _blank(text[start : mark.end()])]
            done = mark.end()
            counts["private key"] += 1
    if begin is not None:
        end = _key_end(text, begin, len(text))
        pieces += [text[done:begin], _blank(text[begin:end])]
        done = end
        counts["private key"] += 1
    return "".join((*pieces, text[done:]))


def _blank(text: str) -> str:
    """As many lines, each redacted."""
    return "\n".join([REDACTED] * (text.count("\n") + 1))


def _key_end(text: str, begin: int, limit: int) -> int:
    """Where a key without a last line ends."""
    end = text.find("\n", begin, limit)
    while end >= 0:
        next_end = text.find("\n", end + 1, limit)
        line = text[end + 1 : limit if next_end < 0 else next_end]
        if not _KEY_LINE.search(line):
            return end
        end = next_end
    return limit


def _key_start(text: str, limit: int, end: int) -> int:
    """Where a key without a first line starts, if its last line's mark starts at `end`."""
    start = text.rfind("\n", limit, end)
    while start >= 0:
        previous = text.rfind("\n", limit, start)
        if not _KEY_LINE.search(text[limit if previous < 0 else previous + 1 : start]):
            return start + 1
        start = previous
    return limit
