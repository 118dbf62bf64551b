"""SIP as it is on the wire: what GB/T 28181 devices send, and RFC 4475's torture messages, rebuilt from its descriptions."""

# ruff: noqa: E501 - the wire has its own line lengths

from __future__ import annotations

PLATFORM, DEVICE, CHANNEL = "34020000002000000001", "34020000001110000001", "34020000001320000001"


def crlf(text: str) -> bytes:
    return text.replace("\n", "\r\n").encode()


def with_body(head: str, body: bytes) -> bytes:
    return crlf(head) + f"Content-Length: {len(body)}\r\n\r\n".encode() + body


REGISTER = crlf(f"""REGISTER sip:{PLATFORM}@3402000000 SIP/2.0
Via: SIP/2.0/UDP 192.168.1.64:5060;rport;branch=z9hG4bK1371463273
From: <sip:{DEVICE}@3402000000>;tag=2043466181
To: <sip:{DEVICE}@3402000000>
Call-ID: 1011047669
CSeq: 1 REGISTER
Contact: <sip:{DEVICE}@192.168.1.64:5060>
Max-Forwards: 70
User-Agent: IP Camera
Expires: 3600
X-GB-ver: 3.0
Content-Length: 0

""")
REGISTER_AGAIN = REGISTER.replace(b"CSeq: 1", b"CSeq: 2").replace(
    b"Max-Forwards",
    f'Authorization: Digest username="{DEVICE}", realm="3402000000", nonce="44010b73623249f6916a6acf7c316b8e", '
    f'uri="sip:{PLATFORM}@3402000000", response="e4ca3fdc5869fa1c544ea7af60014444", algorithm=MD5\r\nMax-Forwards'.encode(),
)
KEEPALIVE_XML = f"""<?xml version="1.0"?>\r
<Notify>\r
<CmdType>Keepalive</CmdType>\r
<SN>43</SN>\r
<DeviceID>{DEVICE}</DeviceID>\r
<Status>OK</Status>\r
</Notify>\r
""".encode()
MESSAGE_HEAD = f"""MESSAGE sip:{PLATFORM}@3402000000 SIP/2.0
Via: SIP/2.0/UDP 192.168.1.64:5060;rport;branch=z9hG4bK1706571
From: <sip:{DEVICE}@3402000000>;tag=1706571
To: <sip:{PLATFORM}@3402000000>
Call-ID: 1706571
CSeq: 20 MESSAGE
Content-Type: Application/MANSCDP+xml
Max-Forwards: 70
"""
KEEPALIVE = with_body(MESSAGE_HEAD, KEEPALIVE_XML)
CATALOGUE_XML = (
    f'<?xml version="1.0" encoding="GB2312"?>\r\n<Response>\r\n<CmdType>Catalog</CmdType>\r\n<SN>17</SN>\r\n<DeviceID>{DEVICE}</DeviceID>\r\n'
    f'<SumNum>1</SumNum>\r\n<DeviceList Num="1">\r\n<Item><DeviceID>{CHANNEL}</DeviceID><Name>火车站东口㐀</Name></Item>\r\n'
    "</DeviceList>\r\n</Response>\r\n"
).encode("gb18030")
CATALOGUE = with_body(MESSAGE_HEAD, CATALOGUE_XML)
INVITED_SDP = (
    f"v=0\r\no={CHANNEL} 0 0 IN IP4 192.168.1.64\r\ns=Play\r\nc=IN IP4 192.168.1.64\r\nt=0 0\r\n"
    "m=video 15060 RTP/AVP 96\r\na=sendonly\r\na=rtpmap:96 PS/90000\r\ny=0105000001\r\nf=\r\n"
).encode()
INVITED = with_body(
    f"""SIP/2.0 200 OK
Via: SIP/2.0/UDP 10.0.0.1:5060;rport=5060;received=10.0.0.1;branch=z9hG4bK0a1b2c3d
From: <sip:{PLATFORM}@3402000000>;tag=abcd
To: <sip:{CHANNEL}@192.168.1.64:5060>;tag=4711
CSeq: 7 INVITE
Call-ID: f00d@10.0.0.1
Contact: <sip:{CHANNEL}@192.168.1.64:5060>
Content-Type: APPLICATION/SDP
""",
    INVITED_SDP,
)
# gb28181-rs sends MESSAGE to the domain, without a user of ours; compact names and bare line feeds; no space in CSeq.
TERSE = (
    f"MESSAGE sip:3402000000@3402000000 SIP/2.0\nv:SIP/2.0/UDP 192.168.1.9:5060;branch=z9hG4bK77\nf:<sip:{DEVICE}@3402000000>;tag=9\n"
    f"t:<sip:3402000000>\ni:77\nCSEQ:20MESSAGE\nc:application/manscdp+xml\nl:{len(KEEPALIVE_XML)}\n\n"
).encode() + KEEPALIVE_XML
DEVICES = {
    "register": REGISTER,
    "register with proof": REGISTER_AGAIN,
    "keepalive": KEEPALIVE,
    "catalogue in GB18030": CATALOGUE,
    "200 to INVITE": INVITED,
    "terse": TERSE,
}

