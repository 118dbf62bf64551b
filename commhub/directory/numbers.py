"""Telephone numbers: what is one, how it is shown, and how it is found without being readable in the database."""

from __future__ import annotations

import re

from commhub.directory.words import fold
from commhub.vault import Vault

#: How somebody is reached, best first where nothing else is said.
KINDS = ("web", "app", "phone", "sip", "room", "camera", "im", "radio")
_DIGITS = re.compile(r"\D")
_PHONE = re.compile(r"\+?[0-9][0-9 ()./-]{1,30}[0-9]")
_LONG = re.compile(r"[0-9]{7,}")
SHORTEST = 4  # digits of the end by which a number is found


def is_phone(address: str) -> bool:
    """3 to 20 digits, as people write them."""
    return _PHONE.fullmatch(address) is not None and 3 <= len(_DIGITS.sub("", address)) <= 20


def personal(kind: str, address: str) -> bool:
    """Does it identify a person, and has to be sealed? Telephones do, and every other address with a long number in it."""
    return bool(address) and (kind == "phone" or _LONG.search(address) is not None)


def mask(address: str) -> str:
    """
    >>> mask("13812341234"), mask("+86 138-1234-1234"), mask("sip:01088776655@pbx"), mask("8001")
    ('138****1234', '+86138****1234', 'sip:010****6655@pbx', '8***')
    """
    plain = re.sub(r"(?<=\d)[ ()./-]+(?=\d)", "", address)
    long = _LONG.search(plain)
    if long is None:
        return re.sub(r"(?<!^)\d", "*", plain)
    digits = long[0]
    country = "86" if digits.startswith("86") and len(digits) == 13 else ""
    own = digits[len(country) :]
    head = own[:3] if len(own) >= 10 else own[:1]
    return f"{plain[: long.start()]}{country}{head}****{own[-4 if len(own) >= 10 else -2 :]}{plain[long.end() :]}"


def digits(text: str) -> str:
    """The number as it is dialled within the country; '' when there is none."""
    found = _DIGITS.sub("", fold(text).removeprefix("+").removeprefix("00"))
    return found[2:] if len(found) == 13 and found.startswith("86") else found


def whole(vault: Vault, address: str) -> str:
    """The digest that two spellings of the same address share."""
    return vault.digest("number " + (digits(address) if is_phone(address) else fold(address)))


def token(vault: Vault, end: str) -> str:
    """What stands for digits among the words of an entry; nothing anybody types begins so."""
    return "#" + vault.digest("end " + end)[:16]


def tokens(vault: Vault, address: str) -> frozenset[str]:
    """Of the number as a whole and of its ends from four digits on."""
    number = digits(address)
    ends = {number, *(number[-length:] for length in range(SHORTEST, min(len(number), 9)))}
    return frozenset(token(vault, end) for end in ends if len(end) >= 3)


def asked(vault: Vault, word: str) -> list[str]:
    """Tokens of a word of a query that may be a number."""
    number = digits(word)
    return [token(vault, number)] if len(number) >= 3 and not re.search(r"[^\d+().-]", word) else []
