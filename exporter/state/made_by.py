"""What documents depend on beside rows and files: the exporter's own code, its templates, and options.

Documents that other code or other options have made are built again. So only that code is hashed which documents, or
what is remembered for building them, depend on: a change of the command line or of the demo rebuilds nothing.
"""

import dataclasses
import functools
import hashlib
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
        yield from sorted(path.rglob("*.py")) if path.is_dir() else (path,)


@functools.cache
def made_by(options: DocumentOptions) -> str:
    """Fingerprint of what documents depend on beside rows and files: CODE/OPTIONS/RESULT-DOCUMENTS/FILES.

    Digests of code and templates and of the options; of these, for messages, which results have documents, and `files`
    with a sample repository.
    """
    code = hashlib.sha256()
    templates = sorted(file for file in templating.folder().rglob("*") if file.is_file())
    for file in (*document_files(pathlib.Path(__file__).parent.parent), *templates):
        code.update(file.name.encode() + b"\0" + file.read_bytes())
    return "/".join(
        (code.hexdigest()[:16], _digest(options), options.result_documents, "files" if options.files else "")
    )


def _digest(options: DocumentOptions) -> str:
    return hashlib.sha256(repr(options).encode()).hexdigest()[:8]


def differences(fingerprint: str, options: DocumentOptions) -> str:
    """What makes documents of other options, or of other code, than those of a `made_by`: in words, for messages."""
    code, digest, result_documents, files = fingerprint.split("/")
    found = []
    if code != made_by(options).partition("/")[0]:
        found.append("the exporter's version")
    if result_documents != options.result_documents:
        found.append(f"--result-documents ({result_documents}, now {options.result_documents})")
    if bool(files) != options.files:
        found.append(f"--sample-repository ({'given' if files else 'not given'} before)")
    if digest != _digest(dataclasses.replace(options, result_documents=result_documents, files=bool(files))):
        found.append("--main-repository or --main-branch")
    return " and ".join(found)
