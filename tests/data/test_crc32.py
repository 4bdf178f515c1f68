from __future__ import annotations

import zlib

from hypothesis import given
from hypothesis import strategies as st

from tenon.data.crc32 import combine


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_combined_is_the_checksum_of_both(first: bytes, second: bytes) -> None:
    assert combine(zlib.crc32(first), zlib.crc32(second), len(second)) == zlib.crc32(first + second)


def test_large_pieces_combine_as_small_ones_do() -> None:
    first, second = bytes(range(256)) * 5000, b"tenon" * 400_000
    assert combine(zlib.crc32(first), zlib.crc32(second), len(second)) == zlib.crc32(first + second)
