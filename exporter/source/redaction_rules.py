"""The rules by which secrets are found: what a line must hold, and the pattern that is tried on it then."""

import functools
import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import NamedTuple

from exporter.source.secret_words import (
    is_address,
    is_assigned_secret,
    is_password,
    is_random,
    is_scrambled,
    is_told_password,
)

REDACTED = "[redacted]"

ALIKE = str.maketrans("0123456789abcdef", "0" * 16)
"""Makes lines equal that differ in numbers, hashes and times."""


@functools.cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """A pattern when it is first tried: most exports try few, and compiling takes long."""
    return re.compile(pattern)


class Trigger(NamedTuple):
    """What a line must hold for a rule to be tried on it.

    Args:
        text: a text in lower case, without spaces.
        pattern: a pattern that begins with the text, if not every line that holds it is meant; else empty.
        alike: the text as it stands in distinct lines.
        alike_pattern: the pattern, likewise.
    """

    text: str
    pattern: str
    alike: str
    alike_pattern: str

    def is_in(self, words: str) -> bool:
        """Whether its text stands in distinct words."""
        return self.alike in words if self.text else _compiled(self.alike_pattern).search(words) is not None

    def may_be_in(self, lines: str) -> bool:
        """Whether one of the distinct lines, whose words have its text, may hold it."""
        return not self.text or not self.pattern or _compiled(self.alike_pattern).search(lines) is not None

    def lines(self, lower: str) -> Iterator[int]:
        """Where the lines that hold it begin, perhaps repeated."""
        if self.pattern:
            for match in _compiled(self.pattern).finditer(lower):
                yield lower.rfind("\n", 0, match.start()) + 1
            return
        place = lower.find(self.text)
        while place >= 0:
            yield lower.rfind("\n", 0, place) + 1
            end = lower.find("\n", place)
            place = -1 if end < 0 else lower.find(self.text, end)


class Rule(NamedTuple):
    """Finds secrets of one kind.

    Args:
        kind: for the count.
        triggers: of which a line with such a secret holds one.
        pattern: finds them. Its group `secret` or `quoted` is replaced, whichever matched, or all if there is neither.
        accepts: whether a match is a secret.
    """

    kind: str
    triggers: tuple[Trigger, ...]
    pattern: str
    accepts: Callable[[re.Match[str]], bool] | None = None

    def apply(self, line: str, counts: Counter[str]) -> str:
        """The line without such secrets."""
        pattern = _compiled(self.pattern)

        def replace(match: re.Match[str]) -> str:
            if self.accepts is not None and not self.accepts(match):
                return match[0]
            counts[self.kind] += 1
            groups = (name for name in _PLACES if name in pattern.groupindex and match[name] is not None)
            start, end = (offset - match.start() for offset in match.span(next(groups, 0)))
            return match[0][:start] + REDACTED + match[0][end:]

        return pattern.sub(replace, line)


def _rule(
    kind: str, triggers: str | tuple[Trigger, ...], pattern: str, accepts: Callable[[re.Match[str]], bool] | None = None
) -> Rule:
    """A rule; texts are separated by spaces."""
    if isinstance(triggers, str):
        triggers = tuple(map(_trigger, triggers.split()))
    return Rule(kind, triggers, pattern, accepts)


def _trigger(text: str, rest: str = "", before: str = "") -> Trigger:
    """A text; that `rest`, a pattern without letters, is to follow, with `before` between them outside of `alike`."""
    alike = text.translate(ALIKE)
    return Trigger(text, text + before + rest, alike, alike + rest) if rest else Trigger(text, "", alike, "")


_LONG_WORD = Trigger("", r"(?<![a-z0-9])(?=[a-f0-9]*[g-z])[a-z0-9]{40}", "", r"(?<![0g-z])(?=0*[g-z])[0g-z]{40}")
"""That is no hash. It has no spaces, either."""


def _assignments(*names: str) -> Iterator[Trigger]:
    """That something may be assigned to one of these names, or given to an option that ends with it."""
    for name in names:
        yield _trigger(name, r"[\w\[\]\"'`\\) .-]{0,30}[=:%>]")
        yield _trigger(name, r"\s", before=rf"(?<=[\w-]{name})")


