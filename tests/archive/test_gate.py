"""The store's client goes to the store and nowhere else: not where it is redirected to, not where its name leads to a moment
later, not through somebody's proxy."""

from __future__ import annotations

import base64
import contextlib
import http.server
import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from commhub.addresses import AllowList, parse_store
from commhub.archive import gate as module
from commhub.archive.gate import Gate, addresses
from commhub.archive.placed import Refused
from commhub.archive.s3 import Remote, Terms


class Place:
    """An HTTP server on loopback: what it was asked for, and where it sends its clients."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.headers: list[dict[str, str]] = []
        self.sends = ""
        place = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                place.asked.append((self.command, self.path))
                place.headers.append({name.lower(): value for name, value in self.headers.items()})
                body = b"" if place.sends or self.command == "HEAD" else b"secret"
                self.send_response(302 if place.sends else 206 if self.command == "GET" else 200)
                for name, value in (
                    ("Location", place.sends), ("ETag", '"x"'), ("Last-Modified", "Wed, 21 Oct 2015 07:28:00 GMT"),
                    ("Content-Range", "bytes 0-5/6" if self.command == "GET" else ""),
                    ("Content-Length", str(len(body)) if self.command != "HEAD" else "6"),
                ):  # fmt: skip
                    if value:
                        self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            do_HEAD = do_GET

            def log_message(self, *more: Any) -> None: ...

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()


@pytest.fixture
def places() -> Iterator[tuple[Place, Place]]:
    """The store, and somewhere else."""
    store, other = Place(), Place()
    yield store, other
    for place in (store, other):
        place.server.shutdown()
        place.server.server_close()


def remote(store: Place, **more: object) -> Remote:
    said: dict[str, Any] = {"allow": (f"127.0.0.1:{store.port}",), **more}
    return Remote(Terms(f"http://127.0.0.1:{store.port}", "bucket", "access", "secret-key", **said))


def test_it_passes_what_is_the_stores(places: tuple[Place, Place]) -> None:
    store, other = places
    assert remote(store).head("x").size == 6
    assert remote(store).read("x", 0, 6) == b"secret"
    assert (store.asked, other.asked) == ([("HEAD", "/bucket/x"), ("GET", "/bucket/x")], [])
    assert all(f"127.0.0.1:{store.port}" == headers["host"] for headers in store.headers)
    assert not any("proxy-authorization" in headers for headers in store.headers)


@pytest.mark.parametrize("where", ["http://127.0.0.1:{port}/x", "https://127.0.0.1:{port}/x", "http://localhost:{port}/x"])
def test_a_redirection_is_not_followed(places: tuple[Place, Place], where: str) -> None:
    store, other = places
    store.sends = where.format(port=other.port)
    for ask in (lambda: remote(store).head("x"), lambda: remote(store).read("x", 0, 6)):
        with pytest.raises(Refused, match=r"^The store sends elsewhere \([a-z0-9.:]+\): that is not followed\.$"):
            ask()
    assert store.asked
    assert other.asked == []


def test_a_proxy_of_the_environment_is_not_asked(places: tuple[Place, Place], monkeypatch: pytest.MonkeyPatch) -> None:
    store, other = places
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{other.port}")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert remote(store).head("x").size == 6
    assert other.asked == []


def test_a_name_that_leads_elsewhere_a_moment_later_is_not_believed(
    places: tuple[Place, Place], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each connection is compared, not the first one only."""
    store, _ = places
    found = remote(store)
    assert found.head("x").size == 6
    entry = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.1.2.3", store.port))
    with monkeypatch.context() as patched:
        patched.setattr("commhub.archive.gate.socket.getaddrinfo", lambda *more, **most: [entry])
        with pytest.raises(Refused, match=r"^The address of the store \(10\.1\.2\.3 port \d+\) is not allowed\.$"):
            found.head("x")
    assert len(store.asked) == 1
    assert found.head("x").size == 6


def test_one_address_of_several_that_is_not_allowed_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    place = parse_store("https://store.example:9000")

    def leads(*found: str) -> None:
        entries = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, 9000)) for one in found]
        monkeypatch.setattr("commhub.archive.gate.socket.getaddrinfo", lambda *more, **most: entries)

    leads("10.0.0.1", "10.0.0.2", "10.0.0.1")
    assert addresses(place, AllowList(["10.0.0.0/8:9000"])) == ["10.0.0.1", "10.0.0.2"]
    leads("10.0.0.1", "127.0.0.1")
    with pytest.raises(Refused, match=r"\(127\.0\.0\.1 port 9000\) is not allowed"):
        addresses(place, AllowList(["10.0.0.0/8:9000", "0.0.0.0/0:*"]))
    leads("10.0.0.1")
    for allow in ([], ["10.0.0.0/8:443"], ["192.168.0.0/16:*"]):
        with pytest.raises(Refused, match="is not allowed"):
            addresses(place, AllowList(allow))


def test_this_machine_itself_only_by_an_exact_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    """As for webhooks and cameras: a network never includes the hub's own address."""
    place = parse_store("http://10.0.0.7:9000")
    monkeypatch.setattr("commhub.archive.gate.is_own", lambda address: True)
    with pytest.raises(Refused, match="is not allowed"):
        addresses(place, AllowList(["10.0.0.0/8:9000"]))
    assert addresses(place, AllowList(["10.0.0.7:9000"])) == ["10.0.0.7"]


def said(gate: Gate, request: str) -> bytes:
    port = int(gate.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), 10) as client:
        client.sendall(request.encode())
        out = b""
        with contextlib.suppress(ConnectionError):
            while more := client.recv(4096):
                out += more
        return out


