"""The evidence bundle: media and journal as they were written, the public keys, a player, a verifier and a report.

A clip's bundle has the whole journal, for that is what is signed, and the whole files of the tracks that are in the clip: every
byte of them is proved by the journal. Blocking.
"""

from __future__ import annotations

import html
import json
from collections.abc import Iterable
from importlib import resources
from typing import Any

from recorder.export import report, verifier
from recorder.export.archived import Zip
from recorder.export.recipe import Part
from recorder.export.taken import Source, Taken, blocks
from recorder.pedigree import Entry

README = """证据包 / evidence bundle

解压到一个文件夹后 / unpack it into a folder, then
  index.html    打开回看（不需要网络）/ opens the player, without any network
  report.html   说明：谁、何时、哪些轨道、缺失、摘要、如何核验 / the report, to be printed
  verify.pyz    独立核验程序 / verifier: python3 verify.pyz 证据包.zip --keys history.json
  keys/history.json  公钥历史。请另行从录制单位取得一份来核验 / public keys; get a copy of your own to verify with
  journal, manifest.json, tracks/   原始录制 / the recording as it was written
  export.json   本次导出的清单与签名 / what this export is, signed
"""


def sources(taken: Taken) -> list[Source]:
    return [source for lane in taken.lanes for source in lane.sources]


def expected(taken: Taken) -> int:
    """About how many bytes it will be."""
    return len(taken.journal) + sum(_size(taken, source) for source in sources(taken))


def _size(taken: Taken, source: Source) -> int:
    if source.size >= 0:
        return source.size
    with taken.open(source) as reader:
        return reader.size


def write(taken: Taken, zip: Zip, said: report.Said, history: Iterable[Entry]) -> list[Part]:
    """What it was made of."""
    zip.add("README.txt", README.encode())
    made: list[Part] = [zip.stream("journal", [taken.journal])]
    document = taken.manifest_bytes()
    if document is not None:
        made.append(zip.stream("manifest.json", [document]))
    for source in sources(taken):
        with taken.open(source) as reader:
            name = source.path if source.size >= 0 else source.name
            part = zip.stream(name, blocks(reader, 0, source.size if source.size >= 0 else reader.size))
        made.append(part)
    keys = [entry.document() for entry in history]
    zip.add("keys/history.json", json.dumps(keys, indent=1).encode() + b"\n")
    zip.add("verify.pyz", verifier.archive())
    zip.add("report.html", report.page(taken, said, made, keys))
    zip.add("data.js", b"window.RECORDING = " + _data(taken, said) + b";\n")
    zip.add("index.html", _player(taken))
    return made


def _player(taken: Taken) -> bytes:
    page = resources.files("recorder.export").joinpath("player.html").read_text("utf-8")
    return page.replace("{{title}}", html.escape(taken.manifest.title or taken.session)).encode()


def _data(taken: Taken, said: report.Said) -> bytes:
    """What the player shows. Of tracks only those that are in the bundle."""
    document = taken.document
    tracks = []
    for lane in taken.lanes:
        person, org = taken.name(lane.identity)
        files: list[dict[str, Any]] = [
            {"file": one.path if one.size >= 0 else one.name, "mime": one.mime, "start_ms": one.start, "end_ms": one.end,
             "duration_ms": one.duration}
            for one in lane.sources
        ]  # fmt: skip
        tracks.append({"id": lane.id, "identity": lane.identity, "name": person, "org_name": org, "kind": lane.kind,
                       "source": lane.source, "files": files})  # fmt: skip
    found = {
        "title": taken.manifest.title, "session": taken.session, "started_at": document["started_at"],
        "from_ms": taken.from_ms, "to_ms": taken.to_ms, "tracks": tracks, "speakers": document["speakers"],
        "gaps": document["gaps"], "mark": f"{said.by} {said.at}",
        "events": [_event(taken, event) for event in document["events"] if taken.from_ms <= event["at_ms"] <= taken.to_ms],
    }  # fmt: skip
    # A page's script ends at the first "</script", wherever it stands.
    return json.dumps(found, ensure_ascii=False).replace("<", "\\u003c").encode()


def _event(taken: Taken, event: dict[str, Any]) -> dict[str, Any]:
    name = taken.name(event["identity"])[0] if event["identity"] else ""
    return {"at_ms": event["at_ms"], "type": event["type"], "name": event["name"] or name, "text": event["text"]}
