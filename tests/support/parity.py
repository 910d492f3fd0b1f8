#!/usr/bin/env python3
# ruff: noqa
# fmt: off
"""Hold a published tree against recorded answers of the platform's own read API.

    parity.py TREE RECORDED.ndjson.gz [--show N]

TREE is the folder that holds `v1/`. Each recorded line is {path, query, status, body}. Every answer that the
static contract covers is looked up in the tree by following its links alone, and compared field by field.
Prints a line per kind of answer and exits 1 if anything differs. Standard library only.
"""
from __future__ import annotations

import argparse
import collections
import gzip
import hashlib
import json
import pathlib
import re
from urllib.parse import unquote, urljoin


class Tree:
    def __init__(self, root: pathlib.Path):
        self.root, self.cache = root.resolve(), {}

    def get(self, path):
        if path not in self.cache:
            file = (self.root / unquote(path)).resolve()
            if self.root not in file.parents:
                raise LookupError(f"link leaves the tree: {path}")
            if not file.is_file():
                raise LookupError(f"no document {path}")
            self.cache[path] = json.loads(file.read_bytes())
        return self.cache[path]

    def follow(self, path, href):
        return urljoin("/" + path, href)[1:]

    def items(self, path):
        """All items of a list, from its first document along `next`."""
        out, seen = [], set()
        while path:
            if path in seen:
                raise LookupError(f"`next` runs in a circle at {path}")
            seen.add(path)
            doc = self.get(path)
            out += doc["data"]
            nxt = doc["pagination"]["next"]
            path = self.follow(path, nxt) if nxt else None
        return out

    def facet(self, index, value):
        for row in self.items(index):
            if row["value"] == value or (isinstance(value, str) and str(row["value"]) == value):
                return self.items(self.follow(index, row["href"]))
        return []


def instant(value):
    return re.sub(r"(\+00:00|Z)$", "Z", value) if isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\dT", value) else value


def differences(live, ours, where=""):
    """What `live` says that `ours` does not say: ours may hold more fields."""
    if isinstance(live, dict):
        if not isinstance(ours, dict):
            return [f"{where}: {ours!r} is no object"]
        return [d for k, v in live.items() for d in (
            differences(v, ours[k], f"{where}.{k}") if k in ours else [f"{where}.{k}: absent"])]
    if isinstance(live, list):
        if not isinstance(ours, list) or len(live) != len(ours):
            return [f"{where}: {len(live)} items against {len(ours) if isinstance(ours, list) else ours!r}"]
        return [d for i, (a, b) in enumerate(zip(live, ours)) for d in differences(a, b, f"{where}[{i}]")]
    return [] if instant(live) == instant(ours) and isinstance(live, bool) == isinstance(ours, bool) else [f"{where}: {live!r} against {ours!r}"]


def by(key):
    return lambda row: tuple((v is None, v) for v in (row[k] for k in key))


def result(live, ours, where):
    """A result row. Outputs: an accepted variant passes here; an absent expected output is listed here."""
    live, ours = dict(live), dict(ours)
    mine, theirs = {o["output_id"]: o for o in ours["outputs"]}, {o["output_id"]: o for o in live["outputs"]}
    out = []
    for k, o in theirs.items():
        m = mine.pop(k, None)
        if m is None:
            out.append(f"{where}.outputs: {k} absent")
            continue
        if o["status"] == "fail" and m["status"] == "pass" and m.get("match") == "variant":
            o = {**o, "status": "pass"}
        out += differences(o, m, f"{where}.outputs[{k}]")
    out += [f"{where}.outputs: {k} is not the platform's" for k, m in mine.items() if m["status"] != "missing_output"]
    live.pop("outputs"), ours.pop("outputs")
    live["categories"], ours["categories"] = sorted(set(live["categories"])), sorted(set(ours["categories"]))
    return out + differences(live, ours, where)


def rows(live, ours, key, one=differences, ordered=True):
    if not ordered:
        live, ours = sorted(live, key=by(key)), sorted(ours, key=by(key))
    if len(live) != len(ours):
        return [f"{len(live)} rows against {len(ours)}"]
    return [d for a, b in zip(live, ours) for d in one(a, b, "/".join(str(a[k]) for k in key))]


