"""The child process that decodes pixels, so that no codec ever runs in the daemon: one request a line and its bytes.

Reads from standard input a line of JSON, the fields of `pixel_decoder.Frame` and a length, and then so many bytes;
writes a line of JSON with the SHA-256 of the stored values, or with an error. Ends when nothing is asked for a while.
"""

import hashlib
import json
import resource
import select
import sys
from collections.abc import Callable
from typing import Any, BinaryIO

import imagecodecs
import numpy as np
from numpy.typing import NDArray

IDLE_S = 10.0
_DECODE: dict[str, Callable[..., Any]] = {
    "1.2.840.10008.1.2.4.57": imagecodecs.ljpeg_decode,
    "1.2.840.10008.1.2.4.70": imagecodecs.ljpeg_decode,
    "1.2.840.10008.1.2.4.80": imagecodecs.jpegls_decode,
    "1.2.840.10008.1.2.4.90": imagecodecs.jpeg2k_decode,
}
_RLE = "1.2.840.10008.1.2.5"


def stored_values(data: bytes, syntax: str, rows: int, columns: int, bits_allocated: int) -> NDArray[np.uint32]:
    """Return the stored values of one frame.

    Args:
        data: the frame, encoded.
        syntax: Transfer Syntax UID.
        rows: of the frame.
        columns: of the frame.
        bits_allocated: 8, 16 or 32.

    Returns:
        uint32, (rows, columns): the bits of each value, a negative one in two's complement of `bits_allocated`.

    Raises:
        ValueError: it is no frame of this size; codecs raise RuntimeError and TypeError of their own.
    """
    kind = np.dtype(f"<u{bits_allocated // 8}")
    if syntax == _RLE:
        values = np.frombuffer(imagecodecs.dicomrle_decode(data, kind), dtype=kind)
    elif syntax in _DECODE:
        decoded = np.asarray(_DECODE[syntax](data))
        values = decoded.astype(kind.newbyteorder("="), casting="unsafe").ravel()
    else:
        values = np.frombuffer(data[: rows * columns * kind.itemsize], dtype=kind)
    return values.reshape(rows, columns).astype(np.uint32)


def digest(data: bytes, request: dict[str, Any]) -> str:
    """Return the SHA-256 of the values of one frame, only the bits that are stored."""
    values = stored_values(data, request["syntax"], request["rows"], request["columns"], request["bits_allocated"])
    mask = np.uint32((1 << request["bits_stored"]) - 1)
    return hashlib.sha256((values & mask).astype("<u4").tobytes()).hexdigest()


def answer(source: BinaryIO) -> dict[str, str] | None:
    """Answer one request; None where there is none any more."""
    line = source.readline()
    if not line:
        return None
    request = json.loads(line)
    data = source.read(request["length"])
    try:
        return {"sha256": digest(data, request)}
    except (RuntimeError, ValueError, TypeError, MemoryError) as error:
        return {"error": type(error).__name__}


def main() -> None:
    """Answer until nobody asks; argument 1 is the most memory that may be used, in MiB."""
    limit = int(sys.argv[1]) << 20
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    source = sys.stdin.buffer
    while select.select([source], [], [], IDLE_S)[0]:
        reply = answer(source)
        if reply is None:
            return
        sys.stdout.write(json.dumps(reply) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
