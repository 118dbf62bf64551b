"""An S3-compatible server (moto) as a process of its own, which can be killed and begun again."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator

import obstore
from obstore.store import S3Store

from commhub.archive.s3 import Remote, Terms
from tests.support import free_port

KEYS = ("testing", "testing-secret")
BUCKET = "recordings"
# Its words for people go nowhere; it listens on loopback, as everything here.
PROGRAM = "import sys; from moto.server import main; main(['-H', '127.0.0.1', '-p', sys.argv[1]])"


class S3:
    """In memory: what it held is gone when it was killed."""

    def __init__(self) -> None:
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self, *, bucket: bool = True) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(self.port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 60
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                break
            assert time.monotonic() < deadline, "moto has not begun"
            time.sleep(0.05)
        if bucket:
            self.make_bucket()

    def make_bucket(self) -> None:
        request = urllib.request.Request(
            f"{self.endpoint}/{BUCKET}", method="PUT", headers={"Authorization": "AWS4-HMAC-SHA256 Credential=x/x/us-east-1/s3/x"}
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=30):
            pass

    def kill(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def terms(self, **more: object) -> Terms:
        values: dict[str, object] = {"prefix": "city/hub", "allow": (f"127.0.0.1:{self.port}",)}
        return Terms(self.endpoint, BUCKET, *KEYS, **{**values, **more})  # type: ignore[arg-type]

    def remote(self) -> Remote:
        return Remote(self.terms())

    def client(self) -> S3Store:
        """Past everything that is tested."""
        return S3Store(
            BUCKET, endpoint=self.endpoint, region="us-east-1", access_key_id=KEYS[0], secret_access_key=KEYS[1],
            virtual_hosted_style_request=False, client_options={"allow_http": True},
        )  # fmt: skip

    def empty(self) -> None:
        if self._process is None:
            self.start()
        for name in self.objects():
            obstore.delete(self.client(), name)

    def delete(self, name: str) -> None:
        obstore.delete(self.client(), name)

    def put(self, name: str, data: bytes) -> None:
        obstore.put(self.client(), name, data)

    def objects(self) -> dict[str, bytes]:
        client = self.client()
        names = [one["path"] for page in obstore.list(client) for one in page]
        return {name: obstore.get(client, name).bytes().to_bytes() for name in names}


@contextlib.contextmanager
def serving() -> Iterator[S3]:
    server = S3()
    try:
        server.start()
        yield server
    finally:
        server.kill()
