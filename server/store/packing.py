"""How requests and setups are stored: packed, and refused when a piece is missing."""

import zlib


def pack(data: bytes) -> bytes:
    """Return data as it is stored."""
    return zlib.compress(data, level=3)


def unpack(packed: bytes) -> bytes:
    """Return data as it was; raises ValueError when a piece of it is missing."""
    opened = zlib.decompressobj()
    try:
        data = opened.decompress(packed)
    except zlib.error as error:
        raise ValueError("what was stored is damaged") from error
    if not opened.eof:
        raise ValueError("a piece of what was stored is missing")
    return data
