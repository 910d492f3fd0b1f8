"""Takes secrets and mail addresses out of free text, before any document is made of it.

Rows and build logs hold text that people and programs have written: a log repeats command lines, and one of the
platform's own holds the token of its run. `Redactor.text` replaces each secret by `[redacted]` and counts it by its
kind; a value is never logged.

A secret is known by its form (prefixes and lengths follow the public rules of gitleaks and detect-secrets), by the name
before it (`password=`), or by its place (an `Authorization` header, user information in a URL). Nothing is judged by
its entropy: hashes and commits are what readers look for. A rule's pattern is only tried on lines that hold one of its
triggers, which costs a few searches per text.
"""

import logging
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

log = logging.getLogger(__name__)

REDACTED = "[redacted]"

_CONTROLS = "".join(map(chr, (*range(9), 11, 12, *range(14, 32), 127)))
_UNSEEN = "".join(map(chr, (*range(128, 160), 0xAD, *range(0x200B, 0x2010), *range(0x2060, 0x2065), 0xFEFF)))
_INVISIBLE = re.compile(rf"\x1b\[[0-?]*+[ -/]*+[@-~]?|[{_CONTROLS}{_UNSEEN}]")
"""What may stand within a secret unseen: colours, control characters, and characters without width."""


@dataclass(slots=True)
class Redactor:
    """Redacts texts, and counts by kind what it redacted; one that is not enabled returns texts as they are."""

    enabled: bool = True
    counts: Counter[str] = field(default_factory=Counter)

    def text(self, text: str) -> str:
        """The text without secrets; it has as many lines (LF) as before.

        Escape sequences and invisible characters are removed as well if one of them hides a secret.
        """
        if not self.enabled or not text:
            return text
        if not any(character in text for character in (_CONTROLS if text.isascii() else _CONTROLS + _UNSEEN)):
            return _redacted(text, self.counts)
        visible = _INVISIBLE.sub("", text)
        redacted = _redacted(visible, self.counts)
        return text if redacted == visible else redacted

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


_USER_INFORMATION = re.compile(r"(?<=://)(?!git@)[^/?#]*@")


class _Rule(NamedTuple):
    """Finds secrets of one kind.

    Args:
        kind: for the count.
        triggers: what a line with such a secret holds: one of these texts, in lower case, or of these patterns.
        pattern: finds them. Its group `secret` or `quoted` is replaced, whichever matched, or all if there is neither.
        accepts: whether a match is a secret.
    """

    kind: str
    triggers: tuple[str | re.Pattern[str], ...]
    pattern: re.Pattern[str]
    accepts: Callable[[re.Match[str]], bool] | None = None

    def apply(self, line: str, counts: Counter[str]) -> str:
        """The line without such secrets."""

        def replace(match: re.Match[str]) -> str:
            if self.accepts is not None and not self.accepts(match):
                return match[0]
            counts[self.kind] += 1
            groups = (name for name in _PLACES if name in self.pattern.groupindex and match[name] is not None)
            start, end = (offset - match.start() for offset in match.span(next(groups, 0)))
            return match[0][:start] + REDACTED + match[0][end:]

        return self.pattern.sub(replace, line)


def _rule(kind: str, triggers: str, *patterns: str, accepts: Callable[[re.Match[str]], bool] | None = None) -> _Rule:
    """A rule whose triggers are separated by spaces; one with a bracket is a pattern, which begins with letters."""
    found = (re.compile(trigger) if "[" in trigger or "(" in trigger else trigger for trigger in triggers.split())
    return _Rule(kind, tuple(found), re.compile("|".join(patterns)), accepts)


_PLACES = ("secret", "quoted")
_DONE = r"(?!\[redacted\])"
_START = r"(?:(?<![A-Za-z0-9])|(?<=%[0-9A-Fa-f]{2})|(?<=\\[nrt]))"
"""No letter or digit before, but for those of an escaped character."""
_SLASH = r"(?:[\\/]{1,2}|%(?:25){0,2}2[Ff])"
_SECRET = rf"(?P<secret>{_DONE}[^\s\"'`<>&]+)"
_QUOTED = rf"\\{{0,2}}(?P<q>[\"'`]){_DONE}(?P<quoted>(?:(?!\\{{0,2}}(?P=q)).)+)"
_NAME = (
    r"pass(?:word|wd|phrase|code)|(?<=[_-])pass|pwd|token|secret|credentials?|sess(?:ion[_-]?)?id"
    r"|(?:api|access|private|account|auth|client|shared|signing|encryption|master|deploy|subscription|storage)[_.-]?key"
)
_NAMES = r"pass[^a-bd-oq-vx-z\n] pwd token secret credential sess key"