_SDP = b"v=0\r\no=mhandley 29739 7272939 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 49217 RTP/AVP 0 12\r\n"


def _request(first: str, cseq: str, extra: str = "", *, to: str = "", sender: str = "", via: str = "", call: str = "x") -> bytes:
    return crlf(f"""{first}
To: {to or "sip:user@example.com"}
From: {sender or "<sip:caller@example.net>;tag=242etr"}
Max-Forwards: 70
Call-ID: {call}.torture
CSeq: {cseq}
Via: {via or "SIP/2.0/UDP host.example.net;branch=z9hG4bKkdjuw"}
{extra}Content-Length: 0

""")


WSINV = (
    crlf("""INVITE sip:vivekg@chair-dnrc.example.com;unknownparam SIP/2.0
TO :
 sip:vivekg@chair-dnrc.example.com ;   tag    = 1918181833n
from   : "J Rosenberg \\\\\\""       <sip:jdrosen@example.com>
  ;
  tag = 98asjd8
MaX-fOrWaRdS: 0068
Call-ID: wsinv.ndaksdj@192.0.2.1
Content-Length   : 124
cseq: 0009
  INVITE
Via  : SIP  /   2.0
 /UDP
    192.0.2.2;branch=390skdjuw
s :
NewFangledHeader:   newfangled value
 continued newfangled value
UnknownHeaderWithUnusualValue: ;;,,;;,;
Content-Type: application/sdp
Route:
 <sip:services.example.com;lr;unknownwith=value;unknown-no-value>
v:  SIP  / 2.0  / TCP     spindle.example.com   ;
  branch  =   z9hG4bK9ikj8  ,
 SIP  /    2.0   / UDP  192.168.255.111   ; branch=
 z9hG4bK30239
m:"Quoted string \\"\\"" <sip:jdrosen@example.com> ; newparam =
      newvalue ;
  secondparam ; q = 0.33

""")
    + _SDP
)
INTMETH = (
    b"!interesting-Method0123456789_*+`.%indeed'~ "
    b"sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@example.com SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP host1.example.com;branch=z9hG4bK-.!%66*_+`'~\r\n"
    b'To: "BEL:\\\x07 NUL:\\\x00 DEL:\\\x7f" <sip:1_unusual.URI~(to-be!sure)&isn\'t+it$/crazy?,/;;*@example.com>\r\n'
    b"From: token1~` token2'+_ token3*%!.- <sip:mundane@example.com>;fromParam''~+*_!.-%="
    b'"\xd1\x80\xd0\xb0\xd0\xb1\xd0\xbe\xd1\x82\xd0\xb0\xd1\x8e\xd1\x89\xd0\xb8\xd0\xb9";tag=_token~1\'+`*%!-.\r\n'
    b"Call-ID: intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{\r\n"
    b"CSeq: 139122385 !interesting-Method0123456789_*+`.%indeed'~\r\nMax-Forwards: 255\r\n"
    b"extensionHeader-!.%*+_`'~:\xef\xbb\xbf\xe5\xa4\xa7\xe5\x81\x9c\xe9\x9b\xbb\r\nContent-Length: 0\r\n\r\n"
)
LONG_VALUE = "a" * 600
# Messages that RFC 4475 calls valid, §3.1.1, and those of §3.1.2 to §3.3 in which a tolerant server can still see what is meant.
UNDERSTOOD = {
    "3.1.1.1 wsinv": WSINV,
    "3.1.1.2 intmeth": INTMETH,
    "3.1.1.3 esc01": _request(
        "INVITE sip:sips%3Auser%40example.com@example.net SIP/2.0", "234234 INVITE", to="sip:%75se%72@example.com"
    ),
    "3.1.1.4 escnull": _request(
        "REGISTER sip:example.com SIP/2.0", "14398234 REGISTER", "L:0\nContact: <sip:%00@host5.example.com>\n"
    ),
    "3.1.1.5 esc02": _request("RE%47IST%45R sip:registrar.example.com SIP/2.0", "29344 RE%47IST%45R"),
    "3.1.1.6 lwsdisp": _request(
        "OPTIONS sip:user@example.com SIP/2.0", "60 OPTIONS", sender="caller<sip:caller@example.com>;tag=323"
    ),
    "3.1.1.7 longreq": _request(
        "INVITE sip:user@example.com SIP/2.0",
        "3882340 INVITE",
        f"Unknown-{LONG_VALUE[:80]}: unknown-{LONG_VALUE}-value\n"
        + f"v: SIP/2.0/TCP sip33.example.com;received={LONG_VALUE[:200]}\n" * 30,
        to=f'"I have a user name of {LONG_VALUE}" <sip:user@example.com:6000;unknownparam1=very{LONG_VALUE}value;longparam{LONG_VALUE}name>',
    ),
    "3.1.1.8 dblreq": _request("REGISTER sip:example.com SIP/2.0", "8 REGISTER")
    + _request("INVITE sip:joe@example.com SIP/2.0", "1 INVITE"),
    "3.1.1.9 semiuri": _request("OPTIONS sip:user;par=u%40example.net@example.com SIP/2.0", "8 OPTIONS"),
    "3.1.1.10 transports": _request(
        "OPTIONS sip:user@example.com SIP/2.0",
        "60 OPTIONS",
        "Via: SIP/2.0/SCTP t2.example.com;branch=z9hG4bKklasjdhf\nVia: SIP/2.0/UNKNOWN t5.example.com;branch=z9hG4bK2980unv\n",
    ),
    "3.1.1.11 mpart01": with_body(
        """MESSAGE sip:kumiko@example.org SIP/2.0
Via: SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bK-d87543-4dade06d0bdb11ee-1--d87543-;rport
Max-Forwards: 70
To: <sip:kumiko@example.org>
From: <sip:fluffy@example.com>;tag=2fb0dcc9
Call-ID: 3d9485ad0c49859b@Zmx1ZmZ5LW1hYy0xNi5sb2NhbA..
CSeq: 1 MESSAGE
Content-Type: multipart/mixed;boundary=7a9cbec02ceef655
""",
        b"--7a9cbec02ceef655\r\nContent-Type: application/octet-stream\r\n\r\n0\x82\x01R\x06\t*\x86\x00H\r\n--7a9cbec02ceef655--\r\n",
    ),
    "3.1.1.12 unreason": crlf("SIP/2.0 200 = 2**3 * 5**2 но сто девяносто девять - простое\n")
    + _request("X", "35 INVITE").split(b"\r\n", 1)[1],
    "3.1.1.13 noreason": crlf("SIP/2.0 100 \n") + _request("X", "35 INVITE").split(b"\r\n", 1)[1],
    "3.1.2.2 clerr": with_body(MESSAGE_HEAD, b"short").replace(b"Content-Length: 5", b"Content-Length: 9999"),
    "3.1.2.3 ncl": with_body(MESSAGE_HEAD, b"short").replace(b"Content-Length: 5", b"Content-Length: -999"),
    "3.1.2.4 scalar02": _request("REGISTER sip:example.com SIP/2.0", "1 REGISTER", "Expires: 1000000000000000000000\n"),
    "3.1.2.5 scalarlg": crlf("SIP/2.0 503 Unavailable\n")
    + _request("X", "1 INVITE", "Retry-After: 949302838503028349304023988\n").split(b"\r\n", 1)[1],
    "3.1.2.6 quotbal": _request("INVITE sip:user@example.com SIP/2.0", "1 INVITE", to='"Mr. J. User <sip:j.user@example.com>'),
    "3.1.2.7 ltgtruri": _request("INVITE <sip:user@example.com> SIP/2.0", "1 INVITE"),
    "3.1.2.9 lwsstart": _request("INVITE  sip:user@example.com  SIP/2.0", "1 INVITE"),
    "3.1.2.10 trws": _request("OPTIONS sip:remote-target@example.com SIP/2.0  ", "1 OPTIONS"),
    "3.1.2.12 baddate": _request("INVITE sip:user@example.com SIP/2.0", "1 INVITE", "Date: Fri, 01 Jan 2010 16:00:00 EST\n"),
    "3.1.2.13 regbadct": _request(
        "REGISTER sip:example.com SIP/2.0", "1 REGISTER", "Contact: sip:user@example.com?Route=%3Csip:sip.example.com%3E\n"
    ),
    "3.1.2.15 badaspec": _request(
        "OPTIONS sip:user@example.org SIP/2.0", "1 OPTIONS", to='"Watson, Thomas" < sip:t.watson@example.org >'
    ),
    "3.1.2.16 baddn": _request(
        "OPTIONS sip:t.watson@example.org SIP/2.0", "1 OPTIONS", sender="Bell, Alexander <sip:a.g.bell@example.com>;tag=43"
    ),
    "3.2.1 badbranch": _request("OPTIONS sip:user@example.com SIP/2.0", "8 OPTIONS", via="SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK"),
    "3.3.2 unkscm": _request("OPTIONS nobodyKnowsThisScheme:totallyopaquecontent SIP/2.0", "3 OPTIONS"),
    "3.3.3 novelsc": _request("OPTIONS soap.beep://192.0.2.103:3002 SIP/2.0", "3 OPTIONS"),
    "3.3.4 unksm2": _request("REGISTER sip:example.com SIP/2.0", "3 REGISTER", to="isbn:2983792873"),
    "3.3.5 bext01": _request(
        "OPTIONS sip:user@example.com SIP/2.0", "8 OPTIONS", "Proxy-Require: nobody\nRequire: nothingSupportsThis\n"
    ),
    "3.3.8 multi01": _request("INVITE sip:user@example.com SIP/2.0", "5 INVITE", "CSeq: 59 INVITE\nCall-ID: other\n"),
    "3.3.9 mcl01": _request("OPTIONS sip:user@example.com SIP/2.0", "5 OPTIONS", "Content-Length: 99\n"),
    "3.3.15 sdp01": with_body(MESSAGE_HEAD.replace("Application/MANSCDP+xml", "application/sdp"), _SDP.rstrip(b"\r\n")),
    "3.4.1 inv2543": crlf("""INVITE sip:UserB@example.com SIP/2.0
Via: SIP/2.0/UDP iftgw.example.com
From: <sip:+13035551111@ift.client.example.net;user=phone>
Record-Route: <sip:UserB@example.com;maddr=ss1.example.com>
To: sip:+16505552222@ss1.example.net;user=phone
Call-ID: inv2543.1717@ift.client.example.com
CSeq: 56 INVITE

""")
    + _SDP,
}
# Refused, and with what sentence.
REFUSED = {
    "3.1.2.1 badinv01": (
        _request("INVITE sip:user@example.com SIP/2.0", "8 INVITE", via="SIP/2.0/UDP ;;,;,,"), "A Via is not readable."
    ),
    "3.1.2.4 scalar02's CSeq": (
        _request("REGISTER sip:example.com SIP/2.0", "36893488147419103232 REGISTER"), "A CSeq is not a number below 2^32 and a method."
    ),
    "3.1.2.8 lwsruri": (
        _request("INVITE sip:user@example.com; lr SIP/2.0", "3 INVITE"), "A SIP message has no readable first line."
    ),
    "3.1.2.11 escruri": (_request("INVITE  SIP/2.0", "1 INVITE"), "A SIP message has no readable first line."),
    "3.1.2.17 badvers": (_request("OPTIONS sip:t@example.org SIP/7.0", "1 OPTIONS"), "A message speaks another version than SIP 2.0."),
    "3.1.2.18 mismatch01": (
        _request("OPTIONS sip:user@example.com SIP/2.0", "8 INVITE"), "A SIP request's CSeq names another method."
    ),
    "3.1.2.19 bigcode": (
        crlf("SIP/2.0 4294967301 better not break the receiver\n") + _request("X", "1 INVITE").split(b"\r\n", 1)[1],
        "A SIP message has no readable first line.",
    ),
    "3.3.1 insuf": (crlf("INVITE sip:user@example.com SIP/2.0\nCSeq: 193942 INVITE\nVia: SIP/2.0/UDP 192.0.2.95;branch=z9hG4bKkdj.insuf\n\n"),
        "A SIP message has no From."),
}  # fmt: skip

CORPUS = [*DEVICES.values(), *UNDERSTOOD.values(), *(data for data, _ in REFUSED.values())]
PROOFS = [
    b'Digest username="a", realm="r", nonce="n", uri="sip:x", response="00", algorithm=MD5',
    b'Digest username="a",realm="r",nonce="n",uri="sip:x",response="00",qop=auth,nc=00000001,cnonce="c",algorithm=SHA-256-sess',
]
