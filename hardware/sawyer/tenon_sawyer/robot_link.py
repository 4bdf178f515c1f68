"""The driver's side of a Sawyer: the vendor's API on a node of its own, and what is wrong with the robot, by name."""

from __future__ import annotations

import functools
import logging
import threading
import time
from collections.abc import Sequence
from typing import Any

from tenon.control.drivers import ArmFaultError, ArmFaultKind, DriverError
from tenon_sawyer import shim
from tenon_sawyer.config import DriverSettings
from tenon_sawyer.readings import Readings
from tenon_sawyer.ros1.definitions import message
from tenon_sawyer.ros1.node import AddressError, Node
from tenon_sawyer.ros1.xmlrpc import CallError

LOG = logging.getLogger(__name__)
NODE_NAME = "/tenon_driver"
BOOT_TIMEOUT_S = 60.0
RETRY_S = 0.5
SETTLE_S = 10.0
"""Within this time after it was asked, the robot tells its state at the new rate; a graph that comes up is busy."""
LISTENER_TIMEOUT_S, LISTENER_POLL_S = 5.0, 0.01
ENABLE = "python -m tenon_sawyer.robot enable"
RESET = "python -m tenon_sawyer.robot reset"


class RobotLink:
    """Made when the robot answers; ``close`` lets it go. Reads and sends; decides nothing about motion."""

    def __init__(self, settings: DriverSettings, joint_names: Sequence[str]) -> None:
        """Waits for a robot that boots. Raises ArmFaultError where it does not come, DriverError for the wrong one."""
        shim.provide()
        import intera_interface

        self._settings = settings
        self.node = _connect(settings)
        try:
            params = intera_interface.RobotParams(node=self.node)
            _check_model(params, settings, joint_names)
            self._enable = intera_interface.RobotEnable(node=self.node)
            self.limb = intera_interface.Limb(settings.limb, node=self.node)
            self._cuff = intera_interface.Cuff(settings.limb, node=self.node)
            self.gripper = intera_interface.Gripper(calibrate=False, node=self.node) if settings.gripper else None
            self.software = str(self._software())
        except OSError as error:
            self.node.close()
            raise ArmFaultError(
                ArmFaultKind.NOT_READY,
                f"the ROS master at {settings.master_uri} answers, but not the robot: {error}. If everything runs, it "
                "cannot reach this machine: set host to this machine's address in the robot's network",
            ) from error
        except DriverError:
            self.node.close()
            raise
        self.readings = Readings(joint_names, late_s=settings.stale_s)
        endpoint = f"/robot/limb/{settings.limb}/endpoint_state"
        self._watched = {
            "/robot/state": (message("intera_core_msgs/RobotAssemblyState"), "the emergency stop"),
            endpoint: (message("intera_core_msgs/EndpointState"), "the force at the hand"),
        }
        self._heard = threading.Condition()
        self._heard_s = dict.fromkeys(self._watched, time.monotonic())
        # The limb's own publisher: a topic has one per node.
        self._commands = self.node.advertise(
            f"/robot/limb/{settings.limb}/joint_command", message("intera_core_msgs/JointCommand")
        )
        self._rate = self.node.advertise("/robot/joint_state_publish_rate", message("std_msgs/UInt16"), latch=True)
        self._states = self.node.subscribe("/robot/joint_states", message("sensor_msgs/JointState"), self.readings.take)
        for topic, (kind, _) in self._watched.items():
            self.node.subscribe(topic, kind, functools.partial(self._on_watched, topic))
        self.settle()
        self._wait_for_listener()

    @property
    def connects(self) -> int:
        """How often the robot's joint states have been connected to: one more after each of its reboots."""
        return self._states.counters.connects

    @property
    def garbage(self) -> int:
        """How often what came instead of joint states was none."""
        return self._states.counters.garbage

    def settle(self) -> None:
        """Asks for the rate, timeout and speed that the driver is set up for; a rebooted robot forgets them."""
        settings = self._settings
        self._rate.publish(message("std_msgs/UInt16")(data=round(settings.rate_hz)))
        self.limb.set_command_timeout(settings.command_timeout_s)
        self.limb.set_joint_position_speed(settings.speed_ratio)
        self.readings.forget()
        self._known_garbage = self.garbage

    def let_go(self, *, discard: bool) -> None:
        """The arm falls back to its own servos where it is, by its command timeout. Safe at any time.

        discard: commands that are still under way never arrive, however late the cable is back.
        """
        if discard:
            self._commands.abort()
        elif self._settings.control == "torque":
            self.limb.set_joint_torques(dict.fromkeys(self.limb.joint_names(), 0.0))

    def check_rate(self) -> None:
        """Measures at what rate joint states come. Raises DriverError where the gains are made for more."""
        least_hz = self._settings.rate_share * self._settings.rate_hz
        deadline_s = time.monotonic() + SETTLE_S
        rate_hz = 0.0
        while rate_hz < least_hz and time.monotonic() < deadline_s:
            before, begun_s = self.readings.counters.taken, time.monotonic()
            time.sleep(RETRY_S / 2)
            rate_hz = (self.readings.counters.taken - before) / (time.monotonic() - begun_s)
        if rate_hz < least_hz:
            raise DriverError(
                f"joint states come at {rate_hz:.0f} Hz, the driver is set up for {self._settings.rate_hz:g} Hz and "
                f"needs {least_hz:.0f}: a slow network or a busy machine? Else set rate_hz to what comes, and "
                "gains that are stable at that rate (control: position needs none)"
            )

    def fault(self) -> ArmFaultError | None:
        """What is wrong with the way to the robot, or what the robot itself says is wrong with it."""
        lost = self._lost()
        if lost is not None:
            return lost
        state = self._enable.state()
        if state.stopped:
            return ArmFaultError(ArmFaultKind.EMERGENCY_STOP, self._describe_stop(state))
        if state.error:
            return ArmFaultError(
                ArmFaultKind.NOT_READY, f"the robot reports an error: see its screen, then {RESET}, then {ENABLE}"
            )
        if not state.enabled:
            return ArmFaultError(
                ArmFaultKind.NOT_READY, f"the robot is disabled: see that nobody is near, then {ENABLE}"
            )
        if self.limb.has_collided():
            return ArmFaultError(
                ArmFaultKind.PROTECTIVE_STOP,
                "the robot's collision detection was triggered: free the arm, then clear the fault",
            )
        if self.gripper is not None and self.gripper.has_error():
            return ArmFaultError(
                ArmFaultKind.NOT_READY, "the gripper reports an error: python -m tenon_sawyer.robot gripper"
            )
        if not self._commands.connections:
            return ArmFaultError(
                ArmFaultKind.CONNECTION_LOST,
                "the robot does not listen to commands: can it reach this machine? Set host in the robot's file to the "
                "address that it has in the robot's network",
            )
        return None

    def hand_at_cuff(self) -> ArmFaultError | None:
        """Whether a person has the arm by its cuff: the robot gives way to the hand, and is deaf to commands."""
        if not self._cuff.cuff_button():
            return None
        return ArmFaultError(
            ArmFaultKind.SAFEGUARD_STOP,
            "a hand holds the arm by its cuff, the robot gives way to it and hears no commands: let go, then clear the "
            "fault",
        )

    def await_news(self, since_s: float, timeout_s: float) -> ArmFaultError | None:
        """Waits until the robot's state and its force were told after ``since_s``; a fault where they were not.

        A robot that is back tells where its joints are before it tells that it is disabled.
        """
        with self._heard:
            if self._heard.wait_for(lambda: min(self._heard_s.values()) > since_s, timeout_s):
                return None
            silent = [topic for topic, heard_s in self._heard_s.items() if heard_s <= since_s]
        return ArmFaultError(
            ArmFaultKind.CONNECTION_LOST,
            f"joint states come, but not {' and '.join(silent)}: does the robot still boot? {self._look()}",
        )

    def describe_silence(self, seconds: float) -> ArmFaultError:
        """Why no reading has come for so long."""
        refused = self.readings.refused()
        if refused.old or refused.late or refused.bad:
            seen = f"{refused.old} came twice or out of order, {refused.late} too late, {refused.bad} without values"
            return ArmFaultError(
                ArmFaultKind.BAD_DATA,
                f"no joint state of the last {1e3 * seconds:.0f} ms can be used: {seen}. Look at the network between "
                "this machine and the robot, and at the robot's clock",
            )
        if self.garbage != self._known_garbage:
            return ArmFaultError(
                ArmFaultKind.BAD_DATA,
                f"what comes on /robot/joint_states is no joint state: {self._states.problem}. Restart the robot",
            )
        return ArmFaultError(ArmFaultKind.CONNECTION_LOST, f"no joint state for {1e3 * seconds:.0f} ms: {self._look()}")

    def mixture(self) -> ArmFaultError | None:
        """Whether somebody else tells joints' states of the same names."""
        if not self.readings.counters.mixed:
            return None
        return ArmFaultError(
            ArmFaultKind.BAD_DATA,
            f"{self._states.connections} nodes tell joint states on /robot/joint_states, not the robot alone: is a bag "
            "played, or an emulator at this master? End it",
        )

    def close(self) -> None:
        self.node.close()

    def _wait_for_listener(self) -> None:
        """The robot connects to a publisher a moment after it was announced."""
        deadline_s = time.monotonic() + LISTENER_TIMEOUT_S
        while not self._commands.connections and time.monotonic() < deadline_s:
            time.sleep(LISTENER_POLL_S)

    def _lost(self) -> ArmFaultError | None:
        """Who is not heard any more, though joint states may still come."""
        if self.node.is_closed:
            return ArmFaultError(
                ArmFaultKind.CONNECTION_LOST,
                f"this driver was told to leave the robot ({self.node.closed_because}): see that no other driver of it "
                "runs, then start this session anew",
            )
        for topic, (_, tells_of) in self._watched.items():
            silent_s = time.monotonic() - self._heard_s[topic]
            if silent_s > self._settings.silence_s:
                return ArmFaultError(
                    ArmFaultKind.CONNECTION_LOST,
                    f"{topic}, which tells of {tells_of}, is silent for {silent_s:.1f} s: {self._look()}",
                )
        if self.node.master_silence_s > self._settings.network_timeout_s:
            return ArmFaultError(
                ArmFaultKind.CONNECTION_LOST,
                f"the robot's ROS master at {self._settings.master_uri} is gone: restart the robot, or look why its "
                "computer does not answer",
            )
        return None

    def _on_watched(self, topic: str, _msg: Any) -> None:
        with self._heard:
            self._heard_s[topic] = time.monotonic()
            self._heard.notify_all()

    def _look(self) -> str:
        silence_s = self.node.master_silence_s
        if silence_s > 0.0:
            return f"the robot's ROS master at {self._settings.master_uri} is gone too; look at power and cable"
        problem = self._states.problem or "look at the cable and at the robot's screen"
        return f"the robot's ROS master answers; {problem}"

    def _describe_stop(self, state: Any) -> str:
        if state.estop_button == state.ESTOP_BUTTON_PRESSED:
            return f"the emergency stop is pressed: release it when the reason is gone, then {RESET}, then {ENABLE}"
        source = "by software" if state.estop_source == state.ESTOP_SOURCE_ENGINE else "by a fault or its button"
        return f"the robot is stopped {source}: when the reason is gone, {RESET}, then {ENABLE}"

    def _software(self) -> Any:
        try:
            return self.node.parameter("/manifest/robot_software/version/HLR_VERSION_STRING")
        except KeyError:
            return "of unknown version"


