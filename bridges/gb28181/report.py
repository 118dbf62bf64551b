"""Why a device gives no picture, for people: six steps with what happened at each, what was tried, and what to do next."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field

from bridges.gb28181.offer import ACTIVE, PASSIVE, UDP, Description, written
from commhub.media.messages.devices import Attempt, PlayReport, Step

WAYS = {UDP: "UDP", PASSIVE: "TCP passive", ACTIVE: "TCP active"}
WAYS_ZH = {UDP: "UDP", PASSIVE: "TCP 被动", ACTIVE: "TCP 主动"}

# code: (English, Chinese, advice, advice in Chinese)
SENTENCES: Mapping[str, tuple[str, str, str, str]] = {
    "not_registered": (
        "The device is not registered here.", "设备没有注册到本平台。",
        "Check its power and network, and the platform's address, code and password in its settings.",
        "请检查设备电源和网络，以及设备中填写的平台地址、平台编码和密码。",
    ),
    "no_answer": (
        "The device is registered, but does not answer the request for a picture.", "设备在线，但没有应答点播。",
        "It may be restarting or overloaded. If other channels of it play, restart the camera behind this one.",
        "设备可能正在重启或负载过高；若同一设备的其他通道正常，请重启该通道的摄像机。",
    ),
    "connection_lost": (
        "The connection to the device broke while it was asked.", "点播过程中与设备的连接断开。",
        "It is tried again when the device is back.", "设备重新连接后会自动重试。",
    ),
    "busy": (
        "The device serves as many pictures as it can (486).", "设备的点播路数已满（486）。",
        "Close other views of this device, or use its second stream.", "请关闭该设备的其他画面，或改用子码流。",
    ),
    "channel_unknown": (
        "The device does not know this channel (404).", "设备上没有这个通道（404）。",
        "Have its catalogue read again; the channel may have been removed or renumbered.",
        "请重新获取设备目录；该通道可能已删除或编码已变更。",
    ),
    "forbidden": (
        "The device refuses to give this picture (403).", "设备拒绝提供该画面（403）。",
        "Have the device's operator allow this platform to view the channel.", "请设备管理单位为本平台开通该通道的点播权限。",
    ),
    "unavailable": (
        "The device says that this camera is not available now ({0}).", "设备称该摄像机当前不可用（{0}）。",
        "The camera behind the recorder is most likely off or disconnected.", "录像机后面的摄像机很可能断电或断网，请检查。",
    ),
    "not_acceptable": (
        "The device does not accept any of our ways to receive media ({0}).", "设备不接受平台的任何收流方式（{0}）。",
        "Set its stream to H.264 over GB/T 28181, or update its firmware.", "请将设备码流设为 H.264 国标方式，或升级固件。",
    ),
    "device_error": (
        "The device reports an error of its own ({0}).", "设备自身报错（{0}）。",
        "Most recorders say so when the camera behind them is off. Check that camera, then restart the recorder.",
        "多数录像机在其后的摄像机离线时如此应答；请先检查摄像机，再重启录像机。",
    ),
    "refused": (
        "The device refuses the request ({0}).", "设备拒绝点播（{0}）。",
        "Ask the device's operator; the number tells why.", "请联系设备管理单位，并告知该应答码。",
    ),
    "bad_answer": (
        "The device answers, but its description of the media cannot be used.", "设备已应答，但媒体描述无法使用。",
        "Update its firmware.", "请升级设备固件。",
    ),
    "denied_address": (
        "The device wants us to connect to an address that is not allowed ({0}).", "设备要求平台连接的地址不被允许（{0}）。",
        "If media really come from there, have an administrator allow that network (bridges.allow).",
        "若媒体确由该地址发出，请管理员将其网段加入允许列表（bridges.allow）。",
    ),
    "no_port": (
        "All media ports of this platform are in use.", "平台的媒体端口已用完。",
        "Close views, or widen the range of ports (gb28181.media_ports).",
        "请关闭部分画面，或扩大端口范围（gb28181.media_ports）。",
    ),
    "no_packets": (
        "The device is online and has accepted, but no media arrived within {0} s.",
        "设备在线并接受了点播，但 {0} 秒内没有任何视频数据到达。",
        "Most likely a firewall on the way lets UDP and TCP ports {1} not through.",
        "最可能：沿途防火墙未放行 {1} 端口的 UDP 和 TCP。",
    ),
    "private_address": (
        "The device is online and has accepted, but no media arrived within {0} s.",
        "设备在线并接受了点播，但 {0} 秒内没有任何视频数据到达。",
        "Most likely it sends from its inner network ({2}) without a way to us, or a firewall lets ports {1} not through.",
        "最可能：设备发往了内网地址（{2}），或边界防火墙未放行 {1} 端口。",
    ),
    "not_connected": (
        "The device has accepted, but the TCP connection for media could not be made.",
        "设备接受了点播，但媒体 TCP 连接建立不起来。",
        "Open the media ports {1} in the firewall, in the direction of the connection.",
        "请在防火墙上按连接方向放行 {1} 端口。",
    ),
    "elsewhere": (
        "Media arrived, but from another address ({0}) and with another number than agreed.",
        "收到了数据，但来自其他地址（{0}），且 SSRC 与约定不符。",
        "A device that was replaced may still be sending there; restart it, or correct the device's address.",
        "可能是其他设备仍在向该端口发送；请重启该设备，或核对设备地址。",
    ),
    "undecodable": (
        "Media arrive, but no picture can be read from them.", "收到了视频数据，但无法解析出画面。",
        "Set the camera to H.264, program stream (PS), and restart it.", "请将摄像机设为 H.264、PS 封装并重启。",
    ),
    "codec_unsupported": (
        "The camera sends {0}, which browsers cannot show.", "摄像机发送的是 {0}，浏览器无法显示。",
        "Set it to H.264 (Main, no B-frames), or use its second stream.",
        "请在摄像机上改为 H.264（Main，无 B 帧），或改用子码流。",
    ),
    "transcodes_full": (
        "As many cameras are being converted to H.264 as this machine can.", "同时转码的摄像机已达上限。",
        "Close another one that sends H.265 or B-frames, or set this camera to H.264 without B-frames.",
        "请先关闭其他 H.265 摄像机，或将此摄像机改为无 B 帧的 H.264，或改用子码流。",
    ),
    "transcode_failed": (
        "The pictures could not be converted to H.264; it is tried again.", "摄像机画面转码失败，正在重试。",
        "Set the camera to H.264 if this goes on.", "若持续出现，请在摄像机上改为 H.264。",
    ),
    "lost": (
        "The picture stopped: no media for {0} s. It is asked for again.", "画面中断：{0} 秒没有数据，正在重新点播。",
        "If this repeats, check the line to the device.", "若反复出现，请检查到设备的线路。",
    ),
    "hung_up": (
        "The device ended the picture; it is asked for again.", "设备结束了画面，正在重新点播。",
        "If this repeats, the device may have too many viewers.", "若反复出现，可能是设备的点播路数已满。",
    ),
    "ended": (
        "The recording is over.", "录像已播放完毕。",
        "", "",
    ),
    "b_frames": (
        "The camera sends B-frames; browsers show few of its pictures.", "摄像机的码流含 B 帧，浏览器只能显示部分画面。",
        "Set it to H.264 without B-frames (Baseline or Main).", "请在摄像机上改为无 B 帧的 H.264（Baseline 或 Main）。",
    ),
}  # fmt: skip


class Verdict(Exception):
    """Why an attempt has ended, for people in both languages."""

    def __init__(self, code: str, *details: str) -> None:
        self.code = code
        filled = [*details, "", "", ""]
        self.text, self.text_zh, self.advice, self.advice_zh = (one.format(*filled) for one in SENTENCES[code])
        super().__init__(self.text)


def refused(status: int, reason: str) -> Verdict:
    """What a device means by a final answer. ``status`` 0: none came; 1: its description cannot be used."""
    if status == 0:
        return Verdict("connection_lost" if reason == "lost" else "no_answer")
    if status == 1:
        return Verdict("bad_answer")
    known = {486: "busy", 600: "busy", 404: "channel_unknown", 604: "channel_unknown", 403: "forbidden", 603: "forbidden",
             480: "unavailable", 408: "unavailable", 410: "unavailable", 488: "not_acceptable", 606: "not_acceptable",
             415: "not_acceptable", 406: "not_acceptable"}  # fmt: skip
    code = known.get(status) or ("device_error" if status >= 500 else "refused")
    return Verdict(code, str(status))


@dataclass(slots=True)
class Try:
    """One INVITE and what came of it. Times are seconds since the beginning of the play."""

    way: str
    at: float
    number: int
    port: int = 0
    ssrc: int = 0
    answered_at: float | None = None
    answer: Description | None = None
    status: int = 0
    connected: bool = False
    packets: int = 0
    strangers: int = 0
    senders: list[str] = field(default_factory=list)
    sender: str = ""
    heard: int = 0  # the SSRC that came
    packets_at: float | None = None
    picture_at: float | None = None
    ended_at: float | None = None
    verdict: Verdict | None = None


@dataclass(slots=True)
class Story:
    """Everything of a play, for its report."""

    source: str
    began: int  # UTC ns
    registered: str = ""  # how, or ""
    registered_zh: str = ""
    signalling: str = ""  # the host the device speaks SIP from
    ports: str = ""
    tries: list[Try] = field(default_factory=list)
    verdict: Verdict | None = None


def private(host: str, signalling: str) -> bool:
    """Whether an answer names an inner address that is not the one the device is reached at."""
    try:
        return bool(host) and host != signalling and ipaddress.ip_address(host).is_private
    except ValueError:
        return False


def report(story: Story) -> PlayReport:
    last = story.tries[-1] if story.tries else None
    verdict = story.verdict
    steps = [_registered(story), *_asked(last), *_media(story, last)]
    attempts = [
        Attempt(way=one.way, port=one.port, seconds=round((one.ended_at or one.picture_at or one.at) - one.at, 2),
                packets=one.packets, code=one.verdict.code if one.verdict is not None else "", sender=one.sender, ssrc=one.heard)
        for one in story.tries[-6:]
    ]  # fmt: skip
    said = verdict or Verdict("ended")
    if verdict is None:
        return PlayReport(source=story.source, at=story.began, code="", text="The picture is there.", text_zh="画面正常。",
                          steps=steps, attempts=attempts)  # fmt: skip
    return PlayReport(source=story.source, at=story.began, code=said.code, text=said.text, text_zh=said.text_zh,
                      advice=said.advice, advice_zh=said.advice_zh, steps=steps, attempts=attempts)  # fmt: skip


def _registered(story: Story) -> Step:
    if story.registered:
        return Step("registered", "done", story.registered, story.registered_zh)
    return Step("registered", "failed", "The device is not registered.", "设备未注册。")


def _asked(one: Try | None) -> list[Step]:
    """Whether it was asked, and has answered."""
    if one is None:
        return [Step("invited", "skipped", "Not asked yet.", "尚未点播。"), Step("answered", "skipped", "—", "—")]
    invited = Step("invited", "done", f"INVITE no. {one.number}, {WAYS[one.way]}, our port {one.port}",
                   f"INVITE 第 {one.number} 次，{WAYS_ZH[one.way]}，我方端口 {one.port}", round(one.at, 2))  # fmt: skip
    answer = one.answer
    if answer is not None:
        number = written(answer.ssrc) if answer.ssrc else "—"
        answered = Step("answered", "done", f"Media from {answer.host}:{answer.port}, SSRC {number}",
                        f"答复地址 {answer.host}:{answer.port}，SSRC {number}", round(one.answered_at or 0.0, 2))  # fmt: skip
    elif one.verdict is not None:
        answered = Step("answered", "failed", one.verdict.text, one.verdict.text_zh, round(one.ended_at or 0.0, 2))
    else:
        answered = Step("answered", "waiting", "No answer yet.", "等待设备应答。")
    return [invited, answered]


def _media(story: Story, one: Try | None) -> list[Step]:
    """Whether packets came, whose they were, and whether a picture was in them."""
    if one is None or one.answer is None:
        return [Step("received", "skipped", "—", "—"), Step("ssrc", "skipped", "—", "—"), Step("picture", "skipped", "—", "—")]
    at = round(one.ended_at or 0.0, 2)
    if not one.packets:
        note, note_zh = "", ""
        if private(one.answer.host, story.signalling):
            note, note_zh = (
                ". The answer names an inner address, not the one it calls from",
                "。应答地址是内网地址，与信令来源不同",
            )
        waiting = one.ended_at is None
        received = Step("received", "waiting" if waiting else "failed", f"Port {one.port}: 0 packets{note}",
                        f"{one.port} 端口收到 0 包{note_zh}", at)  # fmt: skip
        ssrc = Step("ssrc", "skipped", "No media, nothing to compare.", "没有数据，无法核对。")
        if one.strangers:
            ssrc = Step("ssrc", "failed", f"{one.strangers} packets of others: {', '.join(one.senders)}",
                        f"{one.strangers} 包来自其他来源：{'、'.join(one.senders)}")  # fmt: skip
        return [received, ssrc, Step("picture", "skipped", "No media, nothing to read.", "没有数据，无法解析。")]
    received = Step("received", "done", f"Port {one.port}: {one.packets} packets from {one.sender}",
                    f"{one.port} 端口收到 {one.packets} 包，来自 {one.sender}", round(one.packets_at or 0.0, 2))  # fmt: skip
    agreed = one.heard in (one.ssrc, one.answer.ssrc)
    ssrc = Step("ssrc", "done", "As agreed." if agreed else f"Not as agreed ({written(one.heard)}), taken all the same.",
                "与约定一致。" if agreed else f"与约定不同（{written(one.heard)}），已兼容。",
                round(one.packets_at or 0.0, 2))  # fmt: skip
    if one.picture_at is not None:
        picture = Step("picture", "done", "The picture is there.", "画面正常。", round(one.picture_at, 2))
    elif one.ended_at is None:
        picture = Step("picture", "waiting", "Waiting for a key frame.", "等待关键帧。")
    else:
        words = one.verdict or Verdict("undecodable")
        picture = Step("picture", "failed", words.text, words.text_zh, at)
    return [received, ssrc, picture]
