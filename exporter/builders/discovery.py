"""How machines find the API: llms.txt at the store's root and at the API's, an API catalog, robots.txt, a sitemap."""

from collections.abc import Iterator

from exporter import paths
from exporter.builders.document_options import DocumentOptions
from exporter.documents.encoding import Document, encode
from exporter.media_types import media_type
from exporter.templating import templates

API_CATALOG = "api-catalog.linkset"
"""The API catalog of RFC 9727, at the store's root; web servers lead `/.well-known/api-catalog` to it."""


def documents(options: DocumentOptions) -> Iterator[Document]:
    """Everything at the store's root; none depends on a row."""
    entries = sorted(map(paths.stored, (paths.MANIFEST, *paths.entry_documents().values())))
    yield paths.site_page(API_CATALOG), encode(_api_catalog(options.public_url or ""))
    yield paths.site_page(paths.DOCUMENTATION), _guide(options, api=paths.API_ROOT, docs=options.docs)
    for page in ("robots.txt", *(["sitemap.xml"] if options.public_url else [])):
        template = templates().get_template(f"site/{page}")
        text = template.render(entries=entries, public_url=options.public_url, docs=options.docs)
        yield paths.site_page(page), text.encode()


def documentation(options: DocumentOptions) -> Document:
    """What to read first, below the API root: a mirror of the API alone has it, and no documentation beside it."""
    return paths.DOCUMENTATION, _guide(options, api="", docs=False)


def _guide(options: DocumentOptions, *, api: str, docs: bool) -> bytes:
    """What is published and where to start; links to documents of the API begin with `api`."""
    return templates().get_template("site/llms.txt").render(main=options.main, api=api, docs=docs).encode()


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
