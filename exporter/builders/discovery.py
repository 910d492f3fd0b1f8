"""How machines find the API from the store's root: an API catalog, llms.txt, robots.txt and a sitemap."""

from collections.abc import Iterator

from exporter import paths
from exporter.builders.document_options import DocumentOptions
from exporter.documents.encoding import Document, encode
from exporter.media_types import media_type
from exporter.templating import templates

API_CATALOG = "api-catalog.linkset"
"""The API catalog of RFC 9727, at the store's root; web servers lead `/.well-known/api-catalog` to it."""


def documents(options: DocumentOptions) -> Iterator[Document]:
    """Everything of the kind; none depends on a row."""
    entries = sorted(map(paths.stored, (paths.MANIFEST, *paths.entry_documents().values())))
    yield paths.site_page(API_CATALOG), encode(_api_catalog(options.public_url or ""))
    for page in ("llms.txt", "robots.txt", *(["sitemap.xml"] if options.public_url else [])):
        text = (
            templates()
            .get_template(f"site/{page}")
            .render(main=options.main, entries=entries, public_url=options.public_url, docs=options.docs)
        )
        yield paths.site_page(page), text.encode()


def _api_catalog(root: str) -> dict[str, list[dict[str, object]]]:
    """The linkset of RFC 9727; `root` is what its links begin with: the store's URL, or nothing beside the catalog."""

    def links(*targets: str) -> list[dict[str, str]]:
        return [{"href": root + target, "type": media_type(target)} for target in targets]

    return {
        "linkset": [
            {"anchor": root + API_CATALOG, "item": [{"href": root + paths.API_ROOT}]},
            {
                "anchor": root + paths.API_ROOT,
                "service-desc": links(paths.stored(paths.OPENAPI)),
                "service-doc": links("llms.txt"),
                "service-meta": links(paths.stored(paths.MANIFEST)),
                "alternate": links(paths.stored(paths.REGRESSIONS_FEED)),
            },
        ]
    }
