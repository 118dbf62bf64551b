"""How what happened is shown beside a recording: the lane of each type, its words and its icon. One table, no I/O.

Types are those of the events (:data:`commhub.events.TYPES`) and of the recorder's journal. One that is not here is shown all the
same: in the lane ``other``, by the title its own data has (``title_zh``, ``title``), else by its name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

TITLE_LIMIT: Final = 80  # characters of a title that an event brings along


class LaneKind(NamedTuple):
    zh: str
    en: str
    icon: str


class Shown(NamedTuple):
    """``icon`` "" is the lane's. ``until``: the type that ends what this began, of the same person, camera or thing. ``quiet``:
    it is drawn, and not found by words: there are thousands, and they say nothing but that."""

    lane: str
    zh: str
    en: str
    icon: str = ""
    until: str = ""
    quiet: bool = False


OTHER: Final = "other"
MARK: Final = "mark"

#: In the order they are shown. ``mark`` is filled by people who review.
LANES: Final[Mapping[str, LaneKind]] = {
    MARK: LaneKind("标记", "Marks", "bookmark"),
    "chat": LaneKind("聊天", "Chat", "message"),
    "people": LaneKind("参会者", "People", "user"),
    "control": LaneKind("会议控制", "Control", "gavel"),
    "camera": LaneKind("摄像机", "Cameras", "camera"),
    "order": LaneKind("指令", "Orders", "clipboard"),
    "roll": LaneKind("点名", "Roll calls", "list-checks"),
    "dispatch": LaneKind("强制调度", "Dispatch", "siren"),
    "call": LaneKind("通话", "Calls", "phone"),
    "group": LaneKind("群组", "Groups", "radio"),
    "agenda": LaneKind("日程", "Agenda", "calendar"),
    "alarm": LaneKind("告警与设备", "Alarms and devices", "bell"),
    "recording": LaneKind("录制", "Recording", "disc"),
    "data": LaneKind("数据", "Data", "braces"),
    OTHER: LaneKind("其他", "Other", "dot"),
}

_PEOPLE = {
    "joined": Shown("people", "进入", "Joined", "log-in", until="left"),
    "left": Shown("people", "离开", "Left", "log-out"),
    "muted": Shown("people", "静音", "Muted", "mic-off", until="unmuted", quiet=True),
    "unmuted": Shown("people", "取消静音", "Unmuted", "mic", quiet=True),
    "published": Shown("people", "开始发送", "Began to send", "play", quiet=True),
    "unpublished": Shown("people", "停止发送", "Stopped sending", "square", quiet=True),
    "consultation.joined": Shown("people", "进入", "Joined", "log-in"),
    "consultation.left": Shown("people", "离开", "Left", "log-out"),
    "consultation.invited": Shown("people", "邀请", "Invited", "user-plus"),
    "seat.state": Shown("people", "坐席状态", "Seat"),
    "directory.changed": Shown("people", "通讯录变更", "Address book changed"),
}
_WORDS = {
    "chat": Shown("chat", "聊天", "Chat"),
    "data": Shown("data", "数据", "Data", quiet=True),
    "stream": Shown("data", "文件", "File", "file"),
}
_CONTROL = {
    "consultation.created": Shown("control", "发起会商", "Created"),
    "consultation.changed": Shown("control", "修改", "Changed", "pencil"),
    "consultation.locked": Shown("control", "锁定", "Locked", "lock"),
    "consultation.ended": Shown("control", "结束会商", "Ended", "flag"),
    "consultation.chair": Shown("control", "主持人变更", "Chair changed", "crown"),
    "consultation.muted": Shown("control", "全体静音", "All muted", "mic-off"),
    "consultation.speaker": Shown("control", "请发言", "Called on", "mic"),
    "consultation.hand": Shown("control", "举手", "Hand", "hand"),
    "consultation.lobby": Shown("control", "等候室", "Lobby", "door-open"),
    "consultation.waiting": Shown("control", "等候进入", "Waiting at the door", "clock"),
    "consultation.admitted": Shown("control", "准许进入", "Let in", "door-open"),
    "consultation.refused": Shown("control", "拒绝进入", "Refused", "ban"),
    "consultation.returned": Shown("control", "请回等候室", "Sent back", "undo"),
    "consultation.stage": Shown("control", "布局", "Layout", "layout-grid"),
    "consultation.broadcast": Shown("control", "广播会场", "Broadcast", "megaphone"),
    "consultation.side": Shown("control", "分组讨论", "Side consultation", "users"),
    "consultation.planned_end": Shown("control", "预定结束时间", "Planned end", "clock"),
    "consultation.ending": Shown("control", "即将结束", "About to end", "clock"),
}
_RECORDING = {
    "consultation.recording_started": Shown("recording", "开始录制", "Recording started", "circle"),
    "consultation.recording_stopped": Shown("recording", "停止录制", "Recording stopped", "square"),
    "consultation.recording_failed": Shown("recording", "录制失败", "Recording failed", "alert"),
    "consultation.recording_paused": Shown("recording", "暂停录制", "Recording paused", "pause"),
    "consultation.recording_resumed": Shown("recording", "恢复录制", "Recording resumed", "play"),
    "off_record": Shown("recording", "不留记录", "Off the record", "pause", until="on_record"),
    "on_record": Shown("recording", "恢复记录", "On the record", "play"),
    "continued": Shown("recording", "录制继续", "Recording went on", "play"),
    "recovered": Shown("recording", "录制已修复", "Recording repaired", "wrench"),
    "worker_lost": Shown("recording", "媒体进程中断", "Media worker lost", "alert"),
    "recording.listed": Shown("recording", "录制列表", "Listed", quiet=True),
    "recording.marked": Shown("recording", "回看标记", "Marked", "bookmark"),
    "recording.export": Shown("recording", "导出", "Export", "download"),
    "recording.policy": Shown("recording", "录制策略变更", "Policy changed"),
    "recording.held": Shown("recording", "法律保全", "Held", "lock"),
    "recording.released": Shown("recording", "解除保全", "Released", "unlock"),
    "recording.expiring": Shown("recording", "即将到期", "Expires soon", "clock"),
    "recording.deletion_asked": Shown("recording", "申请删除", "Deletion asked for", "trash"),
    "recording.deletion_refused": Shown("recording", "拒绝删除", "Deletion refused", "x"),
    "recording.deletion_lapsed": Shown("recording", "删除申请失效", "Deletion lapsed", "x"),
    "recording.deleted": Shown("recording", "已删除", "Deleted", "trash"),
    "recording.removed": Shown("recording", "文件已清除", "Files removed", "trash"),
    "call.recording": Shown("recording", "通话录制", "Recording of the call"),
    "group.recording": Shown("recording", "群组录制", "Recording of the group"),
    "camera.recording": Shown("recording", "摄像机录制", "Recording of the camera"),
    "thinned": Shown("recording", "降低录制画质", "Recorded with less", "alert"),
    "storage.space": Shown("recording", "磁盘空间", "Disk space", "hard-drive"),
    "storage.upload": Shown("recording", "录制上传", "Upload of recordings", "hard-drive"),
    "storage.quota": Shown("recording", "录制配额", "Quota", "hard-drive"),
}
_CAMERAS = {
    "consultation.camera_added": Shown("camera", "调入摄像机", "Camera brought in", until="consultation.camera_removed"),
    "consultation.camera_removed": Shown("camera", "移出摄像机", "Camera taken out", "camera-off"),
    "camera.state": Shown("camera", "摄像机状态", "Camera state"),
    "camera.fault": Shown("camera", "摄像机故障", "Camera fault", "alert"),
    "camera.lock": Shown("camera", "云台控制权", "Control of the camera", "lock"),
    "camera.act": Shown("camera", "摄像机操作", "Act of the camera", "move"),
    "camera.snapshot": Shown("camera", "抓拍", "Snapshot", "image"),
    "camera.voice": Shown("camera", "喊话", "Voice", "megaphone"),
    "playback.state": Shown("camera", "设备录像回放", "Playback", "history"),
    "download.state": Shown("camera", "设备录像下载", "Download", "download"),
    "alarm.raised": Shown("alarm", "告警", "Alarm", "bell"),
    "alarm.confirmed": Shown("alarm", "告警已确认", "Alarm confirmed", "check"),
    "device.state": Shown("alarm", "设备状态", "Device state"),
}
_GROUPS = {
    "group.created": Shown("group", "新建群组", "Group created"),
    "group.changed": Shown("group", "群组变更", "Group changed"),
    "group.removed": Shown("group", "删除群组", "Group removed"),
    "group.affiliated": Shown("group", "守听", "Listening"),
    "group.started": Shown("group", "组呼开始", "Group call began"),
    "group.ended": Shown("group", "组呼结束", "Group call ended"),
    "group.unreached": Shown("group", "未接通", "Not reached", "alert"),
    "group.left": Shown("group", "离开群组", "Left the group"),
    "group.emergency": Shown("group", "紧急告警", "Emergency", "siren"),
    "group.emergency_acknowledged": Shown("group", "紧急告警已应答", "Emergency answered", "check"),
    "group.emergency_escalated": Shown("group", "紧急告警升级", "Emergency escalated", "siren"),
    "group.emergency_cancelled": Shown("group", "紧急告警取消", "Emergency cancelled", "x"),
    "floor.granted": Shown("group", "获得话权", "Has the floor", "mic", until="floor.idle"),
    "floor.queued": Shown("group", "排队等话权", "Waits for the floor", "clock"),
    "floor.revoked": Shown("group", "话权被收回", "Floor revoked", "mic-off"),
    "floor.idle": Shown("group", "话权空闲", "Floor is free", "circle"),
}
_CALLS = {
    "call.created": Shown("call", "发起通话", "Call"),
    "call.ringing": Shown("call", "响铃", "Rings"),
    "call.answered": Shown("call", "接听", "Answered"),
    "call.held": Shown("call", "保持", "Held", "pause", until="call.resumed"),
    "call.resumed": Shown("call", "恢复通话", "Resumed", "play"),
    "call.transferred": Shown("call", "转接", "Transferred", "forward"),
    "call.recalled": Shown("call", "转接回振", "Came back", "undo"),
    "call.added": Shown("call", "加人", "Added", "user-plus"),
    "call.left": Shown("call", "退出通话", "Left", "log-out"),
    "call.changed": Shown("call", "通话变更", "Changed"),
    "call.ended": Shown("call", "挂断", "Ended", "phone-off"),
    "dispatch.began": Shown("dispatch", "强制调度开始", "Forced act began", until="dispatch.ended"),
    "dispatch.ended": Shown("dispatch", "强制调度结束", "Forced act ended"),
    "dispatch.done": Shown("dispatch", "强制调度", "Forced act"),
}
_PLANS = {
    "agenda.created": Shown("agenda", "预约", "Scheduled"),
    "agenda.changed": Shown("agenda", "预约变更", "Changed"),
    "agenda.cancelled": Shown("agenda", "取消预约", "Cancelled", "x"),
    "agenda.replied": Shown("agenda", "回复邀请", "Replied"),
    "agenda.reminder": Shown("agenda", "提醒", "Reminder", "bell"),
    "agenda.opened": Shown("agenda", "提前开放", "Opened"),
    "agenda.started": Shown("agenda", "按时开始", "Began"),
    "agenda.ended": Shown("agenda", "场次结束", "Ended"),
    "agenda.signed": Shown("agenda", "签到", "Signed in", "check"),
    "agenda.minutes": Shown("agenda", "纪要", "Minutes", "file-text"),
    "linktest.started": Shown("alarm", "链路测试开始", "Link test began", until="linktest.ended"),
    "linktest.ended": Shown("alarm", "链路测试结束", "Link test ended"),
    "rollcall.started": Shown("roll", "开始点名", "Roll call began", until="rollcall.ended"),
    "rollcall.changed": Shown("roll", "点名", "Roll call"),
    "rollcall.ended": Shown("roll", "点名结束", "Roll call ended", "flag"),
    "order.sent": Shown("order", "下达指令", "Order sent"),
    "order.receipt": Shown("order", "签收", "Receipt", "check"),
    "order.feedback": Shown("order", "反馈", "Feedback", "message"),
}

SHOWN: Final[Mapping[str, Shown]] = {
    **_PEOPLE, **_WORDS, **_CONTROL, **_RECORDING, **_CAMERAS, **_GROUPS, **_CALLS, **_PLANS,
}  # fmt: skip
#: Of a camera, which comes and goes like a person.
AS_CAMERA: Final[Mapping[str, Shown]] = {
    "joined": Shown("camera", "调入摄像机", "Camera brought in", until="left"),
    "left": Shown("camera", "移出摄像机", "Camera taken out", "camera-off"),
}


def shown(type: str, data: Any = None) -> Shown:
    """How an event of this type is shown; one nobody declared too."""
    of = data if isinstance(data, Mapping) else {}
    if of.get("kind") == "camera" and type in AS_CAMERA:
        return AS_CAMERA[type]
    known = SHOWN.get(type)
    if known is not None:
        return known
    zh, en = _own(of, "title_zh"), _own(of, "title")
    return Shown(OTHER, zh or en or type, en or zh or type)


def icon(one: Shown) -> str:
    return one.icon or LANES[one.lane].icon


def _own(data: Mapping[str, Any], name: str) -> str:
    said = data.get(name)
    return " ".join(said.split())[:TITLE_LIMIT] if isinstance(said, str) else ""
