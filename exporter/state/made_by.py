"""What documents depend on beside rows and files: the exporter's own code, its templates, and options.

Documents that other code or other options have made are built again. So only that code is hashed which documents, or
what is remembered for building them, depend on: a change of the command line or of the demo rebuilds nothing.
"""

import functools
import glob
import hashlib
import json
import pathlib
from collections.abc import Iterator

from exporter import templating
from exporter.builders.document_options import DocumentOptions

DOCUMENT_CODE = (
    "builders",
    "cache_control.py",  # the OpenAPI description shows it
    "documents",
    "export/collect.py",
    "export/dependencies.py",
    "export/partition_stats.py",
    "export/plan.py",
    "export/prefix_scan.py",
    "export/stages.py",
    "export/worker.py",
    "facet_keys.py",
    "media_types.py",
    "paths.py",
    "publish/manifest.py",
    "rules",
    "source",
    "state",
    "templating.py",
)
"""The packages and modules, below `exporter/`, that documents depend on. A test holds it against the imports."""


def document_files(package: pathlib.Path) -> Iterator[pathlib.Path]:
    """The source files that documents depend on, in order; `package` is the folder of the exporter's code."""
    for name in DOCUMENT_CODE:
        path = package / name
        yield from _files(path, "**/*.py") if path.is_dir() else (path,)


def _files(folder: pathlib.Path, pattern: str) -> list[pathlib.Path]:
    """The files in a folder that match a pattern, in order; `pathlib` takes three times as long to find them."""
    names = sorted(glob.glob(pattern, root_dir=folder, recursive=True))  # noqa: PTH207
    return [file for name in names if (file := folder / name).is_file()]


@functools.cache
def made_by(options: DocumentOptions) -> str:
    """Fingerprint of what documents depend on beside rows and files: CODE/OPTIONS.

    The digest of code and templates, and the options as `settings_of` reads them.
    """
    code = hashlib.sha256()
    templates = _files(templating.folder(), "**")
    docs = _files(templating.documentation(), "*.md") if options.docs else []
    for file in (*document_files(pathlib.Path(__file__).parent.parent), *templates, *docs):
        code.update(file.name.encode() + b"\0" + file.read_bytes())
    return f"{code.hexdigest()[:16]}/{json.dumps(_settings(options))}"


def _settings(options: DocumentOptions) -> dict[str, str]:
    """Command-line option → its value, as it was given."""
    return {
        "--result-documents": options.result_documents,
        "--sample-repository": "given" if options.files else "not given",
        "--main-repository": options.main.repository,
        "--main-branch": options.main.branch,
        "--no-redaction": "not given" if options.redaction else "given",
        "--junit": options.junit,
        "--public-url": options.public_url or "not given",
        "--docs": "given" if options.docs else "not given",
    }


def settings_of(fingerprint: str) -> dict[str, str]:
    """Command-line option → its value for the export of a `made_by`; empty if an earlier exporter made that."""
    options = fingerprint.partition("/")[2]
    return dict(json.loads(options)) if options.startswith("{") else {}


def differences(fingerprint: str, options: DocumentOptions) -> str:
    """What makes documents of other options, or of other code, than those of a `made_by`: in words, for messages."""
    code, before = fingerprint.partition("/")[0], settings_of(fingerprint)
    found = ["the exporter's version"] if code != made_by(options).partition("/")[0] or not before else []
    for name, now in _settings(options).items():
        if before.get(name, now) != now:
            found.append(f"{name} ({before[name]}, now {now})")
    return " and ".join(found)