def _is_assigned_secret(match: re.Match[str]) -> bool:
    """Whether what stands after a name like `token` may be a secret: not a mask, a reference or a piece of code."""
    name, value = match["name"].lower(), match["quoted"] or match["secret"]
    if _NO_SECRET.fullmatch(value) or (name == "pwd" and _PATH.match(value)):
        return False
    spaced = bool(match["gap"] or match["space"])
    if spaced and not match["quoted"] and _CALL.match(value):
        return False
    if name in _PASSWORDS:
        return True
    if value.isdigit() and len(value) < 6:
        return False
    # `token: x` may be prose or code, unlike `token=x` and `GITHUB_TOKEN: x`.
    before = match.string[max(0, match.start() - 12) : match.start()]
    composed = before[-1:] in ("_", "-", ".") or (before[-1:].isalnum() and match["name"][0].isupper())
    return not spaced or composed or bool(_SECRETIVE.fullmatch(value) and not _PROSE.search(before.lower()))


_PASSWORDS = ("password", "passwd", "passphrase", "passcode", "pwd")
_NO_SECRET = re.compile(
    r"(?i)[*x.•-]+|(?:null|none|nil|undefined|true|false|yes|no|empty|unset)[,;.)]*"
    r"|\$\{\{?.*|\$\(?[A-Z_][A-Z0-9_]*\)?|%[A-Z_][A-Z0-9_]*%"
)
"""Masks, constants, and references to a value that stands elsewhere."""
_PATH = re.compile(r"[/~.]|[A-Za-z]:[\\/]")
_CALL = re.compile(r"[A-Za-z_][\w.]*+(?:(?:->|::)\w++)*+[(\[]")
_SECRETIVE = re.compile(r"(?=.*(?:\d|[a-z].*[A-Z]|\w-\w|[A-Z]{2}|\S{20}))\S{6,}")
_PROSE = re.compile(r"(?:expected|near|next|current|end) $")


def _is_address(match: re.Match[str]) -> bool:
    """Whether `name@host.tld` is a mail address, and not that of a Git server or the name of a file or unit."""
    return match["name"].lower() not in ("git", "hg", "svn") and match["end"].lower() not in _FILE_ENDS


_FILE_ENDS = frozenset(
    ("service", "socket", "timer", "mount", "target", "slice", "png", "jpg", "gif", "svg", "so", "dll", "exe", "txt")
)

