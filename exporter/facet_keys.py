"""Facet keys: the file name that stands for a value of a facet, such as a branch, in the paths of its documents."""

import functools
import hashlib
import re

_PLAIN = re.compile(r"(?![.])[a-z0-9._-]{1,80}(?<!\.json)(?<!\.)", re.ASCII)
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.ASCII)
"""Names that Windows keeps for devices, in lower case, whatever suffix they have."""
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]", re.ASCII)


@functools.lru_cache(maxsize=4096)
def facet_key(value: str) -> str:
    """The file name, without `.json`, that stands for a facet's value.

    A value is its own key only where every file system keeps it apart from all others: in lower case, because macOS and
    Windows do not tell `Fix` from `fix`; no device of Windows; without a final dot, which Windows drops; and not ending
    in `.json`, because the folder of the branch `a.json` would take the name of the document of the branch `a`.
    """
    if _PLAIN.fullmatch(value) and not _RESERVED.fullmatch(value):
        return value
    digest = hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{_UNSAFE.sub('-', value)[:40]}~{digest[:12]}"
