"""XML as cameras write it: a reader that forgives and cannot be blown up. No I/O, no clock.

One pass, linear in the text. There are no entities but the five of XML and numbers, no DTD, no includes: a document that has a
DTD is refused. Forgiven are raw ``&`` and ``<``, tags that are closed twice, never, or in the wrong order, any case of names,
a missing declaration, words before and behind the document.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

SIZE_LIMIT = 128 << 10  # characters
DEPTH_LIMIT = 16
ELEMENTS_LIMIT = 10_000
SECTIONS_LIMIT = 64
ATTRIBUTES_LIMIT = 1024  # characters of a tag that are looked at

# Possessive: a name or its attributes are never given back, so what is open at the end is looked at once.
_TAG = re.compile(
    r"<(/?)([A-Za-z_][\w.:-]*+)([^<>]*+)>|<!\[CDATA\[(.*?)\]\]>|<!--.*?-->|<\?[^<>]*+>|(<!(?:DOCTYPE|ENTITY))",
    re.IGNORECASE | re.DOTALL,
)
_OPENINGS = re.compile(r"<!(?:--|\[CDATA\[)", re.I)
_ATTRIBUTE = re.compile(r"(?<![\w.:-])([A-Za-z_][\w.:-]*+)\s*+=\s*+(?:\"([^\"]*+)\"|'([^']*+)')")
_LEAF = re.compile(r"(\s*+)<([A-Za-z_][\w.:-]*+)>([^<&]*+)</\2>")
_ENTITY = re.compile(r"&(?:(lt|gt|amp|quot|apos)|#([0-9]{1,7})|#x([0-9a-fA-F]{1,6}));")
_NAMED = {"lt": "<", "gt": ">", "amp": "&", "quot": '"', "apos": "'"}
_ENTRY = "item"


class Element:
    """``name`` as written; everything is found without regard to case. ``text`` is its own, stripped."""

    __slots__ = ("attributes", "children", "key", "name", "text")

    def __init__(self, name: str, attributes: dict[str, str] | None = None) -> None:
        self.name = name
        self.key = name.lower()
        self.text = ""
        self.attributes = attributes or {}  # names in lower case
        self.children: list[Element] = []

    def __repr__(self) -> str:
        return f"Element({self.name}, {len(self.children)} children)"

    def find(self, name: str) -> Element | None:
        """The first child of that name."""
        wanted = name.lower()
        for one in self.children:
            if one.key == wanted:
                return one
        return None

    def get(self, name: str, default: str = "") -> str:
        """The first child's text, else the attribute's."""
        found = self.find(name)
        return found.text if found is not None else self.attributes.get(name.lower(), default)

    def all(self, name: str) -> Iterator[Element]:
        """Every element of that name below this one, in the document's order."""
        wanted = name.lower()
        waiting = list(reversed(self.children))
        while waiting:
            one = waiting.pop()
            if one.key == wanted:
                yield one
            waiting.extend(reversed(one.children))


class _Open:
    """An element whose end has not come, and its words so far: pieces, since there may be many."""

    __slots__ = ("element", "pieces", "spoke")

    def __init__(self, element: Element) -> None:
        self.element = element
        self.pieces: list[str] = []
        self.spoke = False  # anything but blanks

    def hear(self, piece: str) -> None:
        self.pieces.append(piece)
        self.spoke = self.spoke or not piece.isspace()

    def close(self) -> None:
        self.element.text = unescape("".join(self.pieces)).strip() if self.spoke else ""


