"""A city's address book of any size, always the same for the same seed."""

from __future__ import annotations

import csv
import io
import random

from commhub.directory.fields import COLUMNS

_FAMILY = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕"
_GIVEN = "明国华建文军平志伟东海强晓生光林小民永杰波成荣新康美燕芳静丽敏艳秀英慧玲桂珍莉兰"
_POSTS = ("值班长", "副局长", "值班员", "科长", "调度员", "主任", "街道书记", "应急专员", "通信保障")


def csv_of(people: int, endpoints: int, *, streets: int = 100, seed: int = 1) -> bytes:
    """Districts and streets below the organisation ``city``, and people there who are reached by telephone, page and app."""
    chance = random.Random(seed)
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, COLUMNS, lineterminator="\r\n")
    writer.writeheader()
    orgs = []
    for at in range(streets):
        parent = f"d{at // 10}"
        if at % 10 == 0:
            row = {"type": "organisation", "key": parent, "name": f"第{at // 10}新区", "kind": "district", "parent": "city"}
            writer.writerow(row)
        orgs.append(f"s{at}")
        row = {"type": "organisation", "key": orgs[-1], "name": f"第{at}街道", "kind": "street", "parent": parent}
        writer.writerow({**row, "connectivity": chance.choice(("full", "video", "phone"))})
    for at in range(people):
        name = chance.choice(_FAMILY) + "".join(chance.choices(_GIVEN, k=chance.choice((1, 2, 2))))
        post = chance.choice(_POSTS)
        row = {"type": "person", "key": f"p{at}", "name": name, "org": chance.choice(orgs), "post": post}
        writer.writerow({**row, "level": chance.randint(1, 9)})
    kinds = ("phone", "web", "sip", "app", "im", "radio")
    for at in range(endpoints):
        kind = kinds[(at // people) % len(kinds)]
        address = {
            "phone": f"1{chance.choice('3578')}{chance.randrange(10**9):09}",
            "sip": f"{80_000 + at}@pbx",
            "im": f"user{at}",
            "radio": f"ch-{at % 64}",
        }.get(kind, "")
        label = {"phone": "手机", "sip": "办公电话"}.get(kind, "")
        row = {"type": "endpoint", "key": f"e{at}", "owner": f"person:p{at % people}", "kind": kind, "label": label}
        writer.writerow({**row, "address": address})
    return buffer.getvalue().encode()
