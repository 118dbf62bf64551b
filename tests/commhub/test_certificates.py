import asyncio
import hashlib
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from commhub import certificates
from commhub.certificates import Authority, Tls, machine_names, prepare
from commhub.errors import Invalid
from commhub.settings import HttpSettings

NOW = datetime.now(UTC).replace(microsecond=0)  # the handshakes below use the machine's own clock
OPEN = HttpSettings(host="0.0.0.0", port=21000)


@pytest.fixture
def tls_dir(tmp_path: Path) -> Path:
    return tmp_path / "tls"


def leaf(directory: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate((directory / "hub.crt").read_bytes())


async def handshake(server: ssl.SSLContext, name: str, ca: bytes | None) -> dict[str, object]:
    """What a client sees that trusts `ca` alone and calls the server `name`."""
    client = ssl.create_default_context(cadata=ca.decode() if ca else None)

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=server)
    async with listener:
        port = listener.sockets[0].getsockname()[1]
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client, server_hostname=name)
        seen: dict[str, object] = writer.get_extra_info("peercert")
        writer.close()
        return seen


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
async def test_a_client_that_trusts_the_ca_trusts_the_hub(tls_dir: Path, name: str) -> None:
    tls = Tls(OPEN, tls_dir, NOW)
    assert tls.authority is not None
    assert await handshake(tls.context, name, tls.authority.pem)


async def test_other_names_and_other_clients_are_refused(tls_dir: Path) -> None:
    tls = Tls(OPEN, tls_dir, NOW)
    assert tls.authority is not None
    with pytest.raises(ssl.SSLCertVerificationError, match=r"not valid for 'other\.example'"):
        await handshake(tls.context, "other.example", tls.authority.pem)
    with pytest.raises(ssl.SSLCertVerificationError, match=r"unable to get local issuer|self.signed"):
        await handshake(tls.context, "localhost", None)


def test_ca_can_be_handed_out(tls_dir: Path) -> None:
    authority = Authority(tls_dir, NOW)
    assert ssl.PEM_cert_to_DER_cert(authority.pem.decode()) == authority.der
    assert authority.fingerprint.replace(":", "").lower() == hashlib.sha256(authority.der).hexdigest()
    constraints = authority.certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.critical
    assert (constraints.value.ca, constraints.value.path_length) == (True, 0)
    assert authority.certificate.not_valid_after_utc - NOW > timedelta(days=3640)


def test_keys_are_for_this_user_only(tls_dir: Path) -> None:
    Tls(OPEN, tls_dir, NOW)
    assert sorted(file.name for file in tls_dir.iterdir()) == ["ca.crt", "ca.key", "hub.crt", "hub.key"]
    assert {file.stat().st_mode & 0o777 for file in tls_dir.iterdir()} == {0o600}
    assert tls_dir.stat().st_mode & 0o777 == 0o700


def test_certificate_meets_what_browsers_ask(tls_dir: Path) -> None:
    Tls(OPEN, tls_dir, NOW)
    certificate = leaf(tls_dir)
    assert certificate.not_valid_after_utc - certificate.not_valid_before_utc <= timedelta(days=398)
    assert certificate.not_valid_before_utc < NOW
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [x509.oid.ExtendedKeyUsageOID.SERVER_AUTH]


def test_a_second_start_keeps_everything(tls_dir: Path) -> None:
    Tls(OPEN, tls_dir, NOW)
    before = {file.name: file.read_bytes() for file in tls_dir.iterdir()}
    tls = Tls(OPEN, tls_dir, NOW + timedelta(days=300))
    assert {file.name: file.read_bytes() for file in tls_dir.iterdir()} == before
    assert tls.refresh(NOW + timedelta(days=300)) is False


