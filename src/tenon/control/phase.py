"""The phases of a session, on which mux, observation and console depend."""

from __future__ import annotations

import enum


class SessionPhase(enum.IntEnum):
    """Values are those of ``tenon_msgs/msg/SessionState``."""

    IDLE = 0
    RESETTING = 1
    RUNNING = 2
    PAUSED = 3
    FAULT = 4
    FINISHED = 5
