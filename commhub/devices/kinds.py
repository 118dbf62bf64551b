"""What an alarm is about, in words: its numbers are AlarmMethod and AlarmType (GB/T 28181-2022, A.2.5)."""

from __future__ import annotations

#: Method → (stable name, Chinese, English).
METHODS: dict[int, tuple[str, str, str]] = {
    1: ("phone", "电话报警", "Reported by phone"),
    2: ("device", "设备报警", "Alarm of the device"),
    3: ("message", "短信报警", "Reported by text message"),
    4: ("position", "定位报警", "Alarm of a position"),
    5: ("video", "视频报警", "Alarm in the picture"),
    6: ("fault", "设备故障", "Fault of the device"),
    7: ("other", "其他报警", "Other alarm"),
}
#: (Method, type) → (stable name, Chinese, English).
KINDS: dict[tuple[int, int], tuple[str, str, str]] = {
    (2, 1): ("video_lost", "视频丢失", "Video lost"),
    (2, 2): ("tampered", "设备防拆", "Housing opened"),
    (2, 3): ("disk_full", "存储空间已满", "Disk full"),
    (2, 4): ("too_hot", "设备温度过高", "Device too hot"),
    (2, 5): ("too_cold", "设备温度过低", "Device too cold"),
    (5, 1): ("manual_video", "人工视频报警", "Raised by hand"),
    (5, 2): ("motion", "运动目标", "Something moves"),
    (5, 3): ("left_object", "遗留物", "Something was left behind"),
    (5, 4): ("removed_object", "物品移除", "Something was taken away"),
    (5, 5): ("line_crossed", "越界", "A line was crossed"),
    (5, 6): ("intrusion", "入侵", "Intrusion"),
    (5, 7): ("wrong_way", "逆行", "Wrong direction"),
    (5, 8): ("loitering", "徘徊", "Loitering"),
    (5, 9): ("flow", "流量异常", "Unusual flow"),
    (5, 10): ("density", "密度异常", "Unusual density"),
    (5, 11): ("picture_fault", "画面异常", "Picture fault"),
    (5, 12): ("fast_motion", "快速移动", "Fast motion"),
    (5, 13): ("covered", "画面遮挡", "Picture covered"),
    (6, 1): ("disk_fault", "存储设备故障", "Disk fault"),
    (6, 2): ("fan_fault", "风扇故障", "Fan fault"),
}


def said(method: int, kind: int) -> tuple[str, str, str]:
    """Stable name, Chinese, English; never nothing."""
    return KINDS.get((method, kind)) or METHODS.get(method) or METHODS[7]
