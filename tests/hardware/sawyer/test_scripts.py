"""Scripts that users wrote against the vendor's documented API run on the shim as they are."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from tenon_sawyer.emulated_arm import Mode
from tenon_sawyer.emulator import EmulatorSettings
from tenon_sawyer.shim import FACADE, SHIM


def numbers(result):
    """All numbers that a script has printed."""
    assert result.returncode == 0, result.stderr
    return [float(word) for word in re.findall(r"-?\d+\.\d+", result.stdout)]


def test_joint_position_wobbler(lab):
    excursion_rad, left_over_rad = numbers(lab.run_script("joint_position_wobbler.py", "-s", "2"))
    assert 0.1 < excursion_rad < 0.25
    assert left_over_rad < 0.01


def test_joint_torque_springs_hold_against_a_push(lab, wait_for):
    start_rad = lab.plant.reading().joint_position_rad
    pushed = threading.Event()

    def push():
        while lab.emulator.arm.mode is None or lab.emulator.arm.mode.name != "TORQUE":
            if pushed.wait(0.01):
                return
        lab.plant.push(np.array((0.0, 15.0, 0.0)), 0.5)

    helper = threading.Thread(target=push)
    helper.start()
    result = lab.run_script("joint_torque_springs.py")
    pushed.set()
    helper.join()
    assert "exited torque mode" in result.stdout, result.stderr
    assert numbers(result)[0] < 0.1
    wait_for(lambda: lab.emulator.arm.mode is Mode.POSITION, "the robot's own hold")
    assert np.abs(lab.plant.reading().joint_position_rad - start_rad).max() < 0.15


@pytest.mark.parametrize(
    "settings", [EmulatorSettings(port=0, enabled=True, control_rate_hz=250.0, object_width_m=0.02)]
)
def test_gripper_demo(lab):
    result = lab.run_script("gripper_demo.py")
    assert result.returncode == 0, result.stderr
    assert "closed at 20.0 mm, gripping: True, 8.0 N" in result.stdout
    assert "open at 41.7 mm, gripping: False, ready: True" in result.stdout


def test_cuff_and_navigator(lab, wait_for):
    script = subprocess.Popen(
        [sys.executable, "-m", "tenon_sawyer.shim", str(lab.scripts / "cuff_and_navigator.py")],
        env={**os.environ, "ROS_MASTER_URI": lab.emulator.uri, "ROS_IP": "127.0.0.1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    io = lab.emulator.robot.io
    try:
        assert script.stdout.readline() == "upper False, lower False, wheel 0\n"
        io.cuff.signals["right_cuff"].value = True
        assert script.stdout.readline() == "cuff: True\n"
        wait_for(lambda: io.robot.signals["head_green_light"].value, "the light")
        io.navigator.signals["right_button_ok"].value = 1
        rest, errors = script.communicate(timeout=60)
    finally:
        script.kill()
    assert script.returncode == 0, errors
    assert rest == "OK button: CLICK\ngreen: True\n"


def test_ik_move(lab):
    result = lab.run_script("ik_move.py")
    height_m, moved_mm = numbers(result)
    assert "both agree: True" in result.stdout
    assert "out of reach: False" in result.stdout
    assert moved_mm == pytest.approx(50.0, abs=2.0)
    assert 0.0 < height_m < 1.0


def test_head_and_limits(lab):
    result = lab.run_script("head_and_limits.py")
    assert result.returncode == 0, result.stderr
    assert "head at 0.4 rad, ACTIVE_MODE" in result.stdout or "head at 0.5 rad, ACTIVE_MODE" in result.stdout
    assert "right_j3: -3.04 to 3.04 rad" in result.stdout
    turned_rad = float(re.search(r"turned by (-?[\d.]+) rad", result.stdout)[1])
    assert 0.01 < turned_rad < 0.4  # the stand is slower than the clock on a busy machine
    assert "collided: False" in result.stdout


def test_ctrl_c_in_the_middle_of_a_move_leaves_the_arm_where_it_is(lab, wait_for, tmp_path):
    path = tmp_path / "move.py"
    path.write_text(
        "import intera_interface, rospy\n"
        "rospy.init_node('move')\n"
        "limb = intera_interface.Limb()\n"
        "limb.move_to_joint_positions({'right_j6': limb.joint_angle('right_j6') - 2.0}, timeout=60.0)\n"
    )
    begun_rad = lab.plant.reading().joint_position_rad[6]
    script = subprocess.Popen(
        [sys.executable, "-m", "tenon_sawyer.shim", str(path)],
        env={**os.environ, "ROS_MASTER_URI": lab.emulator.uri, "ROS_IP": "127.0.0.1"},
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(lambda: lab.plant.reading().joint_position_rad[6] < begun_rad - 0.2, "the move")
        script.send_signal(signal.SIGINT)
        script.wait(timeout=30.0)
    finally:
        script.kill()
    left_rad = lab.plant.reading().joint_position_rad[6]
    time.sleep(0.5)
    assert lab.plant.reading().joint_position_rad[6] == pytest.approx(left_rad, abs=0.02)
    assert left_rad > begun_rad - 1.9


@pytest.mark.parametrize("settings", [EmulatorSettings(port=0, enabled=False, control_rate_hz=250.0)])
def test_person_enables_stops_and_resets_the_robot(lab):
    def say(word):
        return subprocess.run(
            [sys.executable, "-m", "tenon_sawyer.robot", word, "--master", lab.emulator.uri, "--host", "127.0.0.1"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    assert say("state").stdout.startswith("homed; emergency stop not pressed")
    assert say("enable").stdout.startswith("ready, enabled")
    lab.emulator.arm.press_stop()
    refused = say("reset")
    assert refused.returncode == 1
    assert "release the button" in refused.stderr
    lab.emulator.arm.release_stop()
    assert say("enable").stdout.startswith("ready, enabled")


def test_installed_packages_come_before_the_shim(tmp_path):
    """Where the vendor's SDK or rospy is installed, those are imported."""
    for name in ("rospy", "intera_interface"):
        (tmp_path / f"{name}.py").write_text("REAL = True\n")
    code = (
        "from tenon_sawyer import shim; shim.provide_ros1(); import rospy, intera_interface, intera_dataflow;"
        "print(rospy.REAL, intera_interface.REAL, intera_dataflow.__file__)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout.startswith(f"True True {SHIM}")
    assert FACADE.is_dir()
