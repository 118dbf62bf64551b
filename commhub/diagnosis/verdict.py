"""Where it hurts: what a participant's figures mean, as a table. No I/O, no clock.

The first rule that applies is the verdict: what explains everything else stands before what it explains (whose worker is
overloaded has lost packets too). A rule says whose matter it is, how bad, in one sentence, and what to do next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from commhub.media.messages import DownStats, PeerStats, UpStats

# Shares of packets lost on the way, of an interval of some seconds.
LOSS_NOTICED, LOSS_BAD = 0.02, 0.08
# Round trip: above the first people talk into each other, above the second they give up.
RTT_NOTICED_MS, RTT_BAD_MS = 400.0, 900.0
# Jitter buffers hide what is below; above, speech breaks up.
JITTER_NOTICED_MS, JITTER_BAD_MS = 80.0, 200.0
# Clients prove every 5 s at most that they are there; media comes every 20 ms.
UNHEARD_SECONDS = 6.0
# No packet of a track that is not muted: the picture stands.
STILL_SECONDS = 3.0
# One second's worst lag of a worker, and how long datagrams lay in the kernel.
LATE_SECONDS = 0.15


class Fault(StrEnum):
    """Whose matter it is."""

    FINE = "fine"
    CLIENT = "client"
    NETWORK = "network"
    NETWORK_UP = "network_up"
    NETWORK_DOWN = "network_down"
    HUB = "hub"
    CAMERA = "camera"


class Grade(StrEnum):
    FINE = "fine"
    NOTICED = "noticed"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the figures of a participant do not say. ``camera``: the state of his Source and why, when he is a camera."""

    late: float = 0.0  # seconds, of his media worker
    shed: bool = False  # his worker sends lower layers to have less to do
    camera: str = ""  # idle, connecting, live, failed
    camera_why: tuple[str, str] = ("", "")  # Chinese, English


@dataclass(frozen=True, slots=True)
class Case:
    """A participant and his surroundings, with what several rules look at."""

    stats: PeerStats
    around: Surroundings

    @property
    def is_camera(self) -> bool:
        return self.stats.kind == "bridge"

    @property
    def sending(self) -> list[UpStats]:
        """What should be coming from him."""
        return [one for one in self.stats.up if not one.muted]

    @property
    def still(self) -> list[UpStats]:
        """Of these, what does not come. Sound that is silent may pause (DTX); a picture may not."""
        return [one for one in self.sending if one.kind == "video" and one.age > STILL_SECONDS]

    @property
    def watching(self) -> list[DownStats]:
        return [one for one in self.stats.down if one.flows and one.seen]

    @property
    def loss_up(self) -> float:
        return max((one.loss for one in self.sending), default=0.0)

    @property
    def loss_down(self) -> float:
        """On the way to him: what was lost before us is its publisher's."""
        return max((one.loss - one.upstream for one in self.watching), default=0.0)

    @property
    def jitter(self) -> float:
        both = [one.jitter_ms for one in self.sending] + [one.jitter_ms for one in self.watching]
        return max(both, default=0.0)

    @property
    def unheard(self) -> bool:
        return self.stats.heard > UNHEARD_SECONDS or not self.stats.connected

    @property
    def lowered(self) -> bool:
        """He is sent less than his view has room for, though his publisher sends it."""
        return any(one.kind == "video" and 0 <= one.layer < one.wanted and self.stats.estimate for one in self.watching)


@dataclass(frozen=True, slots=True)
class Rule:
    """``text`` and ``step`` are Chinese and English; ``{name}`` in them is filled from ``figures``."""

    code: str
    fault: Fault
    grade: Grade
    applies: Callable[[Case], bool]
    text: tuple[str, str]
    step: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Verdict:
    """``text`` (what it is) and ``step`` (what to do next): Chinese and English, figures filled in."""

    code: str
    fault: Fault
    grade: Grade
    text: tuple[str, str]
    step: tuple[str, str]


def _percent(share: float) -> str:
    return f"{share * 100:.0f}%"


def _figures(case: Case) -> dict[str, str]:
    return {
        "heard": f"{case.stats.heard:.0f}",
        "loss_up": _percent(case.loss_up),
        "loss_down": _percent(case.loss_down),
        "rtt": f"{case.stats.rtt_ms:.0f}",
        "jitter": f"{case.jitter:.0f}",
        "late": f"{case.around.late * 1000:.0f}",
        "why": case.around.camera_why[0],
        "why_en": case.around.camera_why[1],
        "age": f"{max((one.age for one in case.still), default=0.0):.0f}",
    }


