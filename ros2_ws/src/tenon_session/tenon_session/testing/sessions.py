"""Sessions made for tests: small, quick, and as complete as a real one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml
from tenon_msgs.action import RunSession

from tenon.data.transitions import EnvironmentSpec, Observation, Transition

HORIZON_STEPS = 12
PICTURE_PX = 16
"""Of the sessions with pictures; the camera gives larger ones."""
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
    "robot": "sim",
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


def taught_goal(file: Path, robot: str, task: str, position_m: Sequence[float]) -> Path:
    """A calibration in which a person has guided the plug home there, just now. task: of a connector of that name."""
    taught = {
        "task": task,
        "connector": task,
        "tcp_in_base": {"position_m": [float(value) for value in position_m], "quaternion_xyzw": [1.0, 0.0, 0.0, 0.0]},
        "spread_m": 1e-5,
        **{"by": "ada", "at": datetime.now(UTC).isoformat(), "samples": 100},
    }
    file.write_text(yaml.safe_dump({"name": file.stem, "robot": robot, "goal": taught}))
    return file


def taught_session(directory: Path, robot: str, **changes: Any) -> Path:
    """The session of docs/first-day.md, as a file, with the goal that was taught at this robot's stand for task usb."""
    calibration = taught_goal(directory / f"{robot}-usb.yaml", robot, "usb", (0.4504, -0.0002, 0.0701))
    session = {"robot": robot, "task": "usb", "cameras": ["wrist"], "goal_error_m": 0.0, "reward": "dense"}
    file = directory / "first.yaml"
    file.write_text(
        yaml.safe_dump({"name": "first", "episodes": 1, "calibration": str(calibration), **session, **changes})
    )
    return file


def picture_session(directory: Path, method: str = "iql", **changes: Any) -> dict[str, Any]:
    """A session without a hand-written controller, whose policy sees small pictures beside the state."""
    directory.mkdir(parents=True, exist_ok=True)
    step_m = [0.004, 0.004, 0.004]
    alone = {"base": None, "authority_m": step_m, "step_limit_m": step_m[0], "fence": None}
    task = directory / "alone.yaml"
    task.write_text(
        yaml.safe_dump({"connector": "easy", "horizon_steps": 5, "start_height_m": 0.024, "residual": alone})
    )
    algorithm = directory / "pictures.yaml"
    algorithm.write_text(yaml.safe_dump(small_trainer(method)))
    return {
        **_COMMON,
        "name": "pictures",
        "task": str(task),
        "controller": "policy",
        "algorithm": str(algorithm),
        "observation": "image",
        "observation_image": {"width": PICTURE_PX, "height": PICTURE_PX},
        "real_time_factor": 0.0,
        "lockstep_timeout_s": 5.0,
        "stream_timeout_s": 5.0,
        "weights_every_updates": 5,
        "reset": {"withdraw_m": 0.024},
        **changes,
    }


def small_trainer(method: str = "iql", **changes: Any) -> dict[str, Any]:
    """The configuration of a training that takes no time."""
    return {
        "method": method,
        "batch_size": 8,
        "warmup_transitions": 5,
        "checkpoint_every_updates": 10,
        "replay": {"capacity": 1000},
        "algorithm": {"hidden_sizes": [8, 8]},
        **changes,
    }


def nonsense(spec: EnvironmentSpec, *, episodes: int, steps: int = 5, seed: int = 0) -> list[Transition]:
    """Episodes of noise that fit the task; every other one ends in success."""
    rng = np.random.default_rng(seed)

    def seen() -> Observation:
        image = spec.observation.image
        pixels = None if image is None else rng.integers(0, 256, image.shape, dtype=np.uint8)
        return Observation(rng.normal(size=spec.observation.state_size).astype(np.float32), pixels)

    found = []
    for episode in range(episodes):
        frames = [seen() for _ in range(steps + 1)]
        for step in range(steps):
            last = step == steps - 1
            found.append(
                Transition(
                    session="nonsense",
                    episode=episode,
                    step=step,
                    observation=frames[step],
                    action=rng.uniform(-1.0, 1.0, spec.action_size).astype(np.float32),
                    reward=float(last and episode % 2),
                    next_observation=frames[step + 1],
                    terminated=False,
                    truncated=last,
                    success=bool(last and episode % 2),
                )
            )
    return found


def offline_training(folder: Path, spec: EnvironmentSpec, *, updates: int = 20, **changes: Any) -> Path:
    """What an offline training on nonsense leaves behind: a start for practice. changes: of its configuration."""
    from tenon.training.config import TrainerConfig
    from tenon.training.trainer import Trainer

    config = TrainerConfig.model_validate({**small_trainer(), "offline_updates": updates, **changes})
    trainer = Trainer.create(config, spec, folder, seed=0, prior=nonsense(spec, episodes=6))
    trainer.train_offline()
    trainer.close()
    return folder


def constant_classifier(folder: Path, logit: float, *, size_px: int = PICTURE_PX) -> Path:
    """A reward classifier that says the same of every picture."""
    from tenon.data.transitions import ImageSpec
    from tenon.networks.bottleneck import BottleneckConfig
    from tenon.rewards.daib import Calibration, ClassifierConfig, RewardClassifier
    from tenon.rewards.daib.network import RewardNetwork

    layers = {"channels": (2,), "specific_channels": (2,), "kernels_px": (3,), "strides_px": (2,), "dense_size": 4}
    bottleneck = BottleneckConfig(invariant_size=2, specific_size=2, **layers)
    config = ClassifierConfig(bottleneck=bottleneck, head_hidden_size=2)
    image = ImageSpec(height=size_px, width=size_px, channels=3)
    network = RewardNetwork(image, config).eval().requires_grad_(False)
    network.head.weights[-1].zero_()
    network.head.last_bias.fill_(logit)
    calibration = Calibration(1.0, 0.0, 0.0, 1.0, frames=1, series=("nonsense",))
    RewardClassifier((network,), config, image, calibration).save(folder)
    return folder


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