def catalogued(live, ours, where):
    live, ours = dict(live), dict(ours)
    if live.get("sha", "") is None:  # the platform names such a file "None.ext"
        live.pop("filename", None)
    for f in ("tags", "categories"):
        if f in live:
            live[f], ours[f] = sorted(set(live[f])), sorted(set(ours.get(f, [])))
    return differences(live, ours, where)


class Check:
    def __init__(self, tree):
        self.t = tree

    def run(self, path, q, live):
        """Compare one merged answer. Returns (kind, differences) or None where the contract does not cover it."""
        t, parts = self.t, path.strip("/").split("/")
        filters = {k: v for k, v in q.items() if k not in ("limit", "offset", "cursor")}
        if "" in filters.values():  # the platform takes an empty filter for none
            return None
        data = live.get("data") if isinstance(live, dict) else None
        if path == "/runs":
            (k, v), = filters.items() or [(None, None)]
            if k is None:
                ours = t.items("v1/runs.json")
            elif k == "commit_sha":
                if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,79}", v):
                    return None
                ours = t.items(f"v1/runs/by-commit/{v}.json")
            else:
                ours = t.facet(f"v1/runs/by-{k}.json", v)
            return "/runs" + (f"?{k}" if k else ""), rows(data, ours, ["run_id"])
        if parts[0] == "runs" and len(parts) == 2:
            return "/runs/N", differences(live, t.get(f"v1/runs/{parts[1]}.json"))
        if parts[0] == "runs" and len(parts) >= 3:
            doc, kind, here = f"v1/runs/{parts[1]}.json", f"/runs/N/{parts[2]}", f"v1/runs/{parts[1]}"
            if parts[2] == "summary":
                run = t.get(doc)
                return kind, differences(live, {**run["summary"], "run_id": run["run_id"], "status": run["status"]})
            if parts[2] == "config":
                run = t.get(doc)
                return kind, differences(live, {**run, **run["config"]})
            if parts[2] == "progress":
                return kind, differences(data, t.get(doc)["progress"])
            if parts[2] == "infrastructure-errors":
                return kind, differences(data, t.get(doc)["infrastructure_errors"])
            if parts[2] == "errors":
                return kind, rows(data, t.items(here + "/errors.json"), ["error_id"], ordered=False)
            if parts[2] == "error-summary":
                ours = t.get(here + "/errors.json")["summary"][q["group_by"]]
                fix = lambda b: {**b, "sample_ids": sorted(b["sample_ids"])}
                return kind, rows([fix(b) for b in data], [fix(b) for b in ours], ["key"], ordered=False)
            if parts[2] == "logs":
                ours = [line if isinstance(line, str) else line["message"] for line in t.items(here + "/log.json")]
                return kind, differences([line["message"] for line in data], ours)
            if parts[2] == "samples" and len(parts) == 3:
                status = filters.get("status")
                ours = t.items(here + ("/failures.json" if status in ("fail", "missing_output") else "/samples.json"))
                ours = [r for r in ours if status in (None, r["status"])]
                return kind + ("?status" if status else ""), rows(data, ours, ["regression_test_id"], result, ordered=False)
            if parts[2] == "samples" and len(parts) == 4:
                return kind + "/N", result(live, t.get(f"{here}/samples/{parts[3]}.json"), parts[3])
            if parts[-1] == "diff":
                return self.diff(here, parts, q, live)
            return None
        if path in ("/categories", "/tags"):
            return path, rows(data, t.items(f"v1{path}.json"), ["id"], ordered=False)
        if path == "/samples":
            (k, v), = filters.items() or [(None, None)]
            ours = t.facet(f"v1/samples/by-{k}.json", v) if k else t.items("v1/samples.json")
            return "/samples" + (f"?{k}" if k else ""), rows(data, ours, ["sample_id"], catalogued, ordered=False)
        if parts[0] == "samples" and len(parts) == 2 or parts[-1] == "details":
            live = {k: v for k, v in live.items() if k != "media_info"}
            return "/samples/N" + ("/details" if len(parts) > 2 else ""), catalogued(live, t.get(f"v1/samples/{parts[1]}.json"), parts[1])
        if parts[-1] == "history":
            ours = [h for h in t.items(f"v1/samples/{parts[1]}/history.json")
                    if all(str(h[k]) == str(v) for k, v in filters.items())]
            return "/samples/N/history" + "".join("?" + k for k in filters), rows(data, ours, ["run_id", "regression_test_id"])
        if path == "/regression-tests":
            if "active" in filters:
                ours = t.facet("v1/regression-tests/by-active.json", filters["active"])
            else:
                (k, v), = filters.items()
                ours = [r for r in t.facet(f"v1/regression-tests/by-{k}.json", v) if r["active"] is True]
            unique = lambda rs: list({r["regression_test_id"]: r for r in rs}.values())
            return "/regression-tests?" + next(iter(filters)), rows(unique(data), unique(ours), ["regression_test_id"], catalogued, ordered=False)
        if parts[0] == "regression-tests" and len(parts) == 2:
            return "/regression-tests/N", catalogued(live, t.get(f"v1/regression-tests/{parts[1]}.json"), parts[1])
        return None

    def diff(self, here, parts, q, live):
        t, path = self.t, f"{here}/samples/{parts[5]}.json"
        output = next(o for o in t.get(path)["outputs"] if str(o["output_id"]) == parts[7])
        if output["diff"] is None:
            same = live.get("status") in ("identical", None) and not live.get("hunks") and not live.get("content")
            return "diff", [] if same else [f"{path}: no diff, the platform has one"]
        ours = t.get(t.follow(path, output["diff"]))
        if q.get("format") == "unified":
            return "diff?unified", differences(live["content"], ours["unified"])
        return "diff", differences({k: live[k] for k in ("status", "summary", "hunks")}, ours)


