"""The CRC-32 of two pieces of data one after the other, from those of the pieces: for data that were summed already."""

from __future__ import annotations

from functools import lru_cache

_POLYNOMIAL = 0xEDB88320
_ONE = 1 << 31
"""The polynomial 1: coefficients stand in reversed order, as in the checksums themselves."""


def combine(first: int, second: int, second_bytes: int) -> int:
    """crc32(a + b) from ``first`` = crc32(a), ``second`` = crc32(b) and the length of b."""
    return _multiply(_shift(second_bytes), first) ^ second


@lru_cache(maxsize=64)
def _shift(count: int) -> int:
    """x to the power of 8 times ``count``, modulo the polynomial."""
    result, power, exponent = _ONE, _ONE >> 1, 8 * count
    while exponent:
        if exponent & 1:
            result = _multiply(result, power)
        power = _multiply(power, power)
        exponent >>= 1
    return result


def _multiply(a: int, b: int) -> int:
    """The product of two polynomials over GF(2), modulo the polynomial of CRC-32."""
    product, mask = 0, _ONE
    while mask:
        if a & mask:
            product ^= b
        b = b >> 1 ^ _POLYNOMIAL if b & 1 else b >> 1
        mask >>= 1
    return product
