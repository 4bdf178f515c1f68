"""How the process deals with the memory that updates use and free, again and again."""

from __future__ import annotations

import ctypes
import platform

# Names and numbers of glibc's malloc.h.
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
# The largest threshold that glibc accepts.
_MMAP_FROM_BYTES = 32 << 20
_TRIM_FROM_BYTES = 512 << 20


def keep_freed_memory() -> None:
    """Lets the process keep freed memory for the next update; nothing where the C library is not glibc.

    By default glibc hands the activations of an update back to the kernel, which then clears every page of the next
    update's anew: a tenth of the time of a small update, and most of the time of a batch of images.
    """
    if platform.libc_ver()[0] != "glibc":
        return
    libc = ctypes.CDLL(None)
    libc.mallopt(_M_MMAP_THRESHOLD, _MMAP_FROM_BYTES)
    libc.mallopt(_M_TRIM_THRESHOLD, _TRIM_FROM_BYTES)
