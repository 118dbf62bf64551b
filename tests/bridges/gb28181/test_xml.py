# ruff: noqa: E501 - the wire has its own line lengths

from __future__ import annotations

import random
import re
import time
from typing import Any

import pytest

from bridges.gb28181 import charset, manscdp, xml

BOMB = '<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY lol1 "&lol;&lol;&lol;">]><Notify>&lol1;</Notify>'
EXTERNAL = '<!DOCTYPE Notify [<!ENTITY x SYSTEM "file:///etc/passwd">]><Notify><CmdType>&x;</CmdType></Notify>'


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (BOMB, "An XML document has a DTD, which is refused."),
        (EXTERNAL, "An XML document has a DTD, which is refused."),
        (EXTERNAL.replace("DOCTYPE", "doctype"), "An XML document has a DTD, which is refused."),
        ('<Notify><!ENTITY x "y"></Notify>', "An XML document has a DTD, which is refused."),
        ("<a>" * 17 + "</a>" * 17, "An XML document is nested deeper than 16 elements."),
        ("<a><b/></a>"[:3] + "<b/>" * 10_000, "An XML document has more than 10000 elements."),
        ("<a>" + "x" * (128 << 10), "An XML document is longer than 128 Ki characters."),
        ("", "There is no XML element."),
        ("words", "There is no XML element."),
        ("</a>", "There is no XML element."),
        ("<a><!-- b</a>", "An XML document has a comment or CDATA section that does not end."),
        ("<a><![CDATA[ b</a>", "An XML document has a comment or CDATA section that does not end."),
        ("<a>" + "<!--x-->" * 65, "An XML document has more than 64 comments and CDATA sections."),
    ],
)
def test_refused(text: str, sentence: str) -> None:
    with pytest.raises(ValueError) as caught:
        xml.parse(text)
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"x" * ((128 << 10) + 1), "A MANSCDP document is longer than 128 KiB."),
        (b"<html></html>", "A MANSCDP document is none of Query, Control, Notify and Response."),
        (b"<Notify></Notify>", "A MANSCDP document has no readable CmdType."),
        (b"<Notify><CmdType>a b</CmdType></Notify>", "A MANSCDP document has no readable CmdType."),
    ],
)
def test_no_manscdp(body: bytes, sentence: str) -> None:
    with pytest.raises(ValueError) as caught:
        manscdp.parse(body)
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    "text",
    ["<" * 130_000, "<a" * 65_000, "<a " * 43_000, "</a>" * 32_000, "<a b='" * 21_000, "&#" * 65_000, "<?" * 65_000, "<!" * 65_000,
     "<a>" + " " * 130_000, "<a " + " " * 130_000, "<a>" + "x</b>" * 26_000, "<a><b>" + " <c/>" * 9_900, "a<b>" * 17_000, "<a x='1' " + "y" * 130_000 + ">"],
)  # fmt: skip
def test_the_time_is_linear(text: str) -> None:
    began = time.thread_time()
    try:
        xml.parse(text)
    except ValueError:
        pass
    assert time.thread_time() - began < 0.5


def test_what_is_written_is_what_is_read() -> None:
    name = "东门 <A&B> \"x\" 'y'"
    body = manscdp.write("Control", "DeviceControl", 7, "1", [("Name", name), ("Info", [("P", "5")])], version="3.0")
    assert body.startswith(
        b'<?xml version="1.0" encoding="GB18030"?>\r\n<Control>\r\n<CmdType>DeviceControl</CmdType>\r\n<SN>7</SN>'
    )
    found = manscdp.parse(body)
    assert (found.root, found.sn, found.get("Name")) == ("control", 7, name)
    info = found.element.find("info")
    assert info is not None
    assert info.get("p") == "5"
    assert b'encoding="GB2312"' in manscdp.write("Query", "Catalog", 1, "1", version="2.0")


def test_characters_that_xml_does_not_have_are_left_out() -> None:
    assert b"<N>ab</N>" in manscdp.write("Query", "X", 1, "1", [("N", "a\x00\x0bb")])
    assert charset.decode(b"a\x00\x0b\x7fb\r\n") == "ab\r\n"


def test_flat_is_bounded_and_deep() -> None:
    element = xml.parse(
        "<a><b>1</b><c><d>2</d></c><e>" + "x" * 2000 + "</e>" + "".join(f"<f{n}>x</f{n}>" for n in range(100)) + "</a>"
    )
    found = manscdp.flat(element, ("B",))
    assert "b" not in found
    assert found["c.d"] == "2"
    assert len(found["e"]) == 1024
    assert len(found) == 64


@pytest.mark.parametrize("seed", range(30))
def test_elements_with_words_alone_are_read_as_all_others(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The short way through such an element is only shorter."""
    chance = random.Random(seed)
    pieces = ["<a>", "</a>", "<Item>", "</Item>", "<b>word</b>", "<B> two words </B>", "<c>x</C>", "<d></d>", "<item>w</item>",
              "word", " ", "\n", "<e k='v'>w</e>", "<f>&lt;</f>", "<g/>", "<![CDATA[<x>]]>", "<h>1 > 0</h>", "<i>\n</i>", "</b>"]  # fmt: skip

    def shape(one: xml.Element) -> Any:
        return one.name, one.text, one.attributes, [shape(child) for child in one.children]

    texts = ["<r>" + "".join(chance.choices(pieces, k=chance.randrange(1, 60))) for _ in range(60)]
    found = [shape(xml.parse(text)) for text in texts]
    monkeypatch.setattr(xml, "_LEAF", re.compile("(?!)"))
    assert found == [shape(xml.parse(text)) for text in texts]
