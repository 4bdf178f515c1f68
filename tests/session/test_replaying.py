"""References of a recording, answered observation by observation, and distances that can be worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tenon.control.geometry import pose, quaternion_from_rotation_vector
from tenon.control.phase import SessionPhase
from tenon.control.types import ControlMode, Pose, Reference
from tenon.session.replaying import Replayer, ReplayStep, compare


def at(x_m: float, turned_rad: float = 0.0) -> Pose:
    return pose((x_m, 0.0, 0.2), quaternion_from_rotation_vector((0.0, 0.0, turned_rad)))


def step(number: int, asked: Pose, seen: Pose) -> ReplayStep:
    reference = Reference(1000 + number, ControlMode.CARTESIAN, "residual", 50, tcp_in_base=asked)
    return ReplayStep(reference, seen)


def test_every_observation_of_the_episode_gets_the_next_reference_with_its_own_stamp() -> None:
    steps = [step(k, at(0.1 * k), at(0.0)) for k in range(2)]
    replayer = Replayer(steps, validity_ns=70)
    assert replayer.on_observation(SessionPhase.RESETTING, 5) is None and not replayer.is_done
    played = [replayer.on_observation(SessionPhase.RUNNING, stamp) for stamp in (6, 7, 8)]
    assert replayer.is_done
    for reference, stamp, asked in zip(played, (6, 7, 8), (0.0, 0.1, 0.1), strict=True):
        assert reference is not None and reference.tcp_in_base is not None
        assert (reference.stamp_ns, reference.source, reference.valid_for_ns) == (stamp, "teleop", 70)
        assert reference.tcp_in_base.position_m[0] == asked


def test_distances_are_those_between_poses_of_the_same_step() -> None:
    recorded = [step(0, at(0.02), at(0.0)), step(1, at(0.04), at(0.02)), step(2, at(0.06), at(0.04))]
    replayed = [step(0, at(0.02), at(0.001)), step(1, at(0.04), at(0.017, math.radians(2.0)))]
    report = compare(recorded, replayed)
    assert report.steps == 2
    assert report.from_recording.mean_m == pytest.approx(0.002) and report.from_recording.most_m == pytest.approx(0.003)
    assert report.from_recording.most_rad == pytest.approx(math.radians(2.0), abs=1e-6)
    assert report.from_reference is not None and report.from_reference.most_m == pytest.approx(0.003)
    assert report.recorded_from_reference is not None and report.recorded_from_reference.most_m == pytest.approx(0.0)


def test_joint_references_have_no_distance_from_the_reference() -> None:
    joints = Reference(0, ControlMode.JOINT, "teleop", 50, joint_position_rad=np.zeros(6))
    report = compare([ReplayStep(joints, at(0.0))] * 3, [ReplayStep(joints, at(0.01))] * 3)
    assert report.from_reference is None and report.from_recording.mean_m == pytest.approx(0.01)
