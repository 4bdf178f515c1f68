"""How a script ends: its shutdown hooks, which may have an arm to stop, run to their end, and once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest

from tenon_sawyer.ros1.definitions import message
from tenon_sawyer.ros1.master import Master
from tenon_sawyer.ros1.node import Node
from tenon_sawyer.ros1.xmlrpc import call

HOST = "127.0.0.1"
TIMEOUT_S = 30.0
BEGIN = """
import rospy
from intera_interface import RobotParams
from std_msgs.msg import Float64

def stop_the_arm():
    print("hook begins", rospy.is_shutdown(), flush=True)
    for value in range(3):
        rospy.sleep(0.1)
        publisher.publish(Float64(data=float(value)))
    print("hook ends", rospy.get_param("speed", 0.3), flush=True)

assert RobotParams().get_robot_name() == "sawyer"  # scripts ask before they are a node
rospy.init_node("script")
assert rospy.get_name() == "/script"
publisher = rospy.Publisher("/command", Float64, queue_size=1)
rospy.on_shutdown(stop_the_arm)
while not publisher.get_num_connections():
    rospy.sleep(0.02)
print("ready", flush=True)
"""
LOOP = """
while not rospy.is_shutdown():
    rospy.get_param("speed", 0.3)
    rospy.get_name()
print("loop ends", flush=True)
"""
HOOK = ["hook begins False", "hook ends 0.3"]


class Script:
    """One script against a master, with a robot that listens."""

    def __init__(self, tmp_path, master):
        self.heard = []
        self.master = master
        self.robot = Node("/robot", master.uri, host=HOST)
        self.robot.subscribe("/command", message("std_msgs/Float64"), lambda msg: self.heard.append(msg.data))
        self._path = tmp_path / "script.py"

    def start(self, text):
        self._path.write_text(BEGIN + text)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tenon_sawyer.shim", str(self._path)],
            env={**os.environ, "ROS_MASTER_URI": self.master.uri, "ROS_IP": HOST},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self.process.stdout.readline() == "ready\n"

    def rest(self):
        """What it prints from now on, line by line. A script that does not end is killed, and so has failed."""
        watchdog = threading.Timer(TIMEOUT_S, self.process.kill)
        watchdog.start()
        lines = self.process.stdout.read().splitlines()
        watchdog.cancel()
        assert self.process.wait() >= 0, "it did not end by itself"
        return lines


@pytest.fixture
def script(tmp_path):
    master = Master(HOST, parameters={"/manifest/robot_class": "sawyer"})
    made = Script(tmp_path, master)
    yield made
    made.process.kill()
    made.process.communicate(timeout=TIMEOUT_S)
    made.robot.close()
    master.close()


@pytest.mark.parametrize("end", ["", "raise ValueError('no such joint')", "raise SystemExit(3)"])
def test_hooks_run_when_the_script_just_ends(script, end, wait_for):
    script.start(end)
    assert script.rest() == HOOK
    wait_for(lambda: script.heard == [0.0, 1.0, 2.0], "what the hook commands")
    assert "script" not in str(script.robot.call_master("getSystemState"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_hooks_have_the_robot_to_themselves_after_a_signal(script, wait_for, number):
    """The loop ends meanwhile, and an impatient person cuts nothing short."""
    script.start(LOOP)
    script.process.send_signal(number)
    wait_for(lambda: script.heard, "the first command of the hook")
    script.process.send_signal(signal.SIGINT)
    assert [line for line in script.rest() if line.startswith("hook")] == HOOK
    wait_for(lambda: script.heard == [0.0, 1.0, 2.0], "what the hook commands")


def test_hooks_run_when_the_master_ends_the_node(script, wait_for):
    """As rosnode kill does, and a master to which a second node of this name comes."""
    script.start(LOOP)
    uri = script.robot.call_master("lookupNode", "/script")
    call(uri, "shutdown", "/master", "new node registered with same name", timeout_s=5.0)
    assert set(HOOK) <= set(script.rest())
    wait_for(lambda: script.heard == [0.0, 1.0, 2.0], "what the hook commands")


def test_private_names_lie_below_the_scripts_own(script):
    script.robot.set_parameter("/script/speed", 0.7)
    script.start(
        "state = rospy.Publisher('~state', Float64, queue_size=1)\n"
        "rospy.set_param('~limit', 2)\n"
        "print(rospy.get_param('~speed', 0.1), state.name, rospy.get_param('/script/limit'), flush=True)\n"
    )
    assert script.rest()[0] == "0.7 /script/state 2"
