"""A roll call as a table for spreadsheets: CSV in UTF-8 with a mark that Excel knows, times of China."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta, timezone

from commhub.rollcalls.records import Record

CHINA = timezone(timedelta(hours=8), "CST")
HEADINGS = ("单位", "岗位", "姓名", "结果", "点名时间", "应答时间", "结束时间", "用时（秒）", "次数")
STATES = {
    "waiting": "未点到",
    "called": "点名中",
    "speaks": "发言中",
    "done": "已发言",
    "silent": "未应答",
    "skipped": "跳过",
    "absent": "缺席",
    "asked": "询问中",
    "reached": "已送达",
    "present": "在岗",
    "late": "迟到",
    "unreachable": "无法联系",
}
ABSENT_POST = "脱岗"


def sheet(record: Record) -> bytes:
    """Cells that a spreadsheet would take for a formula are shown as they are."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(HEADINGS)
    for one in record.asked:
        state = ABSENT_POST if record.kind == "post" and one.state == "absent" else STATES[one.state]
        answer = (one.answered_at - one.called_at) / 1e9 if one.answered_at else None
        row = [one.org_name, one.post, one.name, state, shown(one.called_at), shown(one.answered_at), shown(one.closed_at)]
        writer.writerow([*map(plain, row), "" if answer is None else f"{answer:.1f}", one.times or ""])
    return b"\xef\xbb\xbf" + out.getvalue().encode()


def plain(text: str) -> str:
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def shown(at: int) -> str:
    """UTC ns as clocks in China show it; '' for 0."""
    return datetime.fromtimestamp(at / 1e9, UTC).astimezone(CHINA).strftime("%Y-%m-%d %H:%M:%S") if at else ""
