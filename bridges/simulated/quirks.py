"""What real devices do wrong, each by its name on the command line. Where the other side must cope with it, a test has it on."""

from __future__ import annotations

from collections.abc import Iterable

QUIRKS: dict[str, str] = {
    # words
    "attributes": "CmdType and SN are attributes of the root element",
    "gb2312-lies": "says GB2312 and writes UTF-8",
    "gbk-lies": "says UTF-8 and writes GB18030",
    "no-declaration": "XML without a declaration",
    "bare-ampersand": "names contain a bare &",
    "nul-end": "XML ends with NUL octets",
    "double-close": "the root element is closed twice",
    "sn-zero": "answers have the SN 0",
    "digit-domain": "the request URI is sip:domain@domain",
    "strange-contact": "Contact has an address that is not reachable",
    # catalogue
    "one-item": "one item in each message",
    "wrong-total": "SumNum is greater than what comes",
    "small-total": "SumNum is smaller than what comes",
    "empty-page": "an empty page ends the catalogue",
    "lost-page": "the second page never comes",
    "repeated-items": "every item comes twice",
    "lists-itself": "the device is among its channels, with the platform as its parent",
    "no-catalogue": "never answers a catalogue query",
    # signing in
    "silent": "signs in and then sends no sign of life",
    "strict-200": "sends no more signs of life once one was not answered",
    # playing
    "no-200": "never answers an INVITE",
    "no-media": "answers an INVITE and sends nothing",
    "busy": "answers every INVITE 486",
    "slow-answer": "answers an INVITE after 3 seconds",
    "stale-session": "sends nothing for a second INVITE while an earlier one has not ended",
    "udp-only": "refuses media over TCP",
    "tcp-passive-only": "takes only media over TCP that it dials",
    "tcp-active-only": "takes only media over TCP that it is dialled for",
    "mute-refusal": "ways it does not take are answered 200, and nothing comes",
    "hangs-up": "ends every play with BYE after 3 seconds",
    "own-ssrc": "chooses the SSRC itself and says so",
    "other-ssrc": "sends another SSRC than it says",
    "no-y": "the answer has no y=",
    "zero-y": "the answer has y=0000000000",
    "short-y": "y= without leading zeros",
    "wrong-address": "the answer's SDP has an address of somebody else",
    # packets
    "rtcp-first": "an RTCP packet comes first",
    "torn-tcp": "every few seconds a packet over TCP is torn",
    "interleaved-tcp": "packets over TCP are framed as in RTSP ($, channel, length)",
    "late-key": "begins in the middle of a group of pictures",
    "reordered": "neighbouring packets change places",
    "lossy": "every 200th packet over UDP is lost",
    "no-marker": "no RTP packet has the marker",
    # pictures
    "no-psm": "no program stream map",
    "psm-first-only": "a program stream map in the first pack only",
    "psm-as-system-header": "the program stream map has the start code of a system header",
    "no-system-header": "no system header",
    "zero-length": "PES packets of pictures have the length 0",
    "wrapped-length": "PES packets are longer than 65,535 octets, the length wraps",
    "shifted-header": "PES headers lack their first octet and end with a zero",
    "private-stream": "private streams between the pictures",
    "constant-time": "every PES packet has the same time",
    "jumping-time": "times jump by an hour now and then",
    "ts": "MPEG-TS in place of a program stream",
    "es": "bare pictures in RTP (payload type 98)",
    "b-frames": "pictures have B-frames",
    "h265": "pictures are H.265",
    "h265-said-h264": "pictures are H.265, the map says H.264",
    # playback
    "no-121": "says nothing when a recording has ended",
    "no-scale": "answers 400 to Scale",
    "info-121": "says the end of a recording by INFO",
    # downloads
    "slow-download": "sends a download no faster than it plays",
    "stalling-download": "a download falls silent after four seconds of film",
    "broken-file": "a download ends in the middle of the recording, and nothing behind it can be had",
}  # fmt: skip


def chosen(words: Iterable[str]) -> frozenset[str]:
    """ValueError for a name that there is not. Words may hold several, with commas."""
    names = frozenset(name.strip() for word in words for name in word.split(",") if name.strip())
    if unknown := sorted(names - QUIRKS.keys()):
        raise ValueError(f"There is no quirk {unknown[0]}.")
    return names
