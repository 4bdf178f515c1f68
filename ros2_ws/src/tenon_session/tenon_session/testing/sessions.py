"""Sessions made for tests: small, quick, and as complete as a real one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml
from tenon_msgs.action import RunSession

HORIZON_STEPS = 12
WARMUP_TRANSITIONS = 20
CHECKPOINT_EVERY_UPDATES = 10
_ALGORITHM = {
    "method": "sac",
    "batch_size": 16,
    "warmup_transitions": WARMUP_TRANSITIONS,
    "updates_per_transition": 1.0,
    "checkpoint_every_updates": CHECKPOINT_EVERY_UPDATES,
    "replay": {"capacity": 10_000},
    "algorithm": {"hidden_sizes": [16, 16], "critic_warmup_updates": 5},
}
_COMMON = {
    "robot": "ur5",
    "cameras": ["wrist"],
    "episodes": 1,
    "tare": {"window_s": 0.3, "samples_min": 15},
}


def learning_session(directory: Path) -> dict[str, Any]:
    """A session that trains on short episodes, in lockstep, as fast as the graph keeps up."""
    directory.mkdir(parents=True, exist_ok=True)
    task = directory / "short.yaml"
    task.write_text(yaml.safe_dump({"connector": "easy", "horizon_steps": HORIZON_STEPS}))
    algorithm = directory / "small.yaml"
    algorithm.write_text(yaml.safe_dump(_ALGORITHM))
    return {
        **_COMMON,
        "name": "learning",
        "task": str(task),
        "algorithm": str(algorithm),
        "real_time_factor": 0.0,
        "lockstep_timeout_s": 5.0,
        "weights_every_updates": 5,
    }


def fault_session(
    directory: Path, *, real_time_factor: float, lockstep_timeout_s: float | None = None
) -> dict[str, Any]:
    """A session that needs images and trains nothing."""
    directory.mkdir(parents=True, exist_ok=True)
    goal_image = directory / "goal.png"
    cv2.imwrite(str(goal_image), np.full((64, 64, 3), 128, np.uint8))
    return {
        **_COMMON,
        "name": "faults",
        "task": "easy",
        "reward": "goal_image",
        "goal_image": str(goal_image),
        "train": False,
        "real_time_factor": real_time_factor,
        "lockstep_timeout_s": lockstep_timeout_s,
    }


def training_goal(episodes: int, *, seed: int = 0, resume: bool = False) -> RunSession.Goal:
    """resume: recorded episodes of the plan count as done."""
    return RunSession.Goal(
        controller="residual",
        episodes=episodes,
        train=True,
        goal_error_m=0.001,
        seed=seed,
        record=True,
        resume=resume,
    )
