"""The changes of the main line as an Atom feed (RFC 4287)."""

import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from exporter.documents.analysis import Change
from exporter.documents.xml_text import NO_TIME, attributes, text

_ID = "tag:sampleplatform.ccextractor.org,2026:regressions"


class FeedLinks(NamedTuple):
    """URLs relative to the feed: its own, the site's page, and the JSON of the same changes."""

    feed: str
    site: str
    json: str


def atom(changes: Sequence[Change], repository: str, branch: str, links: FeedLinks) -> bytes:
    """The feed; `changes` are newest first, their `href` relative to the feed."""
    lines = [
        '<?xml version="1.0" encoding="utf-8"?>',
        '<feed xmlns="http://www.w3.org/2005/Atom">',
        f"  <title>Regressions and fixes of {text(repository)}, branch {text(branch)}</title>",
        f"  <id>{_ID}/{urllib.parse.quote(repository)}/{urllib.parse.quote(branch)}</id>",
        f"  <updated>{max((change['at'] for change in changes if change['at']), default=NO_TIME)}</updated>",
        "  <author><name>CCExtractor Sample Platform</name></author>",
        _link("self", "application/atom+xml", links.feed),
        _link("alternate", "text/html", links.site),
        _link("alternate", "application/json", links.json),
    ]
    for change in changes:
        lines += _entry(change, links.site)
    return "\n".join([*lines, "</feed>", ""]).encode()


def _entry(change: Change, site: str) -> Iterator[str]:
    run, test = change["run_id"], change["regression_test_id"]
    sample = "" if change["sample_name"] is None else f" ({text(change['sample_name'])})"
    happened = "broke" if change["kind"] == "regression" else "was fixed"
    yield "  <entry>"
    yield f"    <title>Test {test}{sample} {happened} on {text(change['platform'])}</title>"
    yield f"    <id>{_ID}/{run}/{test}</id>"
    yield f"    <updated>{change['at'] or NO_TIME}</updated>"
    yield f"    <category{attributes({'term': change['kind']})}/>"
    if change["href"] is None:
        yield "  " + _link("alternate", "text/html", f"{site}#/tests/{test}")
    else:
        yield "  " + _link("alternate", "text/html", f"{site}#/runs/{run}/results/{test}")
        yield "  " + _link("enclosure", "application/json", change["href"])
    yield f'    <content type="text">{text(_sentence(change))}</content>'
    yield "  </entry>"


def _link(relation: str, media_type: str, href: str) -> str:
    return f"  <link{attributes({'rel': relation, 'type': media_type, 'href': href})}/>"


def _sentence(change: Mapping[str, object]) -> str:
    commit = "" if change["commit_sha"] is None else f" of commit {change['commit_sha']}"
    code = "" if change["code"] is None else f" ({change['code']})"
    flaky = " The test is flaky." if change["flaky"] else ""
    return (
        f"Run {change['run_id']}{commit}: {change['status']}{code}; the run before was {change['previous_run']}.{flaky}"
    )
