"""Bytes made wrong in the ways that break parsers; the same random numbers make the same bytes (pure)."""

from collections.abc import Callable
from random import Random

NUMBERS = (0, 1, 2, 0x7F, 0x80, 0xFF, 0xFFFE, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFF0, 0xFFFFFFFE, 0xFFFFFFFF)
WORDS = (
    *(
        b"SQ",
        b"UN",
        b"OB",
        b"OW",
        b"UI",
        b"DS",
        b"AT",
        b"ZZ",
        b"\xff\xff",
        b"\0\0",
        b"\\",
        b"../",
        b"%s%n",
        b"\xf0\x9f\x92\xa3",
    ),
    *(b"\xfe\xff\x00\xe0", b"\xfe\xff\x0d\xe0", b"\xfe\xff\xdd\xe0", b"\xe0\x7f\x10\x00", b"nan", b"1e999", b"-"),
)
BEGINNING = 512  # bytes in which most headers are: half of all changes are made there


def mutate(data: bytes, random: Random, most: int = 4) -> bytes:
    """Return the bytes with one to `most` changes."""
    for _ in range(random.randint(1, most)):
        data = random.choice(CHANGES)(data, random)
    return data


def _place(data: bytes, random: Random) -> int:
    limit = len(data) if random.random() < 0.5 else min(len(data), BEGINNING)
    return random.randrange(limit + 1)


def _replaced(data: bytes, begin: int, piece: bytes, old: int) -> bytes:
    return data[:begin] + piece + data[begin + old :]


def flip_a_bit(data: bytes, random: Random) -> bytes:
    """Return the bytes with one bit changed."""
    if not data:
        return data
    place = min(_place(data, random), len(data) - 1)
    return _replaced(data, place, bytes([data[place] ^ 1 << random.randrange(8)]), 1)


def write_a_number(data: bytes, random: Random) -> bytes:
    """Return the bytes with a number over them that is near a limit."""
    size = random.choice((1, 2, 4))
    number = random.choice(NUMBERS) & ((1 << 8 * size) - 1)
    return _replaced(data, _place(data, random), number.to_bytes(size, random.choice(("little", "big"))), size)


def write_a_word(data: bytes, random: Random) -> bytes:
    """Return the bytes with something over them that means something in DICOM."""
    word = random.choice(WORDS)
    return _replaced(data, _place(data, random), word, random.choice((0, len(word))))


def cut_off(data: bytes, random: Random) -> bytes:
    """Return the beginning."""
    return data[: _place(data, random)]


def leave_out(data: bytes, random: Random) -> bytes:
    """Return the bytes without some in the middle."""
    return _replaced(data, _place(data, random), b"", random.randrange(1, 64))


def repeat(data: bytes, random: Random) -> bytes:
    """Return the bytes with a piece of them twice or more."""
    begin = _place(data, random)
    piece = data[begin : begin + random.randrange(1, 256)]
    return _replaced(data, begin, piece * random.choice((2, 3, 50)), len(piece))


def exchange(data: bytes, random: Random) -> bytes:
    """Return the bytes with a piece at another place."""
    begin, size = _place(data, random), random.randrange(1, 128)
    rest = data[:begin] + data[begin + size :]
    return _replaced(rest, _place(rest, random), data[begin : begin + size], 0)


def insert_noise(data: bytes, random: Random) -> bytes:
    """Return the bytes with random ones among them."""
    return _replaced(data, _place(data, random), random.randbytes(random.randrange(1, 64)), 0)


CHANGES: tuple[Callable[[bytes, Random], bytes], ...] = (
    *(flip_a_bit, write_a_number, write_a_number, write_a_word, write_a_word),
    *(cut_off, leave_out, repeat, exchange, insert_noise),
)