_PLACES = ("secret", "quoted")
_DONE = r"(?!\[redacted\](?!\w))"
_START = r"(?:(?<![A-Za-z0-9])|(?<=%[0-9A-Fa-f]{2})|(?<=\\[nrt]))"
"""No letter or digit before, but for those of an escaped character."""
_SLASH = r"(?:[\\/]{1,2}|%(?:25){0,2}2[Ff])"
_SECRET = rf"(?P<secret>{_DONE}[^\s\"'`<>&]+)"
_QUOTED = (
    rf"(?P<escape>\\{{1,2}})?(?P<q>[\"'`]){_DONE}(?P<quoted>(?:(?!\\{{0,2}}(?P=q)).)+"
    r"(?(escape)|(?:\\{1,2}(?P=q)(?:(?!\\{0,2}(?P=q)).)+)*))"
)
"""In quotes, which stand for themselves in it where a backslash is before them, or in such as have one themselves."""
_PREFIXES = (
    "shpat_|shpca_|shppa_|shpss_|sq0atp-|sq0csp-|rubygems_|glc_|glsa_|lin_api_|ATATT3x|xai-|gsk_|pplx-|figd_|ntn_|NRAK-"
    "|pul-|phc_|PMAK-|rdme_|sgp_|dapi|GOOG1E|EAACEdEose0cBA|dp\\.pt\\.|atlasv1\\."
)
_AWS = "AKIA|ASIA|ABIA|AGPA|AIDA|AROA|AIPA|ANPA|ANVA"
_NAME = (
    r"pass(?:word|wd| ?phrase|code)|(?<=[_-])pass|(?<![A-Za-z])(?:pass|pw)(?==[^=])|pwd|(?<!publickey)token"
    r"|secret|credentials?|sess(?:ion[_-]?)?id"
    r"|(?:api|access|private|account|auth|client|shared|signing|encryption|master|deploy|subscription|storage)[_.-]?key"
)
_NAMES = (
    *_assignments(
        *("password", "passwd", "phrase", "passcode", "_pass", "-pass", "pwd", "token", "secret", "credential"),
        *("sess", "key"),
    ),
    _trigger("pass="),
    _trigger("pw="),
)

_AT = r"\s?[(\[{<]\s?at\s?[)\]}>]\s?"
_DOT = r"(?:\s?[(\[{<]\s?dot\s?[)\]}>]\s?|\.)"