_RULES = (
    _rule(
        "reporting URL",
        "progress-reporter",
        rf"progress-reporter{_SLASH}[^\s/%\\\"'<>]+{_SLASH}(?P<secret>[^\s/?#&\"'`<>\\%)]+)",
    ),
    # {"Authorization": "Bearer x"}
    _rule("authorization", "auth", rf"(?i)authorization\\{{0,2}}[\"']\s*(?:=>|[:=])\s*{_QUOTED}"),
    # -H "Authorization: Bearer x"
    _rule(
        "authorization",
        "auth cookie",
        r"(?i)(?P<q>[\"'])(?:proxy-)?(?:authorization|(?:set-)?cookie)\s*[:=]\s*+"
        rf"(?P<secret>{_DONE}(?:(?!\\{{0,2}}(?P=q)).)+)",
    ),
    # Authorization: Bearer x
    _rule(
        "authorization",
        "auth cookie",
        r"(?i)(?:authorization|(?<![\w-])(?:set-)?cookie)(?:\s*[:=]\s*+(?!\\{0,2}[\"'])"
        rf"(?P<secret>{_DONE}\S.*)|%(?:25)?3A(?P<quoted>{_DONE}[^\s&\"']+))",
    ),
    _rule("authorization", "bearer", r"(?i)\bbearer(?:\s+|%20|\+)(?P<secret>(?=\S*\d|\S{20})[\w.~+/=-]{8,})"),
    _rule("GitHub token", "_[A-Za-z0-9]{16}", r"(?:gh[pousr]|github_pat)_\w{10,}"),
    _rule(
        "GitLab token",
        "gl[a-z]{2,5}- gr1348941",
        r"gl(?:pat|ptt|dt|rt|cbt|oas|imt|agent|ft|soat|ffct)-[\w.-]{10,}|GR1348941[\w-]{10,}",
    ),
    _rule(
        "Slack token",
        "xox xapp- hooks.slack.com",
        r"(?:xox[a-z][.-]|xapp-\d)[\w.-]{8,}|(?<=hooks\.slack\.com/)[\w/-]{10,}",
    ),
    _rule(
        "Google key",
        "aiza ya29. gocspx- 1//0",
        r"AIza[\w-]{20,}|ya29\.[\w.-]{10,}|GOCSPX-[\w-]{10,}|(?<![\w/])1//0[\w-]{20,}",
    ),
    _rule(
        "AWS key",
        "A[A-Z3][A-Z][A-Z0-9]{13}",
        _START + r"(?:AKIA|ASIA|ABIA|ACCA|AGPA|AIDA|AROA|AIPA|ANPA|ANVA|A3T[A-Z0-9])[A-Z0-9]{12,}+(?![a-z])",
    ),
    _rule("Azure key", "q~", r"(?<![\w~.-])[\w~.-]{3}[78]Q~[\w~.-]{20,}"),
    _rule("signature", "sig=", r"(?<=[?&;])sig=(?P<secret>[^\s&\"'<>]+)"),
    _rule(
        "signature", "-signature credential", r"(?i)x-(?:amz|goog)-(?:signature|credential)=(?P<secret>[^\s&\"'<>]+)"
    ),
    _rule("JWT", "eyj", _START + r"eyJ[\w-]{8,}+(?:\.[\w-]*+){2,4}"),
    _rule(
        "service token",
        "_[A-Za-z0-9]{16} pypi-age SG\\.[\\w-]{16} sk-(?:ant|proj) hvs. /webhooks/",
        r"(?:npm_|hf_)[A-Za-z0-9]{20,}|pypi-AgE[\w-]{20,}|[rs]k_(?:live|test)_[A-Za-z0-9]{10,}"
        r"|(?<!\w)SG\.[\w-]{16,}+\.[\w-]{16,}|sk-(?:ant|proj)-[\w-]{20,}|dckr_pat_[\w-]{10,}|do[op]_v1_[a-f0-9]{20,}"
        r"|hvs\.[\w-]{20,}|(?<=/api/webhooks/)[\w/-]+",
    ),
    _rule("private key", "ls0tls1crudjti", r"LS0tLS1CRUdJTi[A-Za-z0-9+/=]{10,}"),
    _rule(
        "user information",
        "@",
        # up to the last @ before the path; else, where a password holds a / itself, up to the last one of all
        r"(?<=://)(?!git@)(?P<secret>[^\s/?#\"'<>]+(?=@)|[^\s/?#@:\"'<>]+:(?!\d{1,5}(?:[/?#]))[^\s\"'<>]*(?=@))",
    ),
    _rule(
        "user information",
        "3a%2f%2f",
        r"(?i)(?<=3A%2F%2F)(?!git%)(?P<secret>(?:(?!%(?:25)?2F)[^\s&\"'<>])+(?=%(?:25)?40))",
    ),
    _rule(
        "password",
        _NAMES,
        rf"(?i)(?<![\w-])--?(?:[\w-]*?)(?:{_NAME})\s+(?![=:-]|(?:to|is|are|or|and|for|in|with|from|must|not)\s)"
        rf"(?:{_QUOTED}|{_SECRET})",
    ),
    _rule("password", "login", rf"(?i)\blogin\s+\S+\s+password\s+{_SECRET}"),
    _rule("password", r"pass[^a-bd-oq-vx-z\n]", rf"sshpass\s+-p\s*[\"']?{_SECRET}"),
    _rule("password", "mysql mariadb", rf"(?<!\S)-p{_SECRET}"),
    _rule("password", r"pass[^a-bd-oq-vx-z\n]", rf"-pass(?:in|out)?\s+pass:{_SECRET}"),
    _rule("password", "-u", rf"(?<!\S)(?:-u|--(?:proxy-)?user)[\s=]*[\"']?[^\s:\"'/]+:(?!\d|/){_SECRET}"),
    _rule("password", _NAMES, rf"(?i)<[\w.:-]*?(?:{_NAME})>{_DONE}(?P<secret>[^<>\s][^<>]*+)(?=</)"),
    _rule("password", "auth", r"(?<=[\"']auth[\"'])\s*:\s*[\"'](?P<secret>[A-Za-z0-9+/=]{8,})"),
    _rule(
        "password",
        _NAMES,
        rf"(?i)(?P<name>{_NAME})(?:[_-]?(?:id|key|value|hash|base64|b64|data|raw|\d))?(?:\[\w{{0,20}}\])?\\{{0,2}}[\"'`\])]{{0,2}}"
        r"(?P<gap>\s{0,20})(?:(?:=>|:=|[=:](?![=:~>]))(?P<space>\s{0,20})|%(?:25)?3[AD](?:%(?:25)?20|\+)?)"
        rf"(?:{_QUOTED}|(?P<secret>{_DONE}(?:(?!%(?:25)?26|&(?:amp;)?[\w.-]{{1,40}}=|[,;]\s?[\w.-]{{1,40}}\s?[=:]"
        r"|[,;)\]}]{1,3}(?:\s|$)|\\{1,2}[\"'])[^\s\"'`<>])+))",
        accepts=_is_assigned_secret,
    ),
    _rule(
        "mail address",
        "@ %40",
        r"(?<![\w.+-])(?P<name>[\w.+-]++)(?:@|%40)(?!\dx\.)(?:[\w-]++\.)++(?P<end>[A-Za-z]{2,}+)(?![\w-])",
        accepts=_is_address,
    ),
)
"""Applied in this order: what one rule has redacted, later ones leave alone."""

