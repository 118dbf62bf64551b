"""Files of the browser client, the CA's page, health, and bytes of recordings."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import sqlalchemy as sa

from commhub.api.pages import POLICY
from commhub.model import new_id, utc_ns
from commhub.store import tables
from tests.support.hubs import Hub, serving


def build(folder: Path) -> Path:
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html><title>hub</title>")
    (folder / "assets" / "index-CP4IHyV0.js").write_text("1")
    (folder / "favicon.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    (folder.parent / "secret.txt").write_text("secret")
    return folder


async def test_pages_and_files(tmp_path: Path) -> None:
    async with serving(tmp_path / "data", static=build(tmp_path / "static")) as hub, hub.browser() as page:
        for path in ("/", "/room/01K0", "/review/x?y=1"):
            async with await page.raw("GET", path) as response:
                assert (response.status, response.content_type) == (200, "text/html")
                assert response.headers["Content-Security-Policy"] == POLICY
                assert response.headers["Cache-Control"] == "no-cache"
                assert "camera=(self)" in response.headers["Permissions-Policy"]
                assert "<title>hub" in await response.text()
        async with await page.raw("GET", "/assets/index-CP4IHyV0.js") as response:
            assert response.content_type in ("text/javascript", "application/javascript")
            assert "immutable" in response.headers["Cache-Control"]
        async with await page.raw("GET", "/favicon.svg") as response:
            assert response.content_type == "image/svg+xml"
            assert response.headers["Cache-Control"] == "no-cache"
        for path in ("/assets/gone.js", "/..%2fsecret.txt", "/%2e%2e/secret.txt", "/assets/..%2f..%2fsecret.txt", "/a%00.js"):
            async with await page.raw("GET", path) as response:
                assert response.status in (400, 404), path
                assert "secret" not in await response.text()
        async with await page.raw("POST", "/room/01K0") as response:
            assert response.status == 405


@pytest.mark.parametrize("directive", ["script-src 'self'", "object-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"])
def test_the_policy_is_strict(directive: str) -> None:
    assert directive in POLICY.split("; ")
    assert "unsafe-eval" not in POLICY
    assert "*" not in POLICY


async def test_without_a_built_client_it_says_how_to_build_it(tmp_path: Path) -> None:
    async with (
        serving(tmp_path, static=tmp_path / "nothing") as hub,
        hub.browser() as page,
        await page.raw("GET", "/") as response,
    ):
        assert response.status == 503
        assert "npm --prefix web run build" in (await response.json(content_type=None))["detail"]


async def test_health(tmp_path: Path) -> None:
    async with serving(tmp_path) as hub, hub.browser() as page:
        async with await page.raw("GET", "/healthz") as response:
            assert (response.status, await response.json()) == (200, {"status": "ok", "parts": {"media-0": True}})
        hub.health["media-0"] = False
        async with await page.raw("GET", "/healthz") as response:
            assert (response.status, (await response.json())["status"]) == (503, "unavailable")


async def test_the_ca_is_handed_out_with_its_fingerprint_and_a_code_to_scan(tmp_path: Path) -> None:
    certificate = tmp_path / "ca.crt"
    certificate.write_text("-----BEGIN CERTIFICATE-----\n")
    async with serving(tmp_path / "data", ca=(certificate, "AB:CD<")) as hub, hub.browser() as page:
        async with await page.raw("GET", "/ca", headers={"Host": 'hub.example"><script>'}) as response:
            text = await response.text()
            assert "<script>" not in text
        async with await page.raw("GET", "/ca") as response:
            text = await response.text()
            assert "AB:CD&lt;" in text
            assert re.search(r"<svg[^>]*>.*<path", text, re.DOTALL)
            assert f"{page.base}/ca" in text
        async with await page.raw("GET", "/ca.crt") as response:
            assert response.content_type == "application/x-x509-ca-cert"
            assert (await response.text()).startswith("-----BEGIN")
    async with (
        serving(tmp_path / "other", static=build(tmp_path / "static")) as hub,
        hub.browser() as page,
        await page.raw("GET", "/ca.crt") as response,
    ):
        assert response.status == 404  # a hub with bought certificates has none to hand out


async def recorded(hub: Hub, data: bytes) -> str:
    id = new_id()
    row = {
        "id": id, "consultation_id": new_id(), "org_id": hub.ids["ops"], "label": "internal", "title": "T", "code": "C",
        "started_at": utc_ns(), "duration_ms": 1, "state": "complete", "tracks": 1, "bytes": 1, "people": "[]",
    }  # fmt: skip
    async with hub.parts.store.transaction() as transaction:
        await transaction.insert(tables.recordings, row)
    folder = hub.folder / "recordings" / id
    segment = {"file": "0001.webm", "mime": "audio/webm; codecs=opus", "start_ms": 0, "duration_ms": 1, "bytes": len(data)}
    track = {"id": "0001", "identity": "x", "kind": "audio", "source": "microphone", "codec": "opus", "segments": [segment]}
    _write(folder, {"tracks": [track]}, data)
    return id


def _write(folder: Path, manifest: object, data: bytes) -> None:
    (folder / "tracks" / "0001").mkdir(parents=True)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (folder / "tracks" / "0001" / "0001.webm").write_bytes(data)


async def test_bytes_of_a_recording_by_range(tmp_path: Path) -> None:
    data = bytes(range(256)) * 5000
    async with serving(tmp_path) as hub, hub.browser("reviewer") as page, hub.browser("dispatcher") as other:
        id = await recorded(hub, data)
        shown = await page.ok("GET", f"/recordings/{id}")
        url = shown["tracks"][0]["segments"][0]["url"]
        assert url == f"/api/v1/recordings/{id}/media/0001/0001.webm"
        for header, status, expected in (
            ("", 200, data),
            ("bytes=0-", 206, data),
            ("bytes=1000-1999", 206, data[1000:2000]),
            ("bytes=-100", 206, data[-100:]),
            (f"bytes={len(data)}-", 416, None),
        ):
            async with await page.raw("GET", url, headers={"Range": header} if header else {}) as response:
                assert response.status == status, header
                body = await response.read()
                if expected is not None:
                    assert body == expected
                    assert response.content_type == "audio/webm"
                    assert response.headers["Accept-Ranges"] == "bytes"
                    assert "no-cache" in response.headers["Cache-Control"]
        async with await other.raw("GET", url) as response:
            assert response.status == 403
        # The right is asked for at every range.
        async with hub.parts.store.transaction() as transaction:
            await transaction.run(sa.delete(tables.grants).where(tables.grants.c.person_id == hub.ids["he-ruolan"]))
        async with await page.raw("GET", url, headers={"Range": "bytes=0-9"}) as response:
            assert response.status == 403