def word(gate: Gate) -> str:
    userinfo = gate.url.removeprefix("http://").rpartition("@")[0]
    return f"Proxy-Authorization: Basic {base64.b64encode(userinfo.encode()).decode()}\r\n"


@pytest.fixture
def gate(places: tuple[Place, Place]) -> Iterator[Gate]:
    store, _ = places
    place = parse_store(f"http://127.0.0.1:{store.port}")
    gate = Gate(place, False, AllowList([f"127.0.0.1:{store.port}"]))
    yield gate
    gate.close()


def test_who_does_not_know_the_secret_gets_nowhere(gate: Gate, places: tuple[Place, Place]) -> None:
    store, _ = places
    url = f"http://127.0.0.1:{store.port}/x"
    for words in ("", "Proxy-Authorization: Basic eDp5\r\n", "Proxy-Authorization: \r\n", "Authorization: x\r\n"):
        assert said(gate, f"GET {url} HTTP/1.1\r\n{words}\r\n").startswith(b"HTTP/1.1 407 ")
    assert store.asked == []
    assert said(gate, f"GET {url} HTTP/1.1\r\n{word(gate)}\r\n").startswith(b"HTTP/1.1 206 ")


@pytest.mark.parametrize(
    "first",
    [
        "CONNECT 127.0.0.1:{port} HTTP/1.1",  # not by TLS: http is what was configured
        "CONNECT 127.0.0.1:{other} HTTP/1.1",
        "GET https://127.0.0.1:{port}/ HTTP/1.1",
        "GET http://127.0.0.1:{other}/ HTTP/1.1",
        "GET http://127.0.0.1/ HTTP/1.1",
        "GET http://127.0.0.1:{port}@127.0.0.1:{other}/ HTTP/1.1",
        "GET http://localhost:{port}/ HTTP/1.1",
        "GET http://[::1]:{port}/ HTTP/1.1",
        "GET http:///x HTTP/1.1",
        "GET /x HTTP/1.1",
    ],
)
def test_what_is_not_the_endpoint(gate: Gate, places: tuple[Place, Place], first: str) -> None:
    store, other = places
    line = first.format(port=store.port, other=other.port)
    assert said(gate, f"{line}\r\n{word(gate)}\r\n").startswith(b"HTTP/1.1 403 ")
    assert (store.asked, other.asked) == ([], [])
    assert gate.refused.startswith("The store sends elsewhere (")


@pytest.mark.parametrize(
    "request_",
    [
        "\r\n\r\n",
        "GET\r\n\r\n",
        "GET {url} HTTP/1.1\r\n{word}transfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "PUT {url} HTTP/1.1\r\n{word}content-length: 3\r\ncontent-length: 4\r\n\r\nabc",
        "PUT {url} HTTP/1.1\r\n{word}content-length: x\r\n\r\nabc",
        "GET {url} HTTP/1.1\r\nx: " + "y" * (1 << 17) + "\r\n\r\n",
    ],
)
def test_what_is_no_request_ends_with_its_connection(gate: Gate, places: tuple[Place, Place], request_: str) -> None:
    store, _ = places
    text = request_.format(url=f"http://127.0.0.1:{store.port}/x", word=word(gate))
    assert said(gate, text)[:13] in (b"HTTP/1.1 502 ", b"HTTP/1.1 403 ", b"")
    assert store.asked == []
    assert said(gate, f"GET http://127.0.0.1:{store.port}/x HTTP/1.1\r\n{word(gate)}\r\n").startswith(b"HTTP/1.1 206 ")


def test_a_store_by_tls_stays_between_client_and_store(tmp_path: Path) -> None:
    context, served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), socket.create_server(("127.0.0.1", 0))
    certificate(tmp_path, context)
    port, threads = served.getsockname()[1], []

    def serve() -> None:
        with served, context.wrap_socket(served.accept()[0], server_side=True) as peer:
            data = b""
            while len(data) < 1 << 20:
                data += peer.recv(1 << 16)
            peer.sendall(data[::-1])

    threads.append(threading.Thread(target=serve, daemon=True))
    threads[0].start()
    gate = Gate(parse_store(f"https://127.0.0.1:{port}"), True, AllowList([f"127.0.0.1:{port}"]))
    client = socket.create_connection(("127.0.0.1", int(gate.url.rpartition(":")[2])), 20)
    client.sendall(f"CONNECT 127.0.0.1:{port} HTTP/1.1\r\n{word(gate)}\r\n".encode())
    assert client.recv(4096).startswith(b"HTTP/1.1 200 ")
    trusting = ssl.create_default_context(cafile=tmp_path / "crt")
    trusting.check_hostname = False
    sent = bytes(range(256)) * 4096
    with trusting.wrap_socket(client) as tls:
        tls.sendall(sent)
        data = b""
        while len(data) < len(sent):
            data += tls.recv(1 << 16)
    assert data == sent[::-1]
    threads[0].join(10)
    gate.close()


def certificate(folder: Path, context: ssl.SSLContext) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "store")])
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC)).not_valid_after(datetime(2100, 1, 1, tzinfo=UTC))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True).sign(key, hashes.SHA256())
    )  # fmt: skip
    (folder / "crt").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    (folder / "key").write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
    context.load_cert_chain(folder / "crt", folder / "key")


def test_it_ends_with_its_remote(places: tuple[Place, Place], monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[Gate] = []
    monkeypatch.setattr(module.Gate, "close", lambda gate: closed.append(gate))
    one = remote(places[0])
    one.head("x")
    del one
    assert len(closed) == 1
