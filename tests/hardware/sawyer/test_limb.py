"""What the shim's Limb sends and believes, against the SDK's documented behaviour."""

from __future__ import annotations

import threading
import time

import pytest

from tenon_sawyer import shim
from tenon_sawyer.ros1.definitions import message

shim.provide()
import intera_interface  # noqa: E402 - the shim makes it importable


@pytest.fixture
def limb(lab):
    node = lab.node("/script")
    yield intera_interface.Limb("right", node=node)
    node.close()


@pytest.fixture
def commands(lab, limb, wait_for):
    """What the robot is told, as another node hears it."""
    heard = []
    listener = lab.node("/listener")
    listener.subscribe("/robot/limb/right/joint_command", message("intera_core_msgs/JointCommand"), heard.append)
    wait_for(lambda: limb._command_publisher.connections == 2, "robot and listener")
    yield heard
    listener.close()


def test_commands_carry_the_time_they_were_made_at(limb, commands, wait_for):
    before_s = time.time()
    limb.set_joint_positions(limb.joint_angles())
    wait_for(lambda: commands, "the command")
    assert before_s - 1e-3 <= commands[0].header.stamp.to_sec() <= time.time()


def test_move_ends_at_its_target_and_not_within_tolerance_of_it(limb, commands, wait_for):
    target = limb.joint_angles()
    target["right_j6"] += 0.1
    limb.move_to_joint_positions(target, timeout=20.0)
    assert all(dict(zip(told.names, told.position, strict=True)) == target for told in commands)
    wait_for(lambda: abs(limb.joint_angle("right_j6") - target["right_j6"]) < 1e-3, "the end of the move")


def test_hold_is_the_last_word_of_a_move_that_is_broken_off(limb, commands, wait_for, monkeypatch):
    target = {name: angle + 0.5 for name, angle in limb.joint_angles().items()}
    send, sending = limb.set_joint_positions, threading.Event()

    def slowly(positions):
        if positions == target:
            sending.set()
            time.sleep(0.05)  # in which the script's end comes
        send(positions)

    monkeypatch.setattr(limb, "set_joint_positions", slowly)
    move = threading.Thread(target=limb.move_to_joint_positions, args=(target,), kwargs={"timeout": 1.0})
    move.start()
    sending.wait()
    limb._stay()
    move.join()

    def holds():
        return commands and dict(zip(commands[-1].names, commands[-1].position, strict=True)) != target

    wait_for(holds, "the command to hold")
    wait_for(lambda: max(map(abs, limb._joint_velocity.values())) < 1e-3, "the arm to stand")


def test_move_ignores_joints_that_are_not_the_arms(limb):
    limb.move_to_joint_positions({**limb.joint_angles(), "head_pan": 1.0}, timeout=1.0)


def test_neutral_is_what_the_robot_says_it_is(limb, commands, lab, wait_for):
    neutral = limb.joint_ordered_angles()
    neutral[6] += 0.05
    limb._node.set_parameter("/named_poses/right/poses/neutral", neutral)
    limb.move_to_neutral(timeout=20.0, speed=0.5)
    assert commands[-1].position == tuple(neutral)
    assert lab.emulator.arm.speed_ratio == 0.5
    limb._node.call_master("deleteParam", "/named_poses/right/poses/neutral")
    told = len(commands)
    limb.move_to_neutral(timeout=0.5)
    assert len(commands) == told


def test_tips_are_known_from_the_start_and_collisions_are_asked_for(limb):
    tip = limb.tip_state("right_hand")
    assert tip.pose.position.z == pytest.approx(limb.endpoint_pose()["position"].z, abs=5e-3)
    assert limb.fk_request_in_collision(limb.joint_angles()) is False
    assert limb.fk_request_in_collision(limb.joint_angles(), "left_hand") is True