_TRIGGERS = {
    trigger: [place for place, rule in enumerate(_RULES) if trigger in rule.triggers]
    for rule in _RULES
    for trigger in rule.triggers
}
_RARE = "@%~"
"""Characters that many logs lack; looking for one is a tenth of the work of looking for a word."""

_KEY = "PRIVATE KEY"
_KEY_MARK = re.compile(r"-----? ?(BEGIN|END) (?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY(?: BLOCK)? ?-{4,5}")
_KEY_LINE = re.compile(
    r"(?:^|[^A-Za-z0-9+/=])(?:[A-Za-z0-9+/=]{32,}+|[A-Za-z0-9+/]{2,}+={1,2})[^A-Za-z0-9+/=]*+$|Proc-Type:|DEK-Info:"
)
_KEY_LINES = 250
"""Lines of the longest key: one of 16,384 bits has 200."""


def _redacted(text: str, counts: Counter[str]) -> str:
    """The text without secrets."""
    if _KEY in text:
        text = _without_keys(text, counts)
    lower = text.replace("\u0130", "i").lower()  # the only letter whose lower case is longer: places stay the same
    absent = [character for character in _RARE if character not in text]
    found: dict[int, set[int]] = {}
    for trigger, rules in _TRIGGERS.items():
        for start in _lines_with(text, lower, trigger, absent):
            found.setdefault(start, set()).update(rules)
    if not found:
        return text
    pieces: list[str] = []
    done = 0
    for start in sorted(found):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        line = text[start:end]
        for index in sorted(found[start]):
            line = _RULES[index].apply(line, counts)
        pieces += (text[done:start], line)
        done = end
    return "".join((*pieces, text[done:]))


def _lines_with(text: str, lower: str, trigger: str | re.Pattern[str], absent: list[str]) -> Iterator[int]:
    """Where the lines that hold a trigger begin, perhaps repeated; `absent` are characters that no line holds."""
    if not isinstance(trigger, str):
        for match in trigger.finditer(lower if trigger.pattern.islower() else text):
            yield text.rfind("\n", 0, match.start()) + 1
        return
    if any(character in trigger for character in absent):
        return
    place = lower.find(trigger)
    while place >= 0:
        yield text.rfind("\n", 0, place) + 1
        end = text.find("\n", place)
        place = -1 if end < 0 else lower.find(trigger, end)


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
