"""The browser client's files, the page that hands out the hub's CA, and what every answer carries for the browser's sake."""

from __future__ import annotations

import base64
import hashlib
import html
import io
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from aiohttp import web

from commhub.api.gate import guarded
from commhub.errors import NotFound, Unavailable

STATIC = Path(__file__).parents[1] / "static"
#: Scripts and connections are our own only; blob: is the player's and the recorder's media, data: small pictures.
POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self'",
        "style-src 'self'",  # styles set by scripts are no inline styles
        "img-src 'self' data: blob:",
        "media-src 'self' blob: mediastream:",
        "connect-src 'self'",
        "worker-src 'self' blob:",
        "font-src 'self'",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_PAGE_HEADERS = {
    "Content-Security-Policy": POLICY,
    "Permissions-Policy": "camera=(self), microphone=(self), display-capture=(self), geolocation=()",
    "X-Frame-Options": "DENY",
}
_HASHED = re.compile(r"-[A-Za-z0-9_-]{8,}\.\w+$")


async def harden(request: web.Request, response: web.StreamResponse) -> None:
    """For ``on_response_prepare``: every answer of the hub, whoever gave it."""
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    if response.content_type == "text/html":
        for name, value in _PAGE_HEADERS.items():
            response.headers.setdefault(name, value)


def client(folder: Path = STATIC) -> Callable[[web.Request], Awaitable[Any]]:
    """Files of the built client; any other address is one of its pages and gets ``index.html``."""

    async def serve(request: web.Request) -> web.StreamResponse:
        path = request.match_info.get("path", "")
        if path.startswith("api/"):
            raise NotFound("There is nothing at this address.", "此地址没有内容。")
        file = _file(folder, path)
        if file is None and "." in path.rpartition("/")[2]:
            raise NotFound("There is no such file.", "没有这个文件。")
        file = file or _file(folder, "index.html")
        if file is None:
            raise Unavailable(
                "The browser client is not built: run `npm --prefix web run build`.",
                "浏览器端尚未构建：请运行 npm --prefix web run build。",
                code="not_built",
            )
        response = web.FileResponse(file)
        hashed = path.startswith("assets/") and _HASHED.search(path)
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if hashed else "no-cache"
        return response

    return guarded(serve)


def _file(folder: Path, path: str) -> Path | None:
    if not path or "\0" in path:
        return None
    try:
        file = (folder / path).resolve(strict=True)
    except (OSError, ValueError):
        return None
    return file if file.is_relative_to(folder.resolve()) and file.is_file() else None


def ca_file(certificate: Path) -> Callable[[web.Request], Awaitable[Any]]:
    async def serve(request: web.Request) -> web.StreamResponse:
        response = web.FileResponse(certificate)
        response.content_type = "application/x-x509-ca-cert"
        response.headers["Content-Disposition"] = 'attachment; filename="commhub-ca.crt"'
        return response

    return guarded(serve)


def ca_page(fingerprint: str, origin: Callable[[web.Request], str]) -> Callable[[web.Request], Awaitable[Any]]:
    """How to trust this hub from another device; the QR code opens this page there."""
    digest = f"sha256-{base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()}"

    async def serve(request: web.Request) -> web.StreamResponse:
        here = f"{origin(request)}/ca"
        text = _CA.format(style=_STYLE, here=html.escape(here), picture=_qr(here), fingerprint=html.escape(fingerprint))
        response = web.Response(text=text, content_type="text/html", charset="utf-8")
        response.headers["Content-Security-Policy"] = f"default-src 'none'; style-src '{digest}'; frame-ancestors 'none'"
        return response

    return guarded(serve)


def _qr(text: str) -> str:
    import qrcode.image.svg  # a tenth of a second of a start, for a page that is opened once

    code = qrcode.QRCode(border=2, image_factory=qrcode.image.svg.SvgPathImage)
    code.add_data(text)
    buffer = io.BytesIO()
    code.make_image().save(buffer)
    svg = buffer.getvalue().decode()
    return svg[svg.index("<svg") :]


_STYLE = """
body{margin:0;background:#14181b;color:#d7dde0;font:16px/1.7 system-ui,"Noto Sans CJK SC","Microsoft YaHei",sans-serif}
main{max-width:720px;margin:0 auto;padding:40px 20px}
h1{font-size:24px} h2{font-size:18px;margin-top:32px} a.button{display:inline-block;padding:10px 20px;background:#2f9c95;
color:#08110f;border-radius:6px;text-decoration:none;font-weight:600}
svg{width:200px;height:200px;background:#fff;border-radius:6px} code{word-break:break-all;color:#9fb0b5} .en{color:#9fb0b5}
"""
_CA = """<!doctype html>
<html lang="zh-CN"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>安装根证书 · CommHub</title>
<style>{style}</style></head><body><main>
<h1>在这台设备上信任本中心</h1>
<p>本中心使用自建的根证书。安装一次后，浏览器才允许使用摄像头和麦克风。</p>
<p class="en">This hub uses a root certificate of its own. Install it once; only then browsers allow camera and microphone.</p>
<p><a class="button" href="/ca.crt" download>下载根证书 · Download</a></p>
<p>安装前请核对指纹（SHA-256）· Check the fingerprint first:<br><code>{fingerprint}</code></p>
<h2>手机扫码打开本页 · Open this page on a phone</h2>
<p>{picture}</p><p><code>{here}</code></p>
<h2>安装方法 · How to install</h2>
<ul>
<li>Windows：双击证书 → 安装证书 → 本地计算机 → 受信任的根证书颁发机构。</li>
<li>macOS：双击加入“钥匙串访问”，再设为“始终信任”。</li>
<li>iOS：设置 → 已下载描述文件 → 安装；再到 设置 → 通用 → 关于本机 → 证书信任设置 中启用。</li>
<li>Android：设置 → 安全 → 加密与凭据 → 安装证书 → CA 证书。</li>
<li>Linux：放入 /usr/local/share/ca-certificates 后运行 update-ca-certificates；Firefox、Chromium 在设置中导入。</li>
</ul>
</main></body></html>
"""
