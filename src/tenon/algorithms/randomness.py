"""Random streams that depend on a seed and a counter alone, so that update number k draws the same numbers always."""

from __future__ import annotations

import hashlib

import torch


def derived_seed(seed: int, stream: str, number: int) -> int:
    """A 64-bit seed from (seed, stream, number). Neighbouring numbers give unrelated seeds."""
    text = f"{seed}/{stream}/{number}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")


def reseed(generator: torch.Generator, seed: int, stream: str, number: int) -> torch.Generator:
    """Sets ``generator`` to the start of the stream (seed, stream, number) and returns it."""
    return generator.manual_seed(derived_seed(seed, stream, number))