def parse(text: str) -> Element:
    """The first element and what is in it. ValueError, one sentence, when there is none, when there is a DTD, or when it is
    too large or too deep."""
    if len(text) > SIZE_LIMIT:
        raise ValueError("An XML document is longer than 128 Ki characters.")
    _check_sections(text)
    top = Element("")
    stack, last, count = [_Open(top)], 0, 0
    while True:
        leaf = _LEAF.match(text, last)
        if leaf is not None and _is_plain(stack, leaf[2]):
            if leaf[1]:
                stack[-1].hear(leaf[1])
            made = Element(leaf[2])
            made.text = leaf[3].strip()
            stack[-1].element.children.append(made)
            last = leaf.end()
            count += 1
            if count > ELEMENTS_LIMIT:
                raise ValueError("An XML document has more than 10000 elements.")
            continue
        found = _TAG.search(text, last)
        if found is None:
            break
        start, end = found.span()
        if start > last:
            stack[-1].hear(text[last:start])
        last = end
        closing, name, rest, section, dtd = found.groups()
        if name is None:
            if dtd:
                raise ValueError("An XML document has a DTD, which is refused.")
            if section:
                stack[-1].hear(section.replace("&", "&amp;"))
            continue
        if closing:
            _close(stack, name.lower())
            if len(stack) == 1 and top.children:
                break  # whatever follows the document is garbage
            continue
        count += 1
        if count > ELEMENTS_LIMIT:
            raise ValueError("An XML document has more than 10000 elements.")
        _open(stack, name, rest)
        if len(stack) > DEPTH_LIMIT + 1:
            raise ValueError("An XML document is nested deeper than 16 elements.")
    while len(stack) > 1:
        stack.pop().close()
    if not top.children:
        raise ValueError("There is no XML element.")
    return top.children[0]


def _is_plain(stack: list[_Open], name: str) -> bool:
    """Whether an element with words alone, which ends where it should, can mean nothing else here."""
    return 1 < len(stack) <= DEPTH_LIMIT and not (stack[-1].spoke and len(stack) > 2) and name.lower() != _ENTRY


def _check_sections(text: str) -> None:
    """Comments and CDATA that never end would be looked for again at each of their beginnings."""
    if "<!" not in text:
        return
    openings = list(_OPENINGS.finditer(text))
    if len(openings) > SECTIONS_LIMIT:
        raise ValueError("An XML document has more than 64 comments and CDATA sections.")
    for found in openings:
        if text.find("-->" if found[0] == "<!--" else "]]>", found.end()) < 0:
            raise ValueError("An XML document has a comment or CDATA section that does not end.")


def _open(stack: list[_Open], name: str, rest: str) -> None:
    if name.lower() == _ENTRY and any(one.element.key == _ENTRY for one in stack):
        _close(stack, _ENTRY)  # entries of lists do not contain each other: its end is missing
    elif stack[-1].spoke and len(stack) > 2:
        stack.pop().close()  # so is this one's: nothing has both words and elements in it
    made = Element(name, _attributes(rest) if "=" in rest else None)
    stack[-1].element.children.append(made)
    if rest[-1:] != "/":
        stack.append(_Open(made))


def _attributes(text: str) -> dict[str, str]:
    found = _ATTRIBUTE.finditer(text[:ATTRIBUTES_LIMIT])
    return {one[1].lower(): unescape(one[2] if one[2] is not None else one[3]) for one in found}


def _close(stack: list[_Open], key: str) -> None:
    """Closes the innermost of that name and all in it; a name that is not open is passed over."""
    at = len(stack) - 1
    while at and stack[at].element.key != key:
        at -= 1
    while at and len(stack) > at:
        stack.pop().close()


def unescape(text: str) -> str:
    """XML's five entities and numbers; any other ``&`` stays what it is."""
    return _ENTITY.sub(_character, text) if "&" in text else text


def _character(found: re.Match[str]) -> str:
    if found[1]:
        return _NAMED[found[1].lower()]
    code = int(found[2]) if found[2] else int(found[3], 16)
    return chr(code) if 32 <= code < 0xD800 or 0xE000 <= code < 0x110000 else ""


def escape(text: str) -> str:
    """For what we write: also without the characters that XML does not have."""
    cleaned = "".join(one for one in text if one >= " " or one in "\t\n")
    return cleaned.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
