"""The only way to the S3 store: a proxy on loopback that connects to the store's address and to nothing else.

The store's client is not ours. It follows redirections, resolves names anew for each connection, and takes a proxy out of the
environment; so wherever a store (or who answers for its name) points to, it would go, from inside of our network. Here each
connection is compared with the endpoint and with what is allowed, and the address that passed is the one that is connected.

https: ``CONNECT`` (RFC 9110 §9.3.6), so what is inside stays between client and store. http: one request for each connection
(RFC 9112 §3.2.2, §9.6). Who does not know the secret is refused.
"""

from __future__ import annotations

import base64
import contextlib
import secrets
import selectors
import socket
import threading

from commhub import log as logs
from commhub.addresses import AllowList, Place, is_own, plain
from commhub.archive.placed import Refused

log = logs.get(__name__)
_HEAD = 64 << 10  # bytes of a request's or an answer's head
_BLOCK = 256 << 10
_CONNECT, _IDLE = 5.0, 120.0  # s
_ONE_HOP = frozenset({"connection", "keep-alive", "proxy-authorization", "proxy-connection", "te", "upgrade"})


def addresses(place: Place, allow: AllowList) -> list[str]:
    """What the store's name leads to now, all of it allowed. :class:`Refused`."""
    try:
        entries = socket.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise Refused(f"The address of the store is not found: {error.strerror}.") from None
    found = list(dict.fromkeys(str(entry[4][0]) for entry in entries))
    for address in found:
        if not allow.permits(address, place.port, own=is_own(plain(address))):
            raise Refused(f"The address of the store ({address} port {place.port}) is not allowed.")
    return found


class Gate:
    """To ``place``, by TLS or not. Listens from the beginning on, until :meth:`close`."""

    def __init__(self, place: Place, secure: bool, allow: AllowList) -> None:
        self._place, self._secure, self._allow = place, secure, allow
        self._secret = secrets.token_urlsafe(32)
        self._word = "Basic " + base64.b64encode(f"store:{self._secret}".encode()).decode()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.refused = ""  # the last time somebody was sent elsewhere, and why
        threading.Thread(target=self._accept, name="store", daemon=True).start()

    @property
    def url(self) -> str:
        """With the secret."""
        return f"http://store:{self._secret}@127.0.0.1:{self._listener.getsockname()[1]}"

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), name="store", daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client:
            client.settimeout(_IDLE)
            try:
                self._pass(client)
            except Refused as refused:
                self.refused = refused.args[0]
                if (suppressed := logs.limited("store's address", 60)) is not None:
                    log.warning("the store is not connected", reason=self.refused, suppressed=suppressed)
                _say(client, 403)
            except (OSError, ValueError):
                _say(client, 502)

    def _pass(self, client: socket.socket) -> None:
        """Refused, OSError, ValueError."""
        head, rest = _head(client)
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ", 2)
        fields = [(name.strip().lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
        said = dict(fields)
        tunnel = method == "CONNECT"
        scheme, _, behind = target.partition("://")
        authority, slash, path = (target, "", "") if tunnel else behind.partition("/")
        self._compare(authority, secure=tunnel or scheme.lower() != "http")
        if not secrets.compare_digest(said.get("proxy-authorization", "").encode(), self._word.encode()):
            _say(client, 407)
            return
        if tunnel:
            with self._connected() as store:
                client.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
                store.sendall(rest)
                _relay(client, store)
            return
        if "transfer-encoding" in said or sum(name == "content-length" for name, _ in fields) > 1:
            raise ValueError("The size of a request is not said once.")
        kept = [f"{name}: {value}" for name, value in fields if name not in _ONE_HOP]
        with self._connected() as store:
            store.sendall(
                "\r\n".join([f"{method} {slash or '/'}{path} HTTP/1.1", *kept, "connection: close", "", ""]).encode("latin-1")
            )
            self._body(client, store, rest, int(said.get("content-length", "0")))
            answer, more = _head(store)
            lines = [line for line in answer.decode("latin-1").split("\r\n") if line.partition(":")[0].lower() not in _ONE_HOP]
            client.sendall("\r\n".join([*lines, "connection: close", "", ""]).encode("latin-1") + more)
            _relay(client, store)

    def _compare(self, authority: str, *, secure: bool) -> None:
        """Is it the endpoint that is asked for?"""
        host, _, port = authority.rpartition(":") if not authority.endswith("]") else (authority, "", "")
        host, port = (host, port) if port.isdecimal() else (authority, "")
        place = (host.strip("[]").lower(), int(port or (443 if secure else 80)))
        if secure != self._secure or place != (self._place.host.lower(), self._place.port):
            raise Refused(f"The store sends elsewhere ({authority[:100]}): that is not followed.")

    def _connected(self) -> socket.socket:
        """To an address that is allowed at this moment."""
        found, last = addresses(self._place, self._allow), OSError("There is no address")
        for address in found:
            try:
                store = socket.create_connection((address, self._place.port), _CONNECT)
            except OSError as error:
                last = error
                continue
            store.settimeout(_IDLE)
            store.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return store
        raise last

    def _body(self, client: socket.socket, store: socket.socket, rest: bytes, size: int) -> None:
        store.sendall(rest[:size])
        left = size - len(rest)
        while left > 0:
            data = client.recv(min(_BLOCK, left))
            if not data:
                raise ValueError("A request is torn.")
            store.sendall(data)
            left -= len(data)


def _head(peer: socket.socket) -> tuple[bytes, bytes]:
    """A head without its end, and what came behind. ValueError, OSError."""
    data = b""
    while (end := data.find(b"\r\n\r\n")) < 0:
        if len(data) > _HEAD or not (more := peer.recv(_BLOCK)):
            raise ValueError("A head is torn, or larger than the limit.")
        data += more
    return data[:end], data[end + 4 :]


def _relay(one: socket.socket, other: socket.socket) -> None:
    """Until both have said all, or nothing is said for long."""
    with selectors.DefaultSelector() as selector:
        selector.register(one, selectors.EVENT_READ, other)
        selector.register(other, selectors.EVENT_READ, one)
        while selector.get_map():
            ready = selector.select(_IDLE)
            if not ready:
                return
            for key, _ in ready:
                given, to = key.fileobj, key.data
                assert isinstance(given, socket.socket)
                if data := given.recv(_BLOCK):
                    to.sendall(data)
                    continue
                selector.unregister(given)
                with contextlib.suppress(OSError):
                    to.shutdown(socket.SHUT_WR)


def _say(client: socket.socket, status: int) -> None:
    with contextlib.suppress(OSError):
        client.sendall(f"HTTP/1.1 {status} -\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".encode())