async def test_a_new_address_gets_a_new_certificate_of_the_same_ca(tls_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tls = Tls(OPEN, tls_dir, NOW)
    assert tls.authority is not None
    ca = tls.authority.pem
    names = machine_names()
    monkeypatch.setattr(certificates, "machine_names", lambda public_url: names | {"192.0.2.77"})
    assert tls.refresh(NOW) is True
    assert tls.refresh(NOW) is False
    assert await handshake(tls.context, "192.0.2.77", ca)
    monkeypatch.setattr(certificates, "machine_names", lambda public_url: names)
    assert tls.refresh(NOW) is False  # an address that went away may come back


def test_renewed_before_it_ends(tls_dir: Path) -> None:
    tls = Tls(OPEN, tls_dir, NOW)
    late = leaf(tls_dir).not_valid_after_utc - timedelta(days=29)
    assert tls.refresh(late) is True
    assert leaf(tls_dir).not_valid_after_utc > late + timedelta(days=390)


@pytest.mark.parametrize("damage", [b"", b"torn", None])
@pytest.mark.parametrize("name", ["hub.crt", "hub.key"])
def test_a_damaged_certificate_is_issued_again(tls_dir: Path, name: str, damage: bytes | None) -> None:
    ca = Authority(tls_dir, NOW).pem
    Tls(OPEN, tls_dir, NOW)
    (tls_dir / name).unlink()
    if damage is not None:
        (tls_dir / name).write_bytes(damage)
    tls = Tls(OPEN, tls_dir, NOW)
    assert tls.authority is not None
    assert tls.authority.pem == ca


@pytest.mark.parametrize("name", ["ca.crt", "ca.key"])
def test_a_damaged_ca_is_never_replaced(tls_dir: Path, name: str) -> None:
    Authority(tls_dir, NOW)
    (tls_dir / name).write_bytes(b"torn")
    with pytest.raises(Invalid, match=r"CA in .* cannot be used .*which every terminal must install again"):
        Authority(tls_dir, NOW)
    assert (tls_dir / name).read_bytes() == b"torn"


def test_ca_and_key_of_two_authorities_do_not_mix(tls_dir: Path, tmp_path: Path) -> None:
    Authority(tls_dir, NOW)
    Authority(tmp_path / "other", NOW)
    (tls_dir / "ca.key").write_bytes((tmp_path / "other" / "ca.key").read_bytes())
    with pytest.raises(Invalid, match="do not belong together"):
        Authority(tls_dir, NOW)


def test_public_name_is_in_the_certificate(tls_dir: Path) -> None:
    Tls(HttpSettings(host="0.0.0.0", public_url="https://Hub.Example:8443"), tls_dir, NOW)
    names = leaf(tls_dir).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "hub.example" in names.get_values_for_type(x509.DNSName)
    assert "127.0.0.1" in {str(address) for address in names.get_values_for_type(x509.IPAddress)}


@pytest.fixture
def files(tmp_path: Path) -> HttpSettings:
    chain, key = Authority(tmp_path / "elsewhere", NOW).issue({"hub.example"}, NOW)
    (tmp_path / "site.crt").write_bytes(chain)
    (tmp_path / "site.key").write_bytes(key)
    return HttpSettings(host="0.0.0.0", certificate=tmp_path / "site.crt", key=tmp_path / "site.key")


async def test_certificate_of_files(files: HttpSettings, tmp_path: Path) -> None:
    tls = prepare(files, tmp_path / "data", NOW)
    assert tls is not None
    assert tls.authority is None
    assert await handshake(tls.context, "hub.example", Authority(tmp_path / "elsewhere", NOW).pem)
    assert not (tmp_path / "data").exists()


def test_replaced_files_are_loaded_and_bad_ones_are_not(files: HttpSettings, tmp_path: Path) -> None:
    assert files.certificate is not None
    assert files.key is not None
    tls = Tls(files, tmp_path, NOW)
    chain, key = Authority(tmp_path / "elsewhere", NOW).issue({"hub.example"}, NOW)
    files.certificate.write_bytes(chain)
    assert tls.refresh(NOW) is False  # the key does not fit yet
    files.key.write_bytes(key)
    assert tls.refresh(NOW) is True


def test_files_that_do_not_fit_are_named(files: HttpSettings, tmp_path: Path) -> None:
    assert files.key is not None
    _, other = Authority(tmp_path / "elsewhere", NOW).issue({"hub.example"}, NOW)
    files.key.write_bytes(other)
    with pytest.raises(Invalid, match=r"site\.crt and key .*site\.key cannot be used: they do not belong together\."):
        Tls(files, tmp_path, NOW)


def test_plain_on_loopback_needs_no_files(tmp_path: Path) -> None:
    assert prepare(HttpSettings(), tmp_path, NOW) is None
    assert list(tmp_path.iterdir()) == []
