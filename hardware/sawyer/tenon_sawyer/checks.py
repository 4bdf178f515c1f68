"""What ``tenon doctor --robot`` sees of a Sawyer, from the network up to its stop button. Moves nothing."""

from __future__ import annotations

import time
from typing import Any

from tenon.cli.checks.finding import Finding, error, ok, warning
from tenon_sawyer import shim
from tenon_sawyer.config import DriverSettings
from tenon_sawyer.ros1.definitions import message
from tenon_sawyer.ros1.node import AddressError, Node
from tenon_sawyer.ros1.xmlrpc import CallError

NODE_NAME = "/tenon_doctor"
MEASURED_S = 2.0
MANUAL = "hardware/sawyer/manual.md"


def check(settings: DriverSettings) -> list[Finding]:
    """The robot's master, its name and software, its joints' states, and what it says of itself."""
    try:
        node = Node(NODE_NAME, settings.master_uri, host=settings.host, timeout_s=settings.network_timeout_s)
    except AddressError as failure:
        return [error("address", str(failure), "host in the robot's file")]
    except (CallError, OSError) as failure:
        return [error("ROS master", f"{settings.master_uri}: {failure}", f"power, cable, master_uri: {MANUAL}")]
    try:
        findings = [ok("ROS master", settings.master_uri)]
        return [*findings, *_check_robot(node, settings)]
    finally:
        node.close()


def _check_robot(node: Node, settings: DriverSettings) -> list[Finding]:
    shim.provide()
    import intera_interface

    name = intera_interface.RobotParams(node=node).get_robot_name()
    if name != "sawyer":
        return [error("robot", f"it calls itself {name!r}", "give a Sawyer's master_uri in the robot's file")]
    try:
        enable = intera_interface.RobotEnable(node=node)
        limb = intera_interface.Limb(settings.limb, node=node)
        cuff = intera_interface.Cuff(settings.limb, node=node)
    except (OSError, ValueError) as failure:
        return [error("robot", str(failure), f"give host, this machine's address in the robot's network: {MANUAL}")]
    return [ok("robot", name), _check_software(enable), _check_rate(node, settings), _check_state(enable, limb, cuff)]


def _check_software(enable: Any) -> Finding:
    if enable.version_check():
        return ok("software", "speaks the messages of this driver")
    return warning("software", "of a version that was not tried", f"see the first steps of {MANUAL}")


def _check_rate(node: Node, settings: DriverSettings) -> Finding:
    heard: list[float] = []
    kind = message("sensor_msgs/JointState")
    subscription = node.subscribe("/robot/joint_states", kind, lambda _: heard.append(time.monotonic()))
    rate = node.advertise("/robot/joint_state_publish_rate", message("std_msgs/UInt16"), latch=True)
    rate.publish(message("std_msgs/UInt16")(data=round(settings.rate_hz)))
    time.sleep(MEASURED_S)
    late = [at for at in heard if at > heard[-1] - MEASURED_S / 2]
    rate_hz = len(late) / (MEASURED_S / 2)
    seen = f"{rate_hz:.0f} Hz of {settings.rate_hz:g} Hz"
    if rate_hz < settings.rate_share * settings.rate_hz:
        return error(
            "joint states", f"{seen}. {subscription.problem}", "a wired network; else rate_hz and gains for it"
        )
    return ok("joint states", seen)


def _check_state(enable: Any, limb: Any, cuff: Any) -> Finding:
    state = enable.state()
    if state.stopped:
        return error("state", "stopped", "release the button, then python -m tenon_sawyer.robot reset, and enable")
    if state.error:
        return error("state", "an error", "see its screen, then python -m tenon_sawyer.robot reset, and enable")
    if not state.enabled:
        return warning("state", "disabled", "python -m tenon_sawyer.robot enable, with nobody near")
    if limb.has_collided():
        return error("state", "in collision", "free the arm")
    if cuff.cuff_button():
        return error("state", "a hand holds it by its cuff", "let go of the cuff")
    return ok("state", "enabled, no stop, no collision")
