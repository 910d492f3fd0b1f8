"""A process's connection to a bucket, and the first question, whose answer says whether it is the right one."""

import os
import pathlib
from concurrent.futures import Future
from dataclasses import dataclass, field

from google.auth.credentials import Credentials
from google.cloud import storage

from exporter.publish.gcs.ahead import THREADS
from exporter.publish.gcs.bulk_upload import Rate
from exporter.publish.gcs.reply_checks import CheckedSession
from exporter.publish.gcs.session import FAILURES, READ_WRITE, credentials, explain, repeating, session
from exporter.publish.together import in_thread


@dataclass(slots=True)
class Link:
    """A process's connection: the client may not cross a fork, nor be pickled.

    Args:
        reached: done when the bucket has answered. So an error of the network, credentials, role or bucket is raised to
            whoever waits for it, and only then a 404 means an object.
        writable: whether the bucket has said that these credentials may write.
    """

    trusted: Credentials
    http: CheckedSession
    bucket: storage.Bucket
    rate: Rate
    reached: Future[None]
    writable: bool = False
    process: int = field(default_factory=os.getpid)


def connect(name: str, bucket: str, file: pathlib.Path | None, rate: Rate, patience: tuple[float, float]) -> Link:
    """Connect, and ask for something that must work; what else is asked need not wait for the answer.

    Args:
        name: what messages call the store.
        bucket: the bucket's name.
        file: of credentials.
        rate: of all writes of this process.
        patience: seconds that one request may take, and all of its attempts.
    """
    # Or else the library itself asks for the bucket's settings, which takes another permission.
    os.environ.setdefault("DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA", "true")
    trusted = credentials(file, READ_WRITE)
    http = session(trusted, THREADS)
    found = storage.Client(project=None, credentials=trusted, _http=http).bucket(bucket)
    timeout, deadline = patience

    def reach() -> None:
        try:
            next(found.list_blobs(max_results=1, timeout=timeout, retry=repeating(deadline)).pages, None)
        except FAILURES as error:
            raise explain(name, error) from error

    return Link(trusted, http, found, rate, in_thread(reach))
