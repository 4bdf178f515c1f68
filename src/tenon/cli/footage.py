"""Videos of recorded episodes: seen by the overview camera, drawn anew from the joint angles that were recorded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import mujoco
import numpy as np
from numpy.typing import NDArray

from tenon.configuration.arm import ArmConfig
from tenon.control.types import Vector
from tenon.data.decode import stamp_to_ns
from tenon.data.store import Episode, EpisodeStore
from tenon.data.video import write_video
from tenon.simulation.connectors import ConnectorConfig
from tenon.simulation.rendering import Cameras
from tenon.simulation.scene import OVERVIEW_CAMERA, SOCKET_BODY, scene_mjcf
from tenon.simulation.tasks import InsertionTaskConfig, draw_episode

Frame = NDArray[np.uint8]

JOINT_TOPIC = "/joint_states"
RATE_HZ = 25.0
HOLD_FRAMES = 25
"""The last frame stays for a second, so that one sees how it ended."""
NS_PER_S = 1_000_000_000


class FootageError(RuntimeError):
    """An episode of which no video can be made. The message says what is missing."""


class Stand:
    """The stand as a puppet: no physics, it stands as the joint angles say."""

    def __init__(self, arm: ArmConfig, connector: ConnectorConfig, task: InsertionTaskConfig) -> None:
        self._connector, self._task = connector, task
        self._model = mujoco.MjModel.from_xml_string(scene_mjcf(arm, connector, task.scene))
        self._data = mujoco.MjData(self._model)
        self._cameras = Cameras(self._model)

    def place_socket(self, seed: int) -> None:
        """Puts the socket where it is in the episode with this seed."""
        shift_m = draw_episode(self._task, self._connector, seed).socket_shift_m
        self._model.body_pos[self._model.body(SOCKET_BODY).id] = self._task.scene.socket_mouth_in_base_m + shift_m

    def frame(self, joint_position_rad: Vector) -> Frame:
        """(height, width, 3) RGB of the stand at these joint angles. Raises RenderingError."""
        self._data.qpos[: len(joint_position_rad)] = joint_position_rad
        mujoco.mj_forward(self._model, self._data)
        scene = self._task.scene
        return self._cameras.render(self._data, OVERVIEW_CAMERA, scene.image_width_px, scene.image_height_px)

    def close(self) -> None:
        self._cameras.close()


def find_episode(store: EpisodeStore, session_episode: int) -> Episode:
    """The recording of the session's episode with this number. Raises FootageError."""
    for episode in store.episodes():
        if episode.contract.session_episode == session_episode:
            return episode
    raise FootageError(f"episode {session_episode} was not recorded under {store.directory}")


def write_episode_video(path: Path, stand: Stand, store: EpisodeStore, episode: Episode) -> int:
    """Writes an MP4 of a recorded episode at its own speed and returns the number of frames. Raises FootageError."""
    stand.place_socket(episode.contract.seed)
    postures = list(sampled_joints(store, episode))
    if not postures:
        raise FootageError(f"{episode.file} has no messages on {JOINT_TOPIC}")
    postures += [postures[-1]] * HOLD_FRAMES
    return write_video(path, (stand.frame(posture) for posture in postures), RATE_HZ)


def sampled_joints(store: EpisodeStore, episode: Episode) -> Iterator[Vector]:
    """Joint angles (n,) at ``RATE_HZ`` of session time."""
    next_ns: int | None = None
    for message in store.decoded(episode, [JOINT_TOPIC]):
        stamp_ns = stamp_to_ns(message.content.header.stamp)
        if next_ns is not None and stamp_ns < next_ns:
            continue
        next_ns = (stamp_ns if next_ns is None else next_ns) + round(NS_PER_S / RATE_HZ)
        yield np.array(message.content.position, dtype=np.float64)
