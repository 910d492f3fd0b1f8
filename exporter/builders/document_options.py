"""The options of an export that its documents depend on."""

from dataclasses import dataclass

from exporter.rules.lineage import MainLine


@dataclass(frozen=True, slots=True)
class DocumentOptions:
    """What documents depend on beside rows and files.

    Args:
        result_documents: which results get a document of their own: `all`, `failures` or `none`.
        main: which lineage is the main line.
        files: whether there is a sample repository, as `pipeline.Settings` knows.
        redaction: whether secrets are taken out of free text.
        junit: what the JUnit XML of a run lists: `failures`, `all`, or `none` for no such documents.
        docs: whether the documentation is published as pages.
        public_url: where readers reach the store, with a final `/`; None: unknown, there is no sitemap.
    """

    result_documents: str = "all"
    main: MainLine = MainLine()  # noqa: RUF009 - immutable
    files: bool = False
    redaction: bool = True
    junit: str = "failures"
    public_url: str | None = None
    docs: bool = False
