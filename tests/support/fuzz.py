"""A seeded mutator, and a hammer: hostile bytes for a parser, of which only its declared errors may come out, and soon."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

SLOWEST = 0.1  # seconds of this thread's own time for one input; a busy machine does not count
EDGES = (b"\x00", b"\xff", b"\x7f", b"\x80", b"\x00\x00", b"\xff\xff", b"\x7f\xff", b"\x80\x00", b"\x00" * 4, b"\xff" * 4)
NUMBERS = (b"0", b"-1", b"65536", b"4294967296", b"99999999999999999999", b"1e9", "٣".encode(), b"+1", b" 1")
LONGEST = 1 << 17


class Mutator:
    """``next()`` is an input of at most ``largest`` octets made from the corpus. ``text`` also cuts at lines and words and plays
    with numbers."""

    def __init__(self, corpus: Sequence[bytes], seed: int, *, text: bool = False, largest: int = LONGEST) -> None:
        assert corpus, "A mutator needs something to mutate."
        self._corpus, self._random, self._text, self._largest = list(corpus), Random(seed), text, largest

    def next(self) -> bytes:
        random = self._random
        if random.random() < 0.02:
            return random.randbytes(random.choice((0, 1, 2, 3, 4, 8, 12, 20, 100, 1400)))
        data = bytearray(random.choice(self._corpus))
        for _ in range(random.choice((0, 1, 1, 1, 2, 3, 8))):
            if self._text and random.random() < 0.6:
                data = bytearray(self._words(bytes(data)))
            else:
                self._octets(data)
            del data[self._largest :]
        return bytes(data)

    def _octets(self, data: bytearray) -> None:
        random = self._random
        at = random.randrange(len(data) + 1)
        match random.randrange(8):
            case 0 if data:
                data[at % len(data)] ^= 1 << random.randrange(8)
            case 1 if data:
                data[at % len(data)] = random.randrange(256)
            case 2:
                del data[at:]
            case 3:
                del data[at : at + random.choice((1, 2, 4, 16))]
            case 4:
                edge = random.choice(EDGES)
                data[at : at + len(edge)] = edge
            case 5:
                data[at:at] = random.randbytes(random.choice((1, 2, 4, 16, 300)))
            case 6:
                data[at:at] = data[at : at + random.choice((2, 8, 64, 500))] * random.choice((1, 2, 30))
            case _:
                other = random.choice(self._corpus)
                data[at:] = other[random.randrange(len(other) + 1) :]

    def _words(self, data: bytes) -> bytes:
        random = self._random
        separator = random.choice((b"\r\n", b"\n", b" ", b"=", b":", b";", b","))
        parts = data.split(separator)
        at = random.randrange(len(parts))
        match random.randrange(6):
            case 0:
                del parts[at]
            case 1:
                parts.insert(at, random.choice(parts))
            case 2:
                parts[at] = random.choice(NUMBERS)
            case 3:
                other = random.randrange(len(parts))
                parts[at], parts[other] = parts[other], parts[at]
            case 4:
                parts[at] = parts[at] * random.choice((2, 100))
            case _:
                parts[at] = random.choice((b"", b"\x00", "东口".encode(), b"\xff", b"'\"<>%s{}", b"a" * 5000))
        return separator.join(parts)


@dataclass
class Result:
    inputs: int = 0
    refused: int = 0
    slowest: float = 0.0


def hammer(
    parse: Callable[[bytes], object],
    corpus: Sequence[bytes],
    count: int,
    seed: int,
    *,
    text: bool = False,
    declared: tuple[type[Exception], ...] = (ValueError,),
    slowest: float = SLOWEST,
    largest: int = LONGEST,
) -> Result:
    """Feeds ``count`` inputs. AssertionError with the input (hex) when something undeclared comes out, when a declared error says
    no sentence, or when one input takes too long. Of a ``ValueError`` only that class itself is declared: UnicodeDecodeError or
    json's is somebody else's."""
    mutator, result = Mutator(corpus, seed, text=text, largest=largest), Result()
    for data in corpus:
        _one(parse, data, declared, slowest, result)
    while result.inputs < count:
        _one(parse, mutator.next(), declared, slowest, result)
    return result


def _one(
    parse: Callable[[bytes], object], data: bytes, declared: tuple[type[Exception], ...], slowest: float, result: Result
) -> None:
    result.inputs += 1
    spent = _timed(parse, data, declared, result)
    for _ in range(3):  # what the collector, the first use or a busy neighbour cost is not the input's fault
        if spent >= slowest:
            spent = min(spent, _timed(parse, data, declared, Result()))
    result.slowest = max(result.slowest, spent)
    assert spent < slowest, f"{spent:.3f} s for {len(data)} octets: {data[:3000].hex()}"


def _timed(parse: Callable[[bytes], object], data: bytes, declared: tuple[type[Exception], ...], result: Result) -> float:
    began = time.thread_time()
    try:
        parse(data)
    except Exception as error:
        shown = f"{len(data)} octets: {data[:3000].hex()}"
        if type(error) not in declared:
            raise AssertionError(f"{shown}\n{''.join(traceback.format_exception(error))}") from None
        if not str(error).endswith((".", "。")):
            raise AssertionError(f"{error!r} is no sentence; {shown}") from None
        result.refused += 1
    return time.thread_time() - began
