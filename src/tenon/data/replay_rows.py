"""A replay's row: all that is known of a transition beyond the numbers that a learner takes."""

from __future__ import annotations

import numpy as np

from tenon.data.transitions import Transition

ROW = np.dtype(
    [
        ("number", "<u8"),
        ("stamp_ns", "<i8"),
        ("policy_version", "<u8"),
        ("frame", "<u8"),
        ("next_frame", "<u8"),
        ("session", "<u4"),
        ("episode", "<u4"),
        ("step", "<u4"),
        ("truncated", "?"),
        ("success", "?"),
        ("saturated", "?"),
        ("ended", "?"),
        ("reward_logit", "<f4"),
        ("reward_version", "<u4"),
        ("checksum", "<u4"),
        ("human", "?"),
        ("unused", "u1", (3,)),
    ]
)
# The checksum covers the row up to itself; who acted came later and stands where old rows hold zeros.
CHECKED_BYTES = ROW.itemsize - 8
_OF_TRANSITION = (
    "episode",
    "step",
    "stamp_ns",
    "policy_version",
    "truncated",
    "success",
    "saturated",
    "human",
    "ended",
    "reward_logit",
)


def fill_row(row: np.void, transition: Transition, *, session: int, reward_version: int) -> None:
    """Describes ``transition``; session, reward_version: the numbers of its names. Frames and checksum are not set."""
    row["session"], row["reward_version"] = session, reward_version
    for name in _OF_TRANSITION:
        row[name] = getattr(transition, name)
