"""Real-time scheduling for the processes in which a physical arm lives: a busy machine must not make them late."""

from __future__ import annotations

import os

PRIORITY = 5
"""Above everything that is scheduled by shares, below the kernel's own."""


def prefer_realtime() -> bool:
    """Puts this process and its later threads under SCHED_RR. Returns whether the machine allows it."""
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(PRIORITY))
    except OSError:
        return False
    return True
