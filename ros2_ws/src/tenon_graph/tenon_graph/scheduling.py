"""Real-time scheduling where a physical arm waits for the answer: a busy machine must not make it late."""

from __future__ import annotations

import os
from pathlib import Path

ARM_PRIORITY, CONTROL_PRIORITY = 5, 3
"""The arm's own loop comes before what answers it; both come before everything that is scheduled by shares."""
THREADS = Path("/proc/self/task")


def prefer_realtime(priority: int) -> bool:
    """Puts this process, with the threads that it has and will have, under SCHED_RR.

    Returns whether the machine allows it.
    """
    return _schedule(os.SCHED_RR, priority)


def share_the_rest() -> None:
    """Takes this process out of it: what may take its time, as learning may."""
    _schedule(os.SCHED_OTHER, 0)


def _schedule(policy: int, priority: int) -> bool:
    try:
        for thread in THREADS.iterdir():
            os.sched_setscheduler(int(thread.name), policy, os.sched_param(priority))
    except OSError:
        return False
    return True
