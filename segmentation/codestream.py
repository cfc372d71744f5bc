"""What size a compressed frame says it has, read before a codec allocates anything for it (pure)."""

from collections.abc import Iterator

JPEG_START = b"\xff\xd8"
# Start of frame, ITU-T T.81 table B.1 without the tables DHT, JPG and DAC among them; T.87 C.1.1 adds JPEG-LS.
JPEG_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC} | {0xF7}
JPEG2000_START = b"\xff\x4f\xff\x51"  # SOC and SIZ, ITU-T T.800 A.4.1 and A.5.1
RLE_SEGMENTS = 15  # at most (PS3.5 G.5)


def samples_declared(frame: bytes) -> tuple[int, int, int] | None:
    """Return the rows, columns and components of a JPEG, JPEG-LS or JPEG 2000 frame, None where it is not told."""
    if frame.startswith(JPEG_START):
        return next(_jpeg_frames(frame), None)
    start = frame.find(JPEG2000_START)  # some exporters wrap the codestream in the boxes of a JP2 file
    if start < 0 or len(frame) < start + 42:
        return None
    size = frame[start + 8 :]
    right, bottom, left, top = (int.from_bytes(size[at : at + 4], "big") for at in (0, 4, 8, 12))
    return bottom - top, right - left, int.from_bytes(size[32:34], "big")


def rle_bytes_per_sample(frame: bytes) -> int:
    """Return how many segments an RLE frame has: one for each byte of a grey sample (PS3.5 G.2); 0 if malformed."""
    segments = int.from_bytes(frame[:4], "little")
    return segments if len(frame) >= 64 and segments <= RLE_SEGMENTS else 0


def _jpeg_frames(frame: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield what each frame header of a JPEG stream declares, up to the first scan."""
    at = 2
    while len(segment := frame[at : at + 10]) >= 4 and segment[0] == 0xFF and segment[1] != 0xDA:
        if segment[1] in JPEG_FRAME and len(segment) == 10:
            yield int.from_bytes(segment[5:7], "big"), int.from_bytes(segment[7:9], "big"), segment[9]
        # 0xFF may be repeated to fill up; a marker's length counts its own two bytes
        at += 1 if segment[1] == 0xFF else 2 + max(2, int.from_bytes(segment[2:4], "big"))