RULES = (
    _rule(
        "reporting URL",
        "progress-reporter",
        rf"(?i)progress-reporter{_SLASH}[^\s/%\\\"'<>]+{_SLASH}(?P<secret>[^\s/?#&\"'`<>\\%)]+)",
    ),
    # {"Authorization": "Bearer x"}
    _rule(
        "authorization",
        "auth cookie",
        rf"(?i)(?:authorization|(?<![\w-])(?:set-)?cookie)\\{{0,2}}[\"']\s*(?:=>|[:=])\s*{_QUOTED}",
    ),
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
    # WWW-Authenticate: Negotiate x
    _rule(
        "authorization",
        "negotiate ntlm basic",
        r"\b(?:Negotiate|NTLM|Basic)\s+(?P<secret>(?=\S+[A-Z])(?=\S*[\d=])[A-Za-z0-9+/]{12,}+={0,2})(?!\S)",
    ),
    _rule("authorization", "--cookie", rf"--cookie[\s=]+(?:{_QUOTED}|(?P<secret>{_DONE}[^\s\"']*=[^\s\"']+))"),
    _rule("GitHub token", "ghp_ gho_ ghu_ ghs_ ghr_ github_pat_", r"(?i:gh[pousr]|github_pat)_\w{10,}"),
    _rule(
        "GitLab token",
        "glpat- glptt- gldt- glrt- glcbt- gloas- glimt- glagent- glft- glsoat- glffct- gr1348941",
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
        tuple(_trigger(name, "[a-z0-9]{12}") for name in _AWS.lower().split("|")),
        rf"{_START}(?:{_AWS})[A-Z0-9]{{12,}}+(?![a-z])",
    ),
    _rule("Azure key", "q~", r"(?<![\w~.-])[\w~.-]{3}[78]Q~[\w~.-]{20,}"),
    _rule("signature", "sig=", r"(?<=[?&;])sig=(?P<secret>[^\s&\"'<>]+)"),
    _rule(
        "signature", "-signature credential", r"(?i)x-(?:amz|goog)-(?:signature|credential)=(?P<secret>[^\s&\"'<>]+)"
    ),
    _rule(
        "JWT", "eyj", rf"{_START}eyJ[\w-]{{8,}}+(?:\.[\w-]*+){{2,4}}|(?<=[\w-]\.)eyJ[\w-]{{8,}}+(?:\.[\w-]*+){{0,3}}"
    ),
    _rule(
        "service token",
        "sk-ant sk-proj sk-svc npm_ hf_ pypi-age k_live_ k_test_ sg. dckr_ _v1_ hvs. hvb. hvr. /webhooks/ .office.com",
        r"(?:npm_|hf_)[A-Za-z0-9]{20,}|pypi-AgE[\w-]{20,}|[rs]k_(?:live|test)_[A-Za-z0-9]{10,}"
        r"|(?<!\w)SG\.[\w-]{16,}+\.[\w-]{16,}|dckr_[po]at_[\w-]{10,}|do[opr]_v1_[a-f0-9]{20,}"
        r"|hv[sbr]\.[\w-]{20,}|sk-(?:ant|proj|svcacct)-[\w-]{20,}|(?<=/api/webhooks/)[\w/-]+|(?<=\.office\.com/webhookb2/)[\w/@-]+",
    ),
    # a prefix of letters, and much that is random
    _rule(
        "service token",
        (_trigger("sk-", r"\w{16}"), *map(_trigger, _PREFIXES.lower().replace("\\", "").split("|"))),
        rf"{_START}(?:sk-|{_PREFIXES})(?=[\w-]*\d)[A-Za-z0-9]{{16,}}[\w-]*",
    ),
    _rule("service token", "age-secret-key-", r"AGE-SECRET-KEY-1[A-Z0-9]{20,}"),
    _rule(
        "service token",
        (_trigger(":aa", r"[\w-]{30}"), _trigger(":apa91b")),
        r"(?<![\w:])\d{8,10}:AA[\w-]{30,}|(?<=:)APA91b[\w-]{30,}",
    ),
    _rule("private key", "ls0tls1crudjti", r"LS0tLS1CRUdJTi[A-Za-z0-9+/=]{10,}"),
    _rule(
        "user information",
        "@",
        # up to the last @ before the path; where no host follows that, or a password holds a / itself, up to
        # the last one of all
        r"(?:(?<=://)|(?<=:\\/\\/)|(?<![\w:/\\])//)(?!git@)(?P<secret>"
        r"[^\s/?#@:\"'<>]+:[^\s/?#\"'<>]*@[^\s/?#:.@\"'<>]+/[^\s\"'<>]*(?=@)"
        r"|(?:[^\s/?#\"'<>]|'(?=\w))+(?=@)|[^\s/?#@:\"'<>]+:(?!\d{1,5}(?:[/?#]))[^\s\"'<>]*(?=@))",
    ),
    _rule(
        "user information",
        "3a%2f%2f",
        r"(?i)(?<=3A%2F%2F)(?!git%)(?P<secret>(?:(?!%(?:25)?2F)[^\s&\"'<>])+(?=%(?:25)?40))",
    ),
    _rule(
        "password",
        _NAMES,
        rf"(?i)(?<![\w-])--?(?:[\w-]*?)(?P<name>{_NAME})\s+(?![=:-]|(?:to|is|are|or|and|for|in|with|from|must|not)\s)"
        rf"(?:{_QUOTED}|{_SECRET})",
        accepts=is_password,
    ),
    # Password for 'https://user@host': x, at a prompt: a line's last word
    _rule(
        "password",
        tuple(_trigger(name, r"\s") for name in ("password", "passwd", "phrase", "passcode")),
        r"(?i)pass(?:word|wd| ?phrase|code)\s+for\s+(?:[\w-]+\s+){0,2}(?:'[^']*'|\"[^\"]*\"|[^\s'\":]+)\s?:\s+"
        rf"{_SECRET}(?=\s*$)",
    ),
    _rule(
        "password",
        (_trigger("pass", r"[\"']?\s?[:=]"), _trigger("pw", r"[\"']?\s?[:=]")),
        rf"(?<![\w-])(?P<mark>[\"']?)(?P<name>[Pp]ass|[Pp][Ww])(?P=mark)\s?[:=](?![=:~>])\s*(?:{_QUOTED}|{_SECRET})",
        accepts=is_told_password,
    ),
    _rule("password", "@tcp( @unix(", rf"(?<=:){_SECRET}(?=@(?:tcp|unix)\()"),
    _rule("password", "login", rf"(?i)\blogin\s+\S+\s+passw(?:or)?d\s+{_SECRET}"),
    _rule("password", "sshpass", rf"sshpass\s+-p\s*[\"']?{_SECRET}"),
    _rule("password", "mysql mariadb", rf"(?<!\S)-p(?:{_QUOTED}|{_SECRET})"),
    _rule(
        "password",
        (_trigger("login", r"\s"), _trigger("7z", r"\s")),
        rf"(?:\b(?:docker|podman|buildah|skopeo|helm|az|oc)\s+login|7z)\s(?:.*?\s)?-p[\s=]*(?:{_QUOTED}|{_SECRET})",
    ),
    _rule("password", "plink pscp psftp winscp", rf"(?<!\S)-pw\s+(?:{_QUOTED}|{_SECRET})"),
    _rule("password", "unzip sqlcmd", rf"(?<!\S)-P\s*(?:{_QUOTED}|{_SECRET})"),
    _rule("password", "redis-cli", rf"(?<!\S)(?:-a|--pass)\s+(?:{_QUOTED}|{_SECRET})"),
    _rule("password", "smbclient", rf"-U\s*[^\s%]+%{_SECRET}"),
    _rule("password", "echo", rf"\becho\s+(?:-n\s+)?(?:{_QUOTED}|{_SECRET})\s*\|\s*(?:sudo|.*--password-stdin)"),
    _rule("password", "-pass", rf"-pass(?:in|out)?\s+pass:{_SECRET}"),
    _rule(
        "password",
        (_trigger("-u", r"[\s=]"), _trigger("-user", r"[\s=]"), _trigger("curl")),
        rf"(?<!\S)(?:-u|--(?:proxy-)?user)[\s=]*[\"']?[^\s:\"'/]+:(?!\d|/){_SECRET}",
    ),
    _rule("password", _NAMES, rf"(?i)<[\w.:-]*?(?:{_NAME})>{_DONE}(?P<secret>[^<>\s][^<>]*+)(?=</)"),
    _rule("password", _NAMES, rf"(?i)(?:{_NAME})[\"']?\s+value\s*=\s*[\"']{_DONE}(?P<secret>[^\"'<>]+)"),
    _rule("password", "::add-mask::", rf"::add-mask::{_DONE}(?P<secret>\S.*)"),
    # Using token x: what looks like a token and not like a word
    _rule(
        "password",
        tuple(_trigger(name, r"\s") for name in ("password", "token", "secret", "key")),
        r"(?i)(?:password|token|secret|(?:access|api|private|account|client)[_-]?key)(?:\s+(?:->\s*|is\s+)?)[\"']?(?P<secret>(?=[\w+=~-]*\d)[\w+=~-]{16,})(?![\w./])",
    ),
    _rule(
        "password",
        (_trigger("passwd", r"\s"), _trigger("password", r"\s")),
        rf"(?i)\bpassw(?:or)?d\s+(?:is\s+)?{_SECRET}",
        accepts=lambda match: is_scrambled(match["secret"]),
    ),
    # password is 'x1'
    _rule(
        "password",
        tuple(_trigger(name, r"\s") for name in ("password", "passwd", "passphrase")),
        rf"(?i)(?:password|passwd|passphrase)\s+(?:is\s+)?[\"']{_DONE}(?P<secret>(?=[^\s\"']*\d)[^\s\"']{{6,}})(?=[\"'])",
    ),
    _rule("password", "_auth=", rf"(?<=:_auth=)[\"']?{_SECRET}"),
    _rule("password", "auth", r"(?<=[\"']auth[\"'])\s*:\s*[\"'](?P<secret>[A-Za-z0-9+/=]{8,})"),
    _rule(
        "password",
        _NAMES,
        rf"(?i)(?P<name>{_NAME})(?:[_-]?(?:id|key|base|value|hash|base64|b64|data|raw|\d)){{0,2}}(?:\[\w{{0,20}}\])?"
        rf"(?:\\{{0,2}}[\"'`\])]{{0,2}}|%(?:25)?22)"
        r"(?P<gap>\s{0,20})(?:(?:=>|:=|[=:](?![=:~>]))(?P<space>\s{0,20})|%(?:25)?3[AD](?:%(?:25)?2[02]|\+){0,2})"
        rf"(?:{_QUOTED}|(?P<secret>{_DONE}(?:(?!%(?:25)?2[26]|&(?:amp;)?[\w.-]{{1,40}}=|[,;]\s?[\w.-]{{1,40}}\s?[=:]"
        r"|[,;)\]}]{1,3}(?:\s|$)|\\{1,2}[\"'])[^\s\"'`<>])+))",
        accepts=is_assigned_secret,
    ),
    _rule(
        "token",
        (_LONG_WORD,),
        r"(?<![^\s\"'`<>()\[\]=,;|])[A-Za-z0-9]{40,}+(?![^\s\"'`<>()\[\],;|&.]|\.\w)",
        accepts=is_random,
    ),
    _rule(
        "mail address",
        "@ %40 &#64; u0040",
        r"(?<![\w.+-])(?P<name>[\w.+-]++|(?<!\w)\"[^\"\s]+(?: [^\"\s]+)?\")(?:@|%40|&#64;|\\{1,2}u0040)(?!\dx\.)"
        r"(?:(?:\w[\w-]*+\.)+(?P<end>[A-Za-z]{2,}+)(?!\w)|\[[\d.]{7,15}\])",
        accepts=is_address,
    ),
    _rule(
        "mail address",
        (_trigger("at", r"\s?[)\]}>]"),),
        rf"(?i)(?<![\w.+-])[\w.+-]++{_AT}[\w-]++(?:{_DOT}[\w-]++)*{_DOT}[a-z]{{2,}}(?!\w)",
    ),
)
"""Applied in this order: what one rule has redacted, later ones leave alone."""

TRIGGERS = {
    trigger: [place for place, rule in enumerate(RULES) if trigger in rule.triggers]
    for rule in RULES
    for trigger in rule.triggers
}
