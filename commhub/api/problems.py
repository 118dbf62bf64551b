"""Errors as RFC 9457 problem details, in the reader's language."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web
from pydantic import ValidationError

from commhub.errors import Busy, HubError, Invalid, NotNow, Unfit

TYPE = "application/problem+json"
_TITLES = {
    400: ("请求有误", "Bad request"),
    401: ("需要登录", "Not signed in"),
    403: ("没有权限", "Forbidden"),
    404: ("不存在", "Not found"),
    405: ("方法不允许", "Method not allowed"),
    409: ("状态冲突", "Conflict"),
    413: ("内容过大", "Too large"),
    415: ("格式不支持", "Unsupported media type"),
    416: ("范围不可用", "Range not satisfiable"),
    422: ("内容不成立", "Unprocessable content"),
    428: ("缺少条件", "Precondition required"),
    429: ("请求过多", "Too many requests"),
    500: ("内部错误", "Internal error"),
    503: ("暂不可用", "Unavailable"),
}


def language(header: str) -> str:
    """``zh`` or ``en`` by Accept-Language (RFC 9110 §12.5.4); Chinese when it says neither."""
    best, best_q = "zh", 0.0
    for item in header[:500].split(","):
        tag, _, parameter = item.partition(";")
        name = tag.strip().lower().split("-")[0]
        try:
            q = float(parameter.strip().removeprefix("q=")) if parameter.strip() else 1.0
        except ValueError:
            continue
        if name in ("zh", "en") and q > best_q:
            best, best_q = name, q
    return best


class Malformed(Invalid):
    """The request does not fit its schema; ``errors`` names the places."""

    def __init__(self, errors: list[dict[str, str]]) -> None:
        super().__init__("The request does not fit what this address takes.", "请求内容不符合要求。")
        self.errors = errors


def malformed(error: ValidationError, where: str) -> Malformed:
    """``where`` is ``body`` or ``query``."""
    return Malformed(
        [
            {"where": ".".join([where, *map(str, one["loc"])]), "text": one["msg"]}
            for one in error.errors(include_url=False, include_input=False, include_context=False)[:20]
        ]
    )


def problem(error: HubError, request: web.Request, headers: Mapping[str, str] | None = None) -> web.Response:
    english = language(request.headers.get("Accept-Language", "")) == "en"
    titles = _TITLES.get(error.status, _TITLES[500])
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": titles[1] if english else titles[0],
        "status": error.status,
        "detail": error.message if english else error.message_zh,
        "code": error.code,
    }
    if isinstance(error, Malformed | Unfit):
        body["errors"] = error.errors
    if isinstance(error, NotNow):
        body["allowed"] = error.allowed
    text = json.dumps(body, ensure_ascii=False)
    response = web.Response(text=text, status=error.status, content_type=TYPE, charset="utf-8", headers=headers)
    response.headers["Content-Language"] = "en" if english else "zh-CN"
    if isinstance(error, Busy) and error.retry_after:
        response.headers["Retry-After"] = str(error.retry_after)
    return response
