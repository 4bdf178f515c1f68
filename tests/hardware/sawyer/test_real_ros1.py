"""Against a real ROS 1: Debian's rosmaster and rospy, with a robot of which nothing is ours."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest

from tenon_sawyer.ros1.definitions import REGISTRY, message, service
from tenon_sawyer.ros1.node import Node
from tenon_sawyer.ros1.xmlrpc import UnreachableError

SYSTEM_PYTHON = "/usr/bin/python3"
FAKE_ROBOT = Path(__file__).parent / "rospy_robot.py"
COMMANDS = 200
JOINTS = [f"right_j{index}" for index in range(7)]


def _reason():
    if shutil.which("rosmaster") is None:
        return "no rosmaster: sudo apt-get install ros-core python3-rospy python3-sensor-msgs (Debian 12)"
    check = subprocess.run(
        [SYSTEM_PYTHON, "-c", "import rospy, sensor_msgs.msg, geometry_msgs.msg"], capture_output=True, check=False
    )
    return (
        "" if check.returncode == 0 else "Debian's python3-rospy, python3-sensor-msgs or python3-geometry-msgs missing"
    )


REASON = _reason()
pytestmark = pytest.mark.skipif(bool(REASON), reason=REASON)


@pytest.fixture(scope="module")
def ros1(tmp_path_factory):
    """(uri, environment) of a real master."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    uri, log = f"http://127.0.0.1:{port}/", tmp_path_factory.mktemp("ros")
    environment = {
        "PATH": os.environ["PATH"],
        "ROS_MASTER_URI": uri,
        "ROS_IP": "127.0.0.1",
        "HOME": str(log),
        "ROS_LOG_DIR": str(log),
    }
    command = ["rosmaster", "--core", "-p", str(port)]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    yield uri, environment
    process.terminate()
    process.wait()


@pytest.fixture
def pc(ros1, wait_for):
    nodes = []

    def connect():
        try:
            nodes.append(Node("/tenon_test", ros1[0], host="127.0.0.1", timeout_s=5.0, probe_period_s=0.2))
        except UnreachableError:
            return False
        return True

    wait_for(connect, "the real master")
    yield nodes[0]
    nodes[0].close()


@pytest.fixture
def robot(ros1):
    process = subprocess.Popen(
        [SYSTEM_PYTHON, str(FAKE_ROBOT)], env=ros1[1], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    yield process
    process.terminate()
    process.wait()


def test_commands_states_services_and_parameters_pass_between_rospy_and_us(pc, robot, wait_for):
    kind = message("sensor_msgs/JointState")
    states, echoed = [], []
    pc.subscribe("/robot/joint_states", kind, states.append)
    pc.subscribe("/echo", kind, echoed.append)
    commands = pc.advertise("/command", kind)
    wait_for(lambda: len(states) > 20 and commands.connections == 1, "the rospy robot")
    assert states[-1].name == JOINTS
    assert states[-1].position == tuple(0.1 * index for index in range(7))
    for index in range(COMMANDS):
        commands.publish(kind(name=JOINTS, position=[float(index)] * 7))
        time.sleep(0.002)
    wait_for(lambda: len(echoed) == COMMANDS, f"{COMMANDS} echoes")
    assert [msg.position[0] for msg in echoed] == [float(index) for index in range(COMMANDS)]
    assert pc.parameter("/manifest/robot_class") == "sawyer"

    loggers = _get_loggers()
    pc.wait_for_service("/rospy_robot/get_loggers", loggers, timeout_s=10.0)
    answer = pc.client("/rospy_robot/get_loggers", loggers).call(loggers._request_class())
    assert "rosout" in [logger.name for logger in answer.loggers]


def test_rospy_calls_our_service_and_hears_our_latched_topic(ros1, pc):
    kind = _get_loggers()
    logger = message("roscpp/Logger")(name="ours", level="info")
    pc.serve("/ours", kind, lambda _: kind._response_class(loggers=[logger]))
    pc.advertise("/latched", message("std_msgs/String"), latch=True).publish(message("std_msgs/String")(data="hello"))
    script = (
        "import rospy; from roscpp.srv import GetLoggers; from std_msgs.msg import String\n"
        "rospy.init_node('caller'); rospy.wait_for_service('/ours', 20)\n"
        "print(rospy.ServiceProxy('/ours', GetLoggers)().loggers[0].name)\n"
        "print(rospy.wait_for_message('/latched', String, 20).data)"
    )
    answer = subprocess.run(
        [SYSTEM_PYTHON, "-c", script], env=ros1[1], capture_output=True, text=True, timeout=60, check=False
    )
    assert answer.stdout.split() == ["ours", "hello"], answer.stderr


def test_sums_and_bytes_are_those_of_genpy(tmp_path):
    names = ["std_msgs/Header", "geometry_msgs/PoseStamped", "geometry_msgs/Wrench", "sensor_msgs/JointState"]
    script = "import roslib.message, sys\nfor n in sys.argv[1:]: print(roslib.message.get_message_class(n)._md5sum)"
    told = subprocess.run([SYSTEM_PYTHON, "-c", script, *names], capture_output=True, text=True, check=True).stdout
    assert told.split() == [message(name)._md5sum for name in names]


def _get_loggers():
    """A service of which rospy brings the type."""
    if "GetLoggers" not in REGISTRY.names("roscpp", services=True):
        REGISTRY.add("roscpp/Logger", "string name\nstring level\n")
        REGISTRY.add_service("roscpp/GetLoggers", "---\nroscpp/Logger[] loggers\n")
    return service("roscpp/GetLoggers")
