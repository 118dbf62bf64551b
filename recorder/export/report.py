"""The report of an evidence bundle: a page in Chinese that can be printed. No I/O, no clock."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any

from recorder.export.recipe import Part
from recorder.export.taken import Taken
from recorder.export.words import GAPS

_SOURCES = {"microphone": "麦克风", "camera": "摄像头", "screen_share": "屏幕", "screen_share_audio": "屏幕声音"}
_STATES = {"recording": "仍在录制", "complete": "完整结束", "repaired": "异常中断后修复", "failed": "失败"}
_STYLE = """
body{font:14px/1.6 "Noto Sans CJK SC","Microsoft YaHei","PingFang SC",sans-serif;
max-width:60em;margin:2em auto;padding:0 1em;
color:#111;background:#fff}h1{font-size:22px}h2{font-size:16px;border-bottom:1px solid #999;margin-top:1.6em}
table{border-collapse:collapse;width:100%}td,th{border:1px solid #bbb;padding:2px 6px;text-align:left;vertical-align:top}
th{background:#eee;font-weight:600}.d{font:12px/1.4 monospace;word-break:break-all}pre{background:#f4f4f4;padding:.6em;
white-space:pre-wrap;word-break:break-all}.e{color:#666}@media print{body{margin:0;max-width:none}h2{break-after:avoid}
tr{break-inside:avoid}}"""


@dataclass(frozen=True, slots=True)
class Said:
    """Who exports, when (local time as it is read); ``offset`` of that local time from UTC (seconds)."""

    export: str
    by: str
    at: str
    offset: int
    key: str
    algorithm: str


def page(taken: Taken, said: Said, parts: Sequence[Part], keys: Sequence[dict[str, Any]]) -> bytes:
    manifest, document = taken.manifest, taken.document
    zone = timezone(timedelta(seconds=said.offset))
    body = [
        f"<h1>录制证据报告 <span class=e>Recording evidence report</span></h1><h2>{_t(manifest.title or taken.session)}</h2>",
        _table(
            [],
            [
                ["会话编号 Session", str(taken.session)],
                ["开始 Started", _when(manifest.started_at // 1_000_000, zone)],
                ["结束 Ended", _when(document["ended_at"], zone) if document["ended_at"] else "仍在录制 still being recorded"],
                ["时长 Length", _clock(document["duration_ms"])],
                ["状态 State", _STATES.get(str(document["state"]), str(document["state"]))],
                ["导出范围 Exported", _range(taken)],
                ["导出 By, at", f"{said.by} {said.at}　{said.export}"],
                ["签名 Signatures", _signatures(taken)],
                ["签名密钥 Key", f"{said.key}（{said.algorithm}）"],
            ],
        ),
        "<h2>参加者 People</h2>",
        _table(["姓名 Name", "单位 Organisation", "标识 Identity"], _people(taken)),
        "<h2>轨道 Tracks</h2>",
        _table(["轨道 Track", "谁 Who", "来源 Source", "编码 Codec", "文件与位置 Files"], _tracks(taken)),
        "<h2>缺失 Gaps</h2>",
        _table(["轨道 Track", "从 From", "到 To", "原因 Reason"], _gaps(taken)) if document["gaps"] else "<p>无 none</p>",
        "<h2>文件与摘要 Files and digests</h2>",
        _table(
            ["文件 File", "字节 Bytes", f"摘要 Digest（{_t(said.algorithm)}）"],
            [[p.name, str(p.size), p.digest] for p in parts],
            2,
        ),
        "<h2>公钥历史 Public keys</h2>",
        _table(
            ["编号 Id", "算法 Algorithm", "公钥 Public key", "由谁签出 Signed by"],
            [[str(one["id"]), str(one["algorithm"]), str(one["public"]), str(one["before"] or "—")] for one in keys],
            2,
        ),
        _how(),
    ]
    text = (
        f'<!doctype html><html lang="zh-CN"><meta charset="utf-8"><title>{_t(manifest.title or taken.session)}</title>'
        f"<style>{_STYLE}</style><body>{''.join(body)}</body></html>"
    )
    return text.encode()


def _how() -> str:
    return """<h2>如何核验 How to verify</h2>
<p>本包内的每个字节都有签名：流水（journal）由录制时每隔数秒的签名相连，
流水中记有每个媒体文件每一段的摘要；其余文件由 export.json 签名。
任何字节被改动、删除、调换或截断，核验程序都会指出是哪个文件、第几秒。核验只需要公钥，不需要网络。</p>
<pre>python3 verify.pyz 证据包.zip --keys history.json      # 需要 Python 3.11 及 cryptography、msgspec；国密签名另需 gmssl-pyx
commhub verify 证据包.zip --keys history.json</pre>
<p><b>公钥请从录制单位另行取得</b>（commhub evidence history）：包内的公钥历史只供对照，能改包的人也能换掉它。
退出码 0 为完整，1 为已被改动，2 为无法核验。</p>
<p class=e>Every byte of this bundle is signed. Verifying needs only the public keys, which you should have got from the recording
organisation by another way. It does not prove that what a camera or a client sent was true before it was sent.</p>"""


def _signatures(taken: Taken) -> str:
    last = taken.checkpoint
    if last is None:
        return "没有签名 none"
    until = taken.manifest.ms(int(last["at"]))
    return f"{last['number']} 次，至第 {until / 1000:.1f} 秒；链首摘要 {last['head']}"


def _range(taken: Taken) -> str:
    if taken.whole:
        return "全部 all"
    return f"{_clock(taken.from_ms)} – {_clock(taken.to_ms)}（所涉及的文件整段收入 whole files）"


def _people(taken: Taken) -> list[list[str]]:
    return [[one.name or "—", one.org, identity] for identity, one in taken.manifest.people.items()]


def _tracks(taken: Taken) -> list[list[str]]:
    out = []
    for lane in taken.lanes:
        files = "；".join(f"{one.name.rpartition('/')[2]} {_clock(one.start)}–{_clock(one.end)}" for one in lane.sources)
        source = _SOURCES.get(lane.source, lane.source)
        out.append([lane.id, " ".join(filter(None, taken.name(lane.identity))), source, lane.codec, files])
    return out


def _gaps(taken: Taken) -> list[list[str]]:
    return [
        [gap["track"], _clock(gap["start_ms"]), _clock(gap["end_ms"]), GAPS.get(gap["reason"], gap["reason"])]
        for gap in taken.document["gaps"]
    ]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], digest: int = -1) -> str:
    top = f"<tr>{''.join(f'<th>{_t(one)}</th>' for one in head)}</tr>" if head else ""
    lines = [
        "".join(f"<td{' class=d' if n == digest else ''}>{_t(cell)}</td>" for n, cell in enumerate(row)) for row in rows
    ]  # fmt: skip
    return f"<table>{top}{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"


def _t(text: str) -> str:
    return html.escape(str(text))


def _when(ms: int, zone: tzinfo) -> str:
    moment = datetime.fromtimestamp(ms / 1000, UTC)
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M:%S}（UTC {moment:%Y-%m-%d %H:%M:%S}）"


def _clock(ms: int) -> str:
    ms = max(0, ms)  # a first frame may have been taken a moment before the session was begun
    return f"{ms // 3_600_000}:{ms // 60_000 % 60:02}:{ms // 1000 % 60:02}.{ms % 1000 // 100}"
