"""The shim's gripper and head against the SDK's documented behaviour."""

from __future__ import annotations

import threading

import pytest

from tenon_sawyer import shim

shim.provide()
import intera_interface  # noqa: E402 - the shim makes it importable

HEAD_PAN_TOLERANCE_RAD = intera_interface.HEAD_PAN_ANGLE_TOLERANCE + 0.01


@pytest.fixture
def node(lab):
    made = lab.node("/script")
    yield made
    made.close()


def test_gripper_with_an_error_is_rebooted_and_calibrated_only_where_that_is_wanted(lab, node):
    signals = lab.emulator.robot.io.gripper.device.signals
    signals["is_calibrated"].value = signals["has_error"].value = True
    assert intera_interface.Gripper(calibrate=False, node=node).has_error()
    gripper = intera_interface.Gripper("right", node=node)
    assert (gripper.is_calibrated(), signals["has_error"].value) == (True, False)


def test_what_a_gripper_is_told_can_be_asked(node):
    gripper = intera_interface.get_current_gripper_interface(node=node)
    assert gripper.set_object_weight(0.25)
    assert gripper.get_object_weight() == 0.25
    gripper.set_cmd_velocity(1.5)
    assert gripper.get_cmd_velocity() == 1.5


def test_gripper_that_the_robot_finds_a_moment_later_is_waited_for(lab, node):
    board = lab.emulator.robot.io
    gripper, board.gripper = board.gripper, None
    board._publish_end_effectors(lab.emulator.robot.node)
    board.gripper = gripper
    threading.Timer(0.5, board._publish_end_effectors, (lab.emulator.robot.node,)).start()
    assert intera_interface.Gripper(node=node).is_calibrated()


@pytest.mark.parametrize("speed", [-1.0, 2.0])
def test_head_speed_out_of_range_is_clipped(node, speed, monkeypatch):
    head = intera_interface.Head(node=node)
    sent = []
    monkeypatch.setattr(head._publisher, "publish", sent.append)
    head.set_pan(0.1, speed=speed, timeout=0)
    assert [command.speed_ratio for command in sent] == [min(max(speed, 0.0), 1.0)]


def test_head_turns_to_an_angle_in_the_base_whatever_the_arm_below_it(node):
    limb, head = intera_interface.Limb(node=node), intera_interface.Head(node=node)
    limb.move_to_joint_positions({"right_j0": 0.4})
    head.set_pan(0.0, timeout=10.0, active_cancellation=True)
    assert head.pan() == pytest.approx(-limb.joint_angle("right_j0"), abs=HEAD_PAN_TOLERANCE_RAD)
    assert head.pan_mode() == "ACTIVE_CANCELLATION_MODE"