_CHECK_LINE = (
    "请对方改用有线网络或靠近路由器，仍无改善时关闭摄像头。",
    "Use a cable or move nearer to the router; if that does not help, switch the camera off.",
)
_CHECK_CLIENT = (
    "请对方关闭其他程序，或重新打开摄像头；仍无画面时刷新页面。",
    "Close other programs or switch the camera off and on; reload the page if that does not help.",
)

#: In order of judging.
RULES: tuple[Rule, ...] = (
    Rule(
        "camera_failed", Fault.CAMERA, Grade.BAD,
        lambda case: case.is_camera and case.around.camera == "failed",
        ("摄像机打不开：{why}", "The camera cannot be opened: {why_en}"),
        ("在摄像机页查看原因，或联系所属单位。", "See the camera's page for the reason, or call the organisation that owns it."),
    ),
    Rule(
        "camera_opening", Fault.CAMERA, Grade.NOTICED,
        lambda case: case.is_camera and case.around.camera == "connecting",
        ("正在连接摄像机。", "The camera is being connected."),
        ("稍候；超过 15 秒仍无画面时查看摄像机状态。", "Wait; after 15 seconds without a picture look at its state."),
    ),
    Rule(
        "camera_still", Fault.CAMERA, Grade.BAD,
        lambda case: case.is_camera and case.around.camera == "live" and bool(case.still),
        ("摄像机已连接，但 {age} 秒没有画面。", "The camera is connected, but sent no picture for {age} seconds."),
        ("移出后重新调入；仍无画面时联系所属单位。", "Take it out and bring it in again; call its owner if that does not help."),
    ),
    Rule(
        "camera_loss", Fault.CAMERA, Grade.NOTICED,
        lambda case: case.is_camera and case.loss_up > LOSS_NOTICED,
        ("摄像机到中心丢包 {loss_up}。", "{loss_up} of the camera's packets are lost on the way here."),
        ("检查摄像机网络，或把传输方式改为 TCP。", "Check the camera's network, or pull it over TCP."),
    ),
    Rule(
        "hub_late", Fault.HUB, Grade.BAD,
        lambda case: case.around.late > LATE_SECONDS,
        ("中心负载过高，媒体延迟 {late} 毫秒。", "The hub has too much to do: media is {late} ms late."),
        ("减少同时打开的画面，或请管理员增加媒体进程。", "Open fewer pictures, or have media.workers raised."),
    ),
    Rule(
        "never_heard", Fault.NETWORK, Grade.BAD,
        lambda case: not case.is_camera and not case.stats.connected and case.stats.heard < 0,
        ("信令已连接，但没有收到任何媒体数据。", "Signalling is connected, but no media has come at all."),
        ("请对方网络放行媒体端口，或配置 TURN。", "Let the media port through their firewall, or set up TURN."),
    ),
    Rule(
        "unheard", Fault.NETWORK, Grade.BAD,
        lambda case: not case.is_camera and case.unheard,
        ("已 {heard} 秒没有收到对方的数据。", "Nothing has been heard of this participant for {heard} seconds."),
        ("等待自动恢复；超过 20 秒请对方检查网络后重新加入。", "Wait; after 20 seconds check the network and join again."),
    ),
    Rule(
        "up_bad", Fault.NETWORK_UP, Grade.BAD,
        lambda case: case.loss_up > LOSS_BAD,
        ("上行丢包 {loss_up}，别人看到和听到的会中断。", "{loss_up} of what is sent is lost: others see and hear gaps."),
        _CHECK_LINE,
    ),
    Rule(
        "down_bad", Fault.NETWORK_DOWN, Grade.BAD,
        lambda case: case.loss_down > LOSS_BAD,
        ("下行丢包 {loss_down}，看到和听到的会中断。", "{loss_down} of what is received is lost: pictures and sound break up."),
        _CHECK_LINE,
    ),
    Rule(
        "starved", Fault.NETWORK_DOWN, Grade.BAD,
        lambda case: any(one.paused for one in case.watching),
        ("下行带宽不足，部分画面已停发。", "There is not enough bandwidth: some pictures are not sent."),
        ("请对方减少画面（切换到主讲视图）或改善网络。", "Show fewer pictures (speaker view), or improve the network."),
    ),
    Rule(
        "client_still", Fault.CLIENT, Grade.BAD,
        lambda case: not case.is_camera and bool(case.still),
        ("网络正常，但 {age} 秒没有收到对方的画面。", "The network works, but no picture has come for {age} seconds."),
        _CHECK_CLIENT,
    ),
    Rule(
        "trip_bad", Fault.NETWORK, Grade.BAD,
        lambda case: case.stats.rtt_ms > RTT_BAD_MS,
        ("往返时延 {rtt} 毫秒，对话会互相打断。", "The round trip takes {rtt} ms: people talk into each other."),
        _CHECK_LINE,
    ),
    Rule(
        "jitter_bad", Fault.NETWORK, Grade.BAD,
        lambda case: not case.is_camera and case.jitter > JITTER_BAD_MS,
        ("网络抖动 {jitter} 毫秒，声音会断续。", "Packets come {jitter} ms unevenly: speech breaks up."),
        _CHECK_LINE,
    ),
    Rule(
        "hub_shed", Fault.HUB, Grade.NOTICED,
        lambda case: case.around.shed,
        ("中心负载较高，画面已降低清晰度。", "The hub is busy: pictures are sent in a lower quality."),
        ("减少同时打开的画面，或请管理员增加媒体进程。", "Open fewer pictures, or have media.workers raised."),
    ),
    Rule(
        "up_noticed", Fault.NETWORK_UP, Grade.NOTICED,
        lambda case: case.loss_up > LOSS_NOTICED,
        ("上行丢包 {loss_up}，大多已补回。", "{loss_up} of what is sent is lost; most of it is repaired."),
        _CHECK_LINE,
    ),
    Rule(
        "down_noticed", Fault.NETWORK_DOWN, Grade.NOTICED,
        lambda case: case.loss_down > LOSS_NOTICED,
        ("下行丢包 {loss_down}，大多已补回。", "{loss_down} of what is received is lost; most of it is repaired."),
        _CHECK_LINE,
    ),
    Rule(
        "lowered", Fault.NETWORK_DOWN, Grade.NOTICED,
        lambda case: case.lowered,
        ("下行带宽有限，画面已降低清晰度。", "The bandwidth is limited: pictures are received in a lower quality."),
        ("不影响使用；需要更清晰时减少画面。", "Nothing has to be done; show fewer pictures for a better one."),
    ),
    Rule(
        "trip_noticed", Fault.NETWORK, Grade.NOTICED,
        lambda case: case.stats.rtt_ms > RTT_NOTICED_MS or (not case.is_camera and case.jitter > JITTER_NOTICED_MS),
        ("时延 {rtt} 毫秒，抖动 {jitter} 毫秒，对话略有延迟。", "Round trip {rtt} ms, jitter {jitter} ms: talk is late."),
        _CHECK_LINE,
    ),
    Rule(
        "camera_idle", Fault.FINE, Grade.FINE,
        lambda case: case.is_camera and case.around.camera == "idle",
        ("没有人观看，摄像机未取流。", "Nobody looks: the camera is not being pulled."),
        ("", ""),
    ),
    Rule(
        "over_tcp", Fault.FINE, Grade.FINE,
        lambda case: case.stats.over == "tcp",
        ("正常。对方网络不通 UDP，媒体走 TCP。", "Fine. His network lets no UDP through: media goes over TCP."),
        ("放行 UDP 后丢包时恢复更快。", "With UDP it would recover faster from loss."),
    ),
    Rule("fine", Fault.FINE, Grade.FINE, lambda case: True, ("正常。", "Fine."), ("", "")),
)  # fmt: skip


def judge(stats: PeerStats, around: Surroundings | None = None, rules: Iterable[Rule] = RULES) -> Verdict:
    """The first rule that applies, with its figures."""
    case = Case(stats, around or Surroundings())
    figures = _figures(case)
    for rule in rules:
        if rule.applies(case):
            text = (rule.text[0].format(**figures), rule.text[1].format(**figures))
            return Verdict(rule.code, rule.fault, rule.grade, text, rule.step)
    raise AssertionError("The last rule applies always.")
