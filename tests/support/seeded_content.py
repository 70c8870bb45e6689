"""Content that a seed names: any length, any part of it again at any time, at the speed of a copy.

Every 64 KiB piece opens with a hash of (seed, piece number) and goes on with a slice of one fixed random block that
starts where that hash says. No two pieces of any two seeds are equal, so a piece stored in the wrong place is
found, and nothing has to be kept to verify it.
"""

import hashlib
import random

PIECE_BYTES = 64 * 1024
BLOCK_BYTES = 1 << 20
HEADER_BYTES = 32
_BLOCK = random.Random(20230817).randbytes(BLOCK_BYTES + PIECE_BYTES)
_VIEW = memoryview(_BLOCK)


def _piece(seed, number):
    header = hashlib.sha256(f"{seed}/{number}".encode()).digest()
    start = int.from_bytes(header[:4], "little") % BLOCK_BYTES
    return header, _VIEW[start:start + PIECE_BYTES - HEADER_BYTES]


def content_range(seed, begin, end):
    """Bytes begin..end (end not included) of the content that `seed` names."""
    first, last = begin // PIECE_BYTES, -(-end // PIECE_BYTES)
    parts = []
    for number in range(first, last):
        parts.extend(_piece(seed, number))
    joined = b"".join(parts)
    offset = first * PIECE_BYTES
    return joined if begin == offset and end == offset + len(joined) else joined[begin - offset:end - offset]


def content_pieces(seed, begin, end, step=1 << 20):
    """The same, in pieces of `step` bytes."""
    for offset in range(begin, end, step):
        yield content_range(seed, offset, min(end, offset + step))


def content_digest(seed, size):
    hasher = hashlib.sha256()
    for piece in content_pieces(seed, 0, size):
        hasher.update(piece)
    return f"sha256:{hasher.hexdigest()}"