def _connect(settings: DriverSettings) -> Node:
    deadline_s = time.monotonic() + BOOT_TIMEOUT_S
    while True:
        try:
            return Node(NODE_NAME, settings.master_uri, host=settings.host, timeout_s=settings.network_timeout_s)
        except AddressError as error:
            raise DriverError(str(error)) from error
        except (CallError, OSError) as error:
            if time.monotonic() > deadline_s:
                raise ArmFaultError(
                    ArmFaultKind.CONNECTION_LOST,
                    f"no robot at {settings.master_uri} within {BOOT_TIMEOUT_S:g} s ({error}): is it on, is the cable "
                    "in, is master_uri in the robot's file right?",
                ) from error
            time.sleep(RETRY_S)


def _check_model(params: Any, settings: DriverSettings, joint_names: Sequence[str]) -> None:
    name = params.get_robot_name()
    if name != "sawyer":
        raise DriverError(f"the robot at {settings.master_uri} is a {name or 'robot that tells no name'}, not a Sawyer")
    told = tuple(params.get_joint_names(settings.limb))
    if told != tuple(joint_names):
        raise DriverError(
            f"the robot's limb {settings.limb!r} has the joints {', '.join(told) or 'none'}, the arm's file "
            f"{', '.join(joint_names)}"
        )
