"""Verdicts as sentences, Chinese first. No I/O, no clock."""

from __future__ import annotations

from datetime import UTC, datetime

from recorder.exported import Found
from recorder.faults import Fault, Verdict

_KINDS = {"film": "影片 / film", "tracks": "原始轨道 / tracks", "bundle": "证据包 / evidence bundle"}


def when(ns: int) -> str:
    return datetime.fromtimestamp(ns // 1_000_000 / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if ns else ""


def faults(found: list[Fault]) -> list[str]:
    return [line for fault in found for line in (f"  {fault.text_zh}", f"  {fault.text}")]


def recording(verdict: Verdict) -> list[str]:
    """Of a session."""
    begin = f"{verdict.session}  {verdict.title}  {when(verdict.started_at)}".rstrip()
    if verdict.faults:
        return [begin, f"录制已被改动 / the recording has been changed: {len(verdict.faults)}", *faults(verdict.faults)]
    end = (
        f"{verdict.until:.1f} s, {verdict.checkpoints} 次签名 / signatures, {verdict.files} 个文件 / files, {verdict.bytes} bytes"
    )
    keys = f"密钥 / keys: {', '.join(verdict.keys)}"
    if verdict.running:
        return [begin, f"仍在录制，至此完整 / still being recorded, whole until {end}", keys]
    return [begin, f"录制完整 / the recording is whole: {end}", keys]


def export(found: Found) -> list[str]:
    """Of a film, tracks, a bundle."""
    verdict, signed = found.verdict, found.signed
    if signed is None:
        return recording(verdict)
    said = signed.recipe
    begin = [
        f"{verdict.session}  {verdict.title}  {when(verdict.started_at)}".rstrip(),
        f"{_KINDS[said['kind']]} {said['export']}  {said['from_ms'] / 1000:.1f}–{said['to_ms'] / 1000:.1f} s  "
        f"{said['by']}  {when(said['at'] * 1_000_000)}",
    ]
    if verdict.faults:
        return [*begin, f"导出或其来源已被改动 / the export or its source has been changed: {len(verdict.faults)}",
                *faults(verdict.faults)]  # fmt: skip
    whole = f"导出完整 / the export is what was exported: {verdict.files} 个文件 / files, {verdict.bytes} bytes"
    if said["kind"] == "bundle":
        whole += f", {verdict.checkpoints} 次签名 / signatures"
    sources = len(said["sources"])
    if found.compared:
        compared = f"与来源一致 / matches its sources: {sources}"
    elif said["kind"] == "bundle":
        compared = f"来源在包内，已核验 / its sources are in it, verified: {sources}"
    else:
        compared = f"来源未核对（--sources）/ its sources were not compared (--sources): {sources}"
    return [*begin, whole, compared, f"密钥 / keys: {', '.join(verdict.keys)}"]
