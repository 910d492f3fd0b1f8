"""Dask over TLS: an export with a certificate of the cluster's authority, and refusals of all others, in one line."""

import datetime
import ipaddress
import pathlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import dask
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from exporter.cli.main import run
from exporter.demo import create_demo
from exporter.export import dask_cluster as dask_cluster_module
from exporter.export.dask_cluster import DaskCluster
from exporter.publish.gcs.bucket_store import GcsStore
from exporter.publish.local.folder_store import LocalStore
from tests.export.test_dask import published
from tests.support import dask_cluster
from tests.support.dask_cluster import Cluster, Observer, demo_with_password
from tests.support.emulator import Emulator
from tests.support.platform import export

CANARY = "C4NARY-word"


@dataclass(frozen=True)
class Authority:
    """A certificate authority: its certificate, and one for 127.0.0.1 with its key that it has signed."""

    ca: pathlib.Path
    certificate: pathlib.Path
    key: pathlib.Path

    @classmethod
    def make(cls, folder: pathlib.Path) -> "Authority":
        """One with files of its own in a new folder."""
        folder.mkdir()
        made = cls(folder / "ca.pem", folder / "certificate.pem", folder / "key.pem")
        own, leaf = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        made.ca.write_bytes(_certificate("authority", own, "authority", own).public_bytes(serialization.Encoding.PEM))
        signed = _certificate("127.0.0.1", leaf, "authority", own)
        made.certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        private = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        made.key.write_bytes(leaf.private_bytes(serialization.Encoding.PEM, *private))
        return made

    def settings(self, *roles: str) -> dict[str, str]:
        """Dask's settings of those who have the certificate."""
        files = {f"distributed.comm.tls.{role}.cert": str(self.certificate) for role in roles}
        files |= {f"distributed.comm.tls.{role}.key": str(self.key) for role in roles}
        return {"distributed.comm.tls.ca-file": str(self.ca), **files}


def _certificate(
    subject: str, key: ec.EllipticCurvePrivateKey, issuer: str, signer: ec.EllipticCurvePrivateKey
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=subject == issuer, path_length=None), critical=True)
        .sign(signer, hashes.SHA256())
    )


@pytest.fixture
def authority(tmp_path: pathlib.Path) -> Authority:
    return Authority.make(tmp_path / "authority")


@pytest.fixture
def cluster(tmp_path: pathlib.Path, emulator: Emulator, authority: Authority) -> Iterator[Cluster]:
    """Configured by environment variables, as Dask reads them; nothing unencrypted is taken."""
    settings = {**authority.settings("scheduler", "worker"), "distributed.comm.require-encryption": "True"}
    named = {f"DASK_{key.upper().replace('.', '__').replace('-', '_')}": value for key, value in settings.items()}
    with dask_cluster.running(tmp_path / "cluster", 2, "tls", STORAGE_EMULATOR_HOST=emulator.url, **named) as found:
        yield found


def test_an_export_over_tls_sends_workers_the_database_url_and_shows_it_nowhere(
    cluster: Cluster, authority: Authority, bucket: str, tmp_path: pathlib.Path, mariadb_server: str
) -> None:
    store = GcsStore(bucket, "api", max_writes_per_second=100_000)
    shown: list[str] = []
    with demo_with_password(mariadb_server, CANARY) as url, dask.config.set(authority.settings("client")):
        with Observer(cluster, lambda *_: shown.append(observer.shown())) as observer:
            export(url.render_as_string(False), store, cluster=DaskCluster(cluster.address))
        export(url.render_as_string(False), tmp_path / "folder")
    assert published(store) == published(LocalStore(tmp_path / "folder"))
    assert len(set(observer.seen.values())) == 2, "both workers have done something"
    shown += [cluster.log(process) for process in cluster.processes]
    assert "exporter-read" in "".join(shown)
    assert CANARY not in "".join(shown)


@pytest.mark.parametrize(
    ("who", "said"),
    [
        ("no certificate", "Dask's configuration names no TLS files for this process"),
        ("a missing file", "a TLS file that Dask's configuration names for this process does not exist"),
        ("no authority", "Dask's configuration names no TLS files for this process"),
        ("a stranger's certificate", "are host, port and the TLS settings of Dask's configuration right?"),
        ("no encryption", "are host, port and the TLS settings of Dask's configuration right?"),
    ],
)
def test_a_client_that_the_cluster_does_not_know_is_refused_in_one_line(
    cluster: Cluster,
    authority: Authority,
    bucket: str,
    tmp_path: pathlib.Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    who: str,
    said: str,
) -> None:
    monkeypatch.setattr(dask_cluster_module, "_CONNECT", 3)
    create_demo(f"sqlite:///{tmp_path}/demo.sqlite", runs=220, tests=2, seed=1)
    stranger = Authority.make(tmp_path / "stranger").settings("client")
    settings: dict[str, dict[str, Any]] = {
        "no certificate": authority.settings(),
        "a stranger's certificate": {**stranger, **authority.settings()},
        "a missing file": {**authority.settings("client"), "distributed.comm.tls.client.cert": "missing.pem"},
        "no authority": {},
        "no encryption": {},
    }
    address = cluster.address.replace("tls:", "tcp:") if who == "no encryption" else cluster.address
    options = ["--executor", "dask", "--dask-scheduler", address]
    with dask.config.set(settings[who]):
        code = run(
            ["export", "--database-url", f"sqlite:///{tmp_path}/demo.sqlite", "--store", f"gs://{bucket}/x", *options]
        )
    error = capfd.readouterr().err.splitlines()
    assert code == 1
    assert [line for line in error if "error" in line] == error[-1:]
    assert f"the Dask scheduler {address} cannot be reached" in error[-1] and said in error[-1]
    assert "Traceback" not in "".join(error)
    assert not list(GcsStore(bucket, "x").list(""))
