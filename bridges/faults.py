"""Why a camera gives no picture, in words a dispatcher understands: what happened, and what to do next."""

from __future__ import annotations

_SENTENCES: dict[str, tuple[str, str]] = {
    "not_allowed": (
        "The hub may not connect to this camera's address. Have an administrator check the address, or allow its network and "
        "port (bridges.allow).",
        "系统不允许连接该摄像机的地址。请管理员核对地址，或将其网段和端口加入允许列表（bridges.allow）。",
    ),
    "bad_address": (
        "The camera's address cannot be used: it must read rtsp://host:port/path, user and password in their own fields.",
        "摄像机地址无法使用：应写作 rtsp://主机:端口/路径，用户名和密码另行填写。请管理员改正。",
    ),
    "name_not_found": (
        "The camera's name is not known on this network. Check the spelling, or use its IP address.",
        "网络中找不到该摄像机的名称。请核对拼写，或改用 IP 地址。",
    ),
    "refused": (
        "The camera's host is there, but nothing answers on the RTSP port. The camera may be restarting; else check port and "
        "RTSP switch.",
        "主机在线，但 RTSP 端口无服务。摄像机可能正在重启；否则请检查端口号和 RTSP 开关。",
    ),
    "timeout": (
        "The camera does not answer. Check its power, its network, and firewalls on the way.",
        "摄像机没有应答。请检查电源、网络以及沿途防火墙。",
    ),
    "unauthorized": (
        "The camera refuses user or password. Correct them in the camera's record; after many attempts cameras lock for a while.",
        "摄像机拒绝了用户名或密码。请在摄像机档案中改正；多次失败后摄像机会锁定一段时间。",
    ),
    "not_found": (
        "The camera knows no such picture: the path of its address is wrong. Check channel and stream number.",
        "摄像机上没有这一路画面：地址路径有误。请核对通道号和码流号。",
    ),
    "busy": (
        "The camera serves as many viewers as it can. Close other programs that pull it, or use its second stream.",
        "摄像机的连接数已满。请关闭其他拉流程序，或改用子码流。",
    ),
    "no_video": (
        "The address leads to a device that offers no video. Check channel and path.",
        "该地址的设备不提供视频。请核对通道号和路径。",
    ),
    "codec_unsupported": (
        "The camera sends {0}, which browsers cannot show. Set it to H.264 (Main, no B-frames), or use its second stream.",
        "摄像机发送的是 {0}，浏览器无法显示。请在摄像机上改为 H.264（Main，无 B 帧），或改用子码流。",
    ),
    "no_parameters": (
        "The camera sends H.264 without its parameter sets (SPS, PPS), so that nobody can decode it. Restart the camera or "
        "update its firmware.",
        "摄像机的 H.264 码流缺少参数集（SPS/PPS），无法解码。请重启摄像机或升级固件。",
    ),
    "no_media": (
        "The camera accepted, but sends no picture. Another transport (TCP or UDP) may help; else restart the camera.",
        "摄像机已应答，但没有送来画面。可改用另一种传输方式（TCP 或 UDP）；否则请重启摄像机。",
    ),
    "protocol": (
        "The camera answers in a way that cannot be understood: {0} Check that the address is an RTSP camera.",
        "无法理解摄像机的应答。请确认该地址是 RTSP 摄像机；若是，请联系厂家升级固件。",
    ),
    "closed": (
        "The camera ended the connection; it is being connected again.",
        "摄像机断开了连接，正在重新连接。",
    ),
    "transcodes_full": (
        "As many cameras are being converted to H.264 as this machine can. Close another one that sends H.265 or B-frames, set "
        "this camera to H.264 without B-frames, or use its second stream.",
        "同时转码的摄像机已达上限。请先关闭其他 H.265 摄像机，或将此摄像机改为无 B 帧的 H.264，或改用子码流。",
    ),
    "transcode_failed": (
        "The camera's pictures could not be converted to H.264; it is tried again. Set the camera to H.264 if this goes on.",
        "摄像机画面转码失败，正在重试。若持续出现，请在摄像机上改为 H.264。",
    ),
    "b_frames": (
        "The camera sends B-frames; browsers show few of its pictures. Set it to H.264 without B-frames (Baseline or Main).",
        "摄像机的码流含 B 帧，浏览器只能显示部分画面。请在摄像机上改为无 B 帧的 H.264（Baseline 或 Main）。",
    ),
}

#: Seconds to the next attempt where trying soon cannot help or harms; other faults use the back-off.
SLOW: dict[str, float] = {
    "not_allowed": 30.0,
    "bad_address": 60.0,
    "unauthorized": 60.0,  # cameras lock accounts after a handful of wrong passwords
    "not_found": 15.0,
    "no_video": 15.0,
    "codec_unsupported": 15.0,
    "no_parameters": 5.0,
    "transcodes_full": 5.0,
}


def sentences(code: str, *details: str) -> tuple[str, str]:
    """``(English, Chinese)`` of a code."""
    english, chinese = _SENTENCES[code]
    if code == "codec_unsupported" and not details[0]:
        return english.format("an unknown codec"), chinese.format("未知编码")
    return english.format(*details), chinese.format(*details)


class Fault(Exception):
    """Ends one attempt. ``details`` come from our own tables, never from the camera."""

    def __init__(self, code: str, *details: str) -> None:
        self.code = code
        self.text, self.text_zh = sentences(code, *details)
        super().__init__(self.text)


class Redirected(Exception):
    """The camera names another address; it is checked like the first one."""

    def __init__(self, url: str) -> None:
        super().__init__("redirected")
        self.url = url
