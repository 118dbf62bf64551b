"""HTTPS without an administrator's help: the certificate of files, or one of the hub's own CA.

The CA is made at the first start in `<data_dir>/tls/`: ECDSA P-256, ten years, allowed to sign end certificates
only. Its certificate for the hub holds for 397 days (what browsers accept at most) and every address and name of
this machine; it is issued again when one is added and thirty days before it ends. A terminal that has installed
the CA (`pem`, `der`, `fingerprint`) then trusts the hub, and its browser hands out camera and microphone.
"""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Iterable
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from commhub import log as logs
from commhub import machine
from commhub.errors import Invalid
from commhub.settings import HttpSettings

log = logs.get(__name__)

CA_LIFE = timedelta(days=3652)
LEAF_LIFE = timedelta(days=397)
RENEW_BEFORE = timedelta(days=30)
# Clocks of terminals are behind now and then; a certificate from the future would be refused.
BACKDATED = timedelta(days=1)


def machine_names(public_url: str = "") -> set[str]:
    """What browsers may call this machine: its addresses, its name (also by mDNS), the public one."""
    host = socket.gethostname().lower()
    names = {str(address) for address in machine.addresses()} | {"127.0.0.1", "::1", "localhost"}
    if host.isascii() and host.replace("-", "").replace(".", "").isalnum():
        names |= {host} if "." in host else {host, f"{host}.local"}
    if public := urlsplit(public_url).hostname:
        names.add(public)
    return names


