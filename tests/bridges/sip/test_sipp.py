"""SIP as ``sipp`` speaks it (Debian's sip-tester): REGISTER with a digest, OPTIONS and a call, over UDP and TCP."""

from __future__ import annotations

import asyncio
import secrets
import shutil
from collections import Counter
from pathlib import Path

import pytest

from bridges.sip.dialog import Dialog, Dialogs
from bridges.sip.digest import Credentials, Server, Verdict
from bridges.sip.message import Response
from bridges.sip.transaction import Acknowledged, Asked, Failed
from bridges.sip.transport import Endpoint, Told

pytestmark = [
    pytest.mark.peer,
    pytest.mark.timeout(60),
    pytest.mark.skipif(shutil.which("sipp") is None, reason="sip-tester is not installed: tools/bootstrap.sh test"),
]

USER, PASSWORD, REALM = "34020000001110000001", "camera-7", "3402000000"


class Registrar:
    """Asks for a digest, believes who knows the password, answers calls from those."""

    def __init__(self, *, qop: bool = True) -> None:
        self.server = Server(secrets.token_bytes(32), REALM, qop=qop)  # MD5 is all that sipp 3.6 knows
        self.endpoint, self.dialogs, self.seen = Endpoint(self.hear), Dialogs(), Counter[str]()

    def hear(self, told: Told) -> None:
        match told:
            case Asked():
                self.answer(told)
            case Acknowledged():
                self.seen["acknowledged"] += 1
            case Failed():
                self.seen[told.reason] += 1

    def answer(self, asked: Asked) -> None:
        request, now = asked.request, asyncio.get_running_loop().time()
        if request.method == "REGISTER":
            self.endpoint.respond(asked.key, self.register(asked, now))
            return
        dialog, response = self.dialogs.receive(request, now)
        response = response or request.reply(200, tag=secrets.token_hex(4))
        if request.method == "INVITE" and response.status == 200:
            response.headers.add("Contact", f"<sip:{asked.flow.local}>")
            dialog = Dialog.calling(request, response)
            self.dialogs.add(dialog, now)
        self.seen[f"{request.method} {response.status}"] += 1
        if dialog:
            dialog.responded(response)
        self.endpoint.respond(asked.key, response)

    def register(self, asked: Asked, now: float) -> Response:
        request, host = asked.request, asked.flow.host
        header = request.headers.get("Authorization")
        verdict = Verdict.STALE
        if header:
            said = Credentials.parse(header)
            verdict = self.server.verify(said, PASSWORD if said.user == USER else None, "REGISTER", host, now)
        self.seen[verdict.value if header else "challenged"] += 1
        if header and verdict is Verdict.RIGHT:
            self.endpoint.learn(said.user, asked.flow)
            response = request.reply(200, tag=secrets.token_hex(4))
            response.headers.add("Expires", request.expires or 3600)
            return response
        response = request.reply(403 if verdict is Verdict.WRONG else 401, tag=secrets.token_hex(4))
        if response.status == 401:
            for challenge in self.server.challenge(host, now, stale=bool(header)):
                response.headers.add("WWW-Authenticate", challenge)
        return response


COMMON = f"""Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
      From: <sip:{USER}@{REALM}>;tag=[pid]T[call_number]
      Call-ID: [call_id]
      Max-Forwards: 70
      Contact: <sip:{USER}@[local_ip]:[local_port]>
      Content-Length: 0"""


def send(method: str, number: int, to: str = f"<sip:{REALM}>", *, more: str = "", retrans: str = ' retrans="500"') -> str:
    return f"""<send{retrans}><![CDATA[

      {method} sip:{REALM}@[remote_ip]:[remote_port] SIP/2.0
      To: {to}[peer_tag_param]
      CSeq: {number} {method}
      {more}{COMMON}

    ]]></send>"""


REGISTERS = (
    send("REGISTER", 1, f"<sip:{USER}@{REALM}>", more="Expires: 3600\n      ").replace("[peer_tag_param]", "")
    + '<recv response="401" auth="true"/>'
    + send(
        "REGISTER",
        2,
        f"<sip:{USER}@{REALM}>",
        more=f"Expires: 3600\n      [authentication username={USER} password={PASSWORD}]\n      ",
    ).replace("[peer_tag_param]", "")
)
SCENARIOS = {
    "register": REGISTERS + '<recv response="200"/>',
    "wrong password": REGISTERS.replace(f"password={PASSWORD}", "password=other") + '<recv response="403"/>',
    "options": send("OPTIONS", 1).replace("[peer_tag_param]", "") + '<recv response="200"/>',
    "call": send("INVITE", 1).replace("[peer_tag_param]", "")
    + '<recv response="100" optional="true"/><recv response="200" rrs="true"/>'
    + send("ACK", 1, retrans="")
    + send("BYE", 2)
    + '<recv response="200"/>',
}


async def sipp(tmp_path: Path, scenario: str, port: int, transport: str, calls: int) -> tuple[int, str]:
    file = tmp_path / "scenario.xml"
    file.write_text(f'<?xml version="1.0" encoding="UTF-8"?>\n<scenario name="x">{SCENARIOS[scenario]}</scenario>\n')
    arguments = ["-sf", str(file), "-m", str(calls), "-r", "20", "-l", "5", "-t", transport, "-timeout", "20s", "-timeout_error"]
    process = await asyncio.create_subprocess_exec(
        "sipp", f"127.0.0.1:{port}", "-i", "127.0.0.1", *arguments, "-nostdin",
        cwd=tmp_path, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        async with asyncio.timeout(40):
            output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return process.returncode, output.decode(errors="replace")[-3000:]


@pytest.mark.parametrize("transport", ["u1", "t1"])
@pytest.mark.parametrize("scenario", SCENARIOS)
async def test_sipp(tmp_path: Path, scenario: str, transport: str) -> None:
    registrar = Registrar()
    port = await registrar.endpoint.open(["127.0.0.1"], 0)
    code, output = await sipp(tmp_path, scenario, port, transport, 5)
    assert code == 0, output
    seen, flow = registrar.seen, registrar.endpoint.flow(USER)
    match scenario:
        case "register":
            assert (seen["challenged"], seen["right"]) == (5, 5)
        case "wrong password":
            assert (seen["challenged"], seen["wrong"], flow) == (5, 5, None)
        case "call":
            assert (seen["INVITE 200"], seen["acknowledged"], seen["BYE 200"]) == (5, 5, 5)
            assert len(registrar.dialogs) == 0
    await registrar.endpoint.close()


async def test_sipp_registers_without_qop_as_devices_of_2016_do(tmp_path: Path) -> None:
    registrar = Registrar(qop=False)
    port = await registrar.endpoint.open(["127.0.0.1"], 0)
    code, output = await sipp(tmp_path, "register", port, "u1", 2)
    assert code == 0, output
    assert registrar.seen["right"] == 2
    await registrar.endpoint.close()