def merged(recorded):
    """Recorded answers with the pages of one list put together."""
    groups = collections.OrderedDict()
    with gzip.open(recorded, "rt", encoding="utf-8") as lines:
        for line in lines:
            a = json.loads(line)
            if a["status"] != 200:
                continue
            key = (a["path"], tuple(sorted((k, str(v)) for k, v in a["query"].items() if k not in ("limit", "offset", "cursor"))))
            if key in groups and isinstance(a["body"].get("data"), list):
                groups[key][1]["data"] += a["body"]["data"]
            else:
                groups.setdefault(key, (a["query"], a["body"]))
    return ((path, query, body) for (path, _), (query, body) in groups.items())


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("tree", type=pathlib.Path), ap.add_argument("recorded", type=pathlib.Path)
    ap.add_argument("--show", type=int, default=3, help="differences shown per kind")
    a = ap.parse_args()
    check, same, wrong, skipped = Check(Tree(a.tree)), collections.Counter(), collections.defaultdict(list), collections.Counter()
    for path, query, live in merged(a.recorded):
        try:
            answer = check.run(path, query, live)
        except Exception as e:  # a malformed document is a difference like any other
            answer = re.sub(r"\d+", "N", path), [f"{type(e).__name__}: {e}"]
        if answer is None:
            skipped[re.sub(r"\d+", "N", path)] += 1
            continue
        kind, found = answer
        kind = re.sub(r"/\d+(?=/|$)", "/N", kind)
        if found:
            wrong[kind] += [f"{path} {query}: {d}" for d in found[:5]]
            same[kind] += 0
            wrong[kind, "n"].append(1)
        else:
            same[kind] += 1
    total = bad = 0
    for kind in sorted(same):
        n = len(wrong.get((kind, "n"), []))
        total, bad = total + same[kind] + n, bad + n
        print(f"{'ok ' if not n else 'BAD'} {kind:45s} {same[kind]} of {same[kind] + n}")
        for d in wrong.get(kind, [])[:a.show]:
            print("      " + d[:220])
    print(f"not covered by the contract: {dict(skipped)}")
    print(f"{total - bad} of {total} recorded answers agree")
    raise SystemExit(1 if bad or not total else 0)


if __name__ == "__main__":
    main()
