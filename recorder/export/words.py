"""Words for people that films and reports have in common."""

from __future__ import annotations

#: Why something is missing: reasons of the journal's gaps.
GAPS = {
    "loss": "网络丢包",
    "link": "内部链路丢失",
    "clock": "发送端时钟跳变",
    "worker_lost": "媒体进程中断",
    "worker_moved": "媒体进程切换",
    "recorder": "录制进程中断",
    "disk_slow": "磁盘过慢",
    "disk_low": "磁盘空间不足，未录画面",
    "encrypted": "端到端加密，无法录制",
    "codec": "编码不支持",
    "off_record": "按要求不留记录",
}