class Authority:
    """The hub's own CA, in `directory`; made there when there is none yet.

    Invalid when its files are there but cannot be used: they are never replaced, since terminals trust them.
    """

    def __init__(self, directory: Path, now: datetime) -> None:
        self._certificate_file, self._key_file = directory / "ca.crt", directory / "ca.key"
        if not self._certificate_file.exists() and not self._key_file.exists():
            self._make(directory, now)
        try:
            self.certificate = x509.load_pem_x509_certificate(self._certificate_file.read_bytes())
            self._key = _load_key(self._key_file)
            if self._key.public_key() != self.certificate.public_key():
                raise ValueError("certificate and key do not belong together")
        except (OSError, ValueError) as error:
            raise Invalid(
                f"The hub's CA in {directory} cannot be used ({error}). Restore ca.crt and ca.key from a backup, or "
                "delete both: then a new CA is made, which every terminal must install again.",
                f"{directory} 中的自建 CA 无法使用（{error}）。请从备份恢复 ca.crt 和 ca.key；"
                "或将两者删除以新建 CA，此后所有终端须重新安装。",
            ) from None

    def _make(self, directory: Path, now: datetime) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name(
            [
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, "CommHub"),
                # The date tells two CAs of one machine apart in a terminal's list.
                x509.NameAttribute(NameOID.COMMON_NAME, f"CommHub CA {socket.gethostname()} {now:%Y-%m-%d}"[:64]),
            ]
        )
        certificate = (
            _builder(name, name, key, now, now + CA_LIFE)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .sign(key, hashes.SHA256())
        )
        # The key first: a certificate without key would look like a damaged CA.
        _write_private(self._key_file, _key_bytes(key))
        _write_private(self._certificate_file, certificate.public_bytes(serialization.Encoding.PEM))
        log.info("own CA made", fingerprint=_fingerprint(certificate))

    @property
    def pem(self) -> bytes:
        """The CA's certificate, as Linux, iOS and browsers import it."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def der(self) -> bytes:
        """The CA's certificate, as Android and Windows import it (`application/x-x509-ca-cert`)."""
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the certificate, `AB:CD:…`, to compare by eye before it is trusted."""
        return _fingerprint(self.certificate)

    def issue(self, names: Iterable[str], now: datetime) -> tuple[bytes, bytes]:
        """A certificate (PEM, with the CA's behind it) and its fresh private key (PEM) for DNS names and addresses."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "CommHub")])
        authority_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        ends = min(now + LEAF_LIFE, self.certificate.not_valid_after_utc)
        certificate = (
            _builder(subject, self.certificate.subject, key, now, ends)
            .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in sorted(names)]), False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(authority_key, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        return certificate.public_bytes(serialization.Encoding.PEM) + self.pem, _key_bytes(key)


class Tls:
    """What the HTTPS port needs. `context` stays the same object: `refresh` changes the certificate inside."""

    def __init__(self, http: HttpSettings, directory: Path, now: datetime) -> None:
        """`directory` is the hub's own for keys. Invalid when files cannot be used."""
        self._public_url = http.public_url
        self.authority: Authority | None = None
        if http.certificate is not None and http.key is not None:
            self._certificate_file, self._key_file = http.certificate, http.key
        else:
            self.authority = Authority(directory, now)
            self._certificate_file, self._key_file = directory / "hub.crt", directory / "hub.key"
            self._issue_if_needed(self.authority, now)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.context.set_alpn_protocols(["http/1.1"])
        self._loaded = self._load()

    def refresh(self, now: datetime) -> bool:
        """Call it once an hour or so: issues or reloads the certificate when due. True when new connections get
        another one. Files that have become unusable are logged and the certificate in use stays."""
        try:
            if self.authority is not None:
                self._issue_if_needed(self.authority, now)
            if self._stamp() == self._loaded:
                return False
            self._loaded = self._load()
        except (Invalid, OSError) as error:
            log.error("certificate not renewed", reason=str(error))
            return False
        log.info("certificate renewed")
        return True

    def _stamp(self) -> tuple[float, float]:
        return self._certificate_file.stat().st_mtime, self._key_file.stat().st_mtime

    def _load(self) -> tuple[float, float]:
        try:
            stamp = self._stamp()
            # A password must not be asked for on a terminal that nobody watches.
            self.context.load_cert_chain(self._certificate_file, self._key_file, password=lambda: b"")
        except (OSError, ssl.SSLError, ValueError) as error:
            reason = "they do not belong together" if "MISMATCH" in str(error) else str(error)
            raise Invalid(
                f"Certificate {self._certificate_file} and key {self._key_file} cannot be used: {reason}.",
                f"证书 {self._certificate_file} 与私钥 {self._key_file} 无法使用：{reason}。",
            ) from None
        return stamp

    def _issue_if_needed(self, authority: Authority, now: datetime) -> None:
        names = machine_names(self._public_url)
        if self._holds(authority, names, now):
            return
        chain, key = authority.issue(names, now)
        _write_private(self._key_file, key)
        _write_private(self._certificate_file, chain)
        log.info("certificate issued", names=sorted(names))

    def _holds(self, authority: Authority, names: set[str], now: datetime) -> bool:
        try:
            certificate = x509.load_pem_x509_certificate(self._certificate_file.read_bytes())
            certificate.verify_directly_issued_by(authority.certificate)
            stated = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            if _load_key(self._key_file).public_key() != certificate.public_key():
                return False
        except (OSError, ValueError, InvalidSignature, x509.ExtensionNotFound):
            return False
        if certificate.not_valid_after_utc - now < RENEW_BEFORE or certificate.not_valid_before_utc > now:
            return False
        return names <= {str(name.value) for name in stated}


def prepare(http: HttpSettings, data_dir: Path, now: datetime) -> Tls | None:
    """The hub's TLS as configured; None where it speaks plain HTTP (on loopback, or behind a proxy)."""
    return Tls(http, data_dir / "tls", now) if http.secure else None


# ---- pieces


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime, ends: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        # Both days count, so the whole stays within the limit.
        .not_valid_after(ends - BACKDATED)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _fingerprint(certificate: x509.Certificate) -> str:
    return certificate.fingerprint(hashes.SHA256()).hex(":").upper()


def _key_bytes(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def _load_key(file: Path) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(file.read_bytes(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError(f"{file.name} is no EC key")
    return key


def _write_private(file: Path, data: bytes) -> None:
    """Whole or not at all, for this user only."""
    part = file.with_name(file.name + ".part")
    part.unlink(missing_ok=True)
    with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())
    part.replace(file)
