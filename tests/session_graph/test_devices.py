"""What befalls a device in a running session: the supervisor latches, the fault has its name, nothing moves by itself
once the device is back, and the session goes on when a person says so.

The graph knows nothing of an emulator: the robot's file names a device, and the test holds what answers at its address.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from tenon_msgs.action import RunSession
from tenon_msgs.msg import ElectricalState, SafetyState, SessionState

from tenon.configuration.base import parse
from tenon.configuration.hand import HandConfig
from tenon.configuration.resolve import ConfigKind, load_named
from tenon.configuration.robot import DeviceConfig, RobotConfig
from tenon.control.drivers import ArmFaultKind
from tenon.session.setup import load_setup
from tenon.session.valve_job import valve_rad
from tenon.simulation.valve_task import ValveTaskConfig, distance_rad
from tenon_claw.config import DriverSettings as ClawSettings
from tenon_claw.control_table import HardwareError
from tenon_claw.emulator.stand import EmulatedClaw
from tenon_graph import contract
from tenon_graph.conversions import pose_from_msg, to_ns, to_stamp
from tenon_mujoco.emulator_process import EmulatorProcess
from tenon_session.testing.probe import Probe
from tenon_session.testing.sessions import taught_goal
from tenon_session.testing.stage import Stage

pytestmark = [pytest.mark.session, pytest.mark.devices, pytest.mark.timeout(600)]

ENDLESS = 1_000_000
STEPS_BEFORE = 3
"""Of an episode, before something happens."""
WATCHED_S = 1.0
DETECTOR_PERIOD_S = 0.02
TURNED_RAD = 0.6
"""Further than any episode of the valve begins."""
CLAW_IDS = (10, 21, 32)
"""Three of its servos, one of each finger."""


@dataclass(frozen=True)
class Lab:
    """A session that runs, and the device. joints: where it really is. still_rad: by how much it may yield."""

    stage: Stage
    device: Any
    joints: Callable[[], np.ndarray]
    still_rad: float

    @property
    def probe(self) -> Probe:
        return self.stage.probe


@dataclass(frozen=True)
class Accident:
    """kinds: what the driver may call it; none where it cannot tell any more. lasts: until ``mend``."""

    begin: Callable[[Any], object]
    mend: Callable[[Any], object]
    kinds: frozenset[str]
    lasts: bool = True


def accident(begin: Any, mend: Any, *kinds: ArmFaultKind, lasts: bool = True) -> Accident:
    return Accident(begin, mend, frozenset(str(kind) for kind in kinds), lasts)


def calls(*names: str) -> Callable[[EmulatorProcess], object]:
    return lambda device: [device.call(name) for name in names]


def puts(name: str, value: object) -> Callable[[EmulatorProcess], object]:
    return lambda device: device.put(name, value)


def nothing(_device: object) -> None:
    """It is over by itself."""


LOST, RESTARTED = ArmFaultKind.CONNECTION_LOST, ArmFaultKind.CONTROLLER_RESTARTED
UR5_ACCIDENTS = {
    "protective stop": accident(
        calls("safety.protective_stop"), calls("safety.unlock_protective_stop"), ArmFaultKind.PROTECTIVE_STOP
    ),
    "emergency stop": accident(
        calls("safety.press_emergency_stop"),
        calls("safety.release_emergency_stop", "safety.power_on", "safety.release_brakes"),
        ArmFaultKind.EMERGENCY_STOP,
    ),
    "cable pulled": accident(calls("pull_cable"), calls("plug_cable"), LOST),
    "controller rebooted": accident(
        calls("reboot"), nothing, LOST, RESTARTED, ArmFaultKind.COMMAND_TIMEOUT, lasts=False
    ),
    "garbage": accident(puts("disturbance", "garbage"), puts("disturbance", "")),
}
"""Garbage brings the driver's process down with its library: the supervisor alone tells of it."""


def restart_sawyer(device: EmulatorProcess) -> None:
    device.call("reboot")
    device.call("arm.enable", True)


SAWYER_ACCIDENTS = {
    "stop button": accident(
        calls("arm.press_stop"),
        lambda device: [device.call("arm.release_stop"), device.call("arm.reset"), device.call("arm.enable", True)],
        ArmFaultKind.EMERGENCY_STOP,
    ),
    "cable pulled": accident(puts("robot.unplugged", True), puts("robot.unplugged", False), LOST),
    "master gone": accident(calls("shut_down"), restart_sawyer, LOST, RESTARTED),
}
CLAW_ACCIDENTS = {
    "cable pulled": accident(lambda claw: claw.bus.unplug(), lambda claw: claw.bus.plug_in(), LOST),
    "servo overheated": accident(
        lambda claw: claw.heat(CLAW_IDS[1], 70), lambda claw: claw.heat(CLAW_IDS[1], 40), ArmFaultKind.OVERHEATED
    ),
    "servo shut down": accident(
        lambda claw: claw.fail(CLAW_IDS[0], HardwareError.OVERLOAD),
        lambda claw: claw.restart_servos(),
        ArmFaultKind.OVERLOADED,
    ),
    "servo silent": accident(lambda claw: claw.bus.absent.add(CLAW_IDS[2]), lambda claw: claw.bus.absent.clear(), LOST),
}


@pytest.fixture(scope="module")
def ur5(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    directory = tmp_path_factory.mktemp("ur5")
    pid = os.getpid()
    settings = {"host": f"127.30.{pid // 250 % 250}.{1 + pid % 250}", "series": "cb3", "detector_input": 0}
    robot = load_named(RobotConfig, ConfigKind.ROBOTS, "ur5-emulated")
    emulated = robot.model_copy(update={"emulator": DeviceConfig(package="tenon_ur5", settings=settings)})
    with EmulatorProcess(emulated, "easy") as device, _running(robot, settings, directory) as stage:
        yield Lab(stage, device, lambda: device.call("plant.reading").joint_position_rad, 2e-3)


@pytest.fixture(scope="module")
def sawyer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """The detector of the connection is not wired to a Sawyer: the probe stands in for it."""
    directory, port = tmp_path_factory.mktemp("sawyer"), _free_port()
    robot = load_named(RobotConfig, ConfigKind.ROBOTS, "sawyer-emulated")
    assert robot.emulator is not None
    device_settings = {**robot.emulator.settings, "port": port}
    emulated = robot.model_copy(update={"emulator": DeviceConfig(package="tenon_sawyer", settings=device_settings)})
    settings = {**robot.driver.settings, "master_uri": f"http://127.0.0.1:{port}/"}
    with EmulatorProcess(emulated, "easy") as device, _running(robot, settings, directory, detector=True) as stage:
        yield Lab(stage, device, lambda: device.call("plant.reading").joint_position_rad, 1e-2)


@pytest.fixture(scope="module")
def claw(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Its fingers let go and sink."""
    directory = tmp_path_factory.mktemp("claw")
    robot = load_named(RobotConfig, ConfigKind.ROBOTS, "claw-emulated")
    settings = {**robot.driver.settings, "port": str(directory / "bus"), "answer_margin_s": 0.3}
    parsed = parse(ClawSettings, settings, where="claw")
    hand = load_named(HandConfig, ConfigKind.HANDS, parsed.hand)
    with EmulatedClaw(parsed, hand, ValveTaskConfig()) as device, _running(robot, settings, directory) as stage:
        yield Lab(stage, device, lambda: device.joint_position_rad, 0.1)


@pytest.mark.parametrize("name", UR5_ACCIDENTS)
def test_ur5(ur5: Lab, name: str) -> None:
    befall(ur5, UR5_ACCIDENTS[name])


@pytest.mark.parametrize("name", SAWYER_ACCIDENTS)
def test_sawyer(sawyer: Lab, name: str) -> None:
    befall(sawyer, SAWYER_ACCIDENTS[name])


def test_claw_tells_how_far_it_has_turned_the_valve(claw: Lab) -> None:
    probe = claw.probe
    probe.listen(contract.TCP_POSE)
    probe.wait_for(lambda: abs(claw.device.valve_rad) > TURNED_RAD, "the gait to turn the valve")

    def agrees() -> bool:
        told = probe.last(contract.TCP_POSE)
        return told is not None and distance_rad(valve_rad(pose_from_msg(told.pose)), claw.device.valve_rad) < 0.1

    probe.wait_for(agrees, "the pose of the valve")


@pytest.mark.parametrize("name", CLAW_ACCIDENTS)
def test_claw(claw: Lab, name: str) -> None:
    befall(claw, CLAW_ACCIDENTS[name])


def befall(lab: Lab, accident: Accident) -> None:
    probe = lab.probe
    probe.wait_for(lambda: _is_under_way(probe), "an episode's first steps")
    begun_ns = time.time_ns()
    accident.begin(lab.device)
    probe.wait_for(lambda: probe.safety.state == SafetyState.FAULT, "a fault")
    assert probe.safety.fault in ("arm", "stale_state"), probe.safety.detail
    if accident.kinds:
        _wait_for_name(probe, accident.kinds, begun_ns)
    held_rad = _at_rest(lab)
    if accident.lasts:
        answer = probe.trigger(contract.CLEAR_FAULT_SERVICE)
        assert not answer.success, f"cleared while the cause persisted: {answer.message}"
    accident.mend(lab.device)
    probe.wait_for(lambda: _is_well(probe), "the device's return")
    time.sleep(WATCHED_S)
    np.testing.assert_allclose(lab.joints(), held_rad, atol=lab.still_rad, err_msg="it moved by itself")
    assert probe.session.phase == SessionState.FAULT, "the session left FAULT by itself"
    _go_on(probe)


def _is_under_way(probe: Probe) -> bool:
    state = probe.session
    if state.phase == SessionState.FAULT:  # of a busy machine, before anything was done to the device
        probe.recover()
    seen = probe.heard(contract.OBSERVATION, since_ns=to_ns(state.header.stamp))
    return state.phase == SessionState.RUNNING and len(seen) > STEPS_BEFORE


def _wait_for_name(probe: Probe, kinds: frozenset[str], since_ns: int) -> None:
    def told() -> set[str]:
        return {msg.fault for msg in probe.heard(contract.ARM_STATE, since_ns=since_ns)}

    probe.wait_for(lambda: told() & kinds, f"one of {', '.join(sorted(kinds))} on arm/state")


def _is_well(probe: Probe) -> bool:
    """The driver says so, and readings come again."""
    silent_ns = time.time_ns() - probe.now_ns()
    return not probe.last(contract.ARM_STATE).fault and silent_ns < 1e9 * WATCHED_S


def _at_rest(lab: Lab) -> np.ndarray:
    """Waits until the device stands or hangs still; returns where."""
    before_rad = lab.joints()
    deadline_s = time.monotonic() + 20.0
    while True:
        time.sleep(WATCHED_S / 2)
        here_rad = lab.joints()
        if np.abs(here_rad - before_rad).max() < lab.still_rad / 10:
            return here_rad
        assert time.monotonic() < deadline_s, "the device goes on moving"
        before_rad = here_rad


def _go_on(probe: Probe) -> None:
    """A person clears and resumes: it moves again."""
    probe.wait_for(lambda: probe.trigger(contract.CLEAR_FAULT_SERVICE).success, "clearing")
    probe.wait_for(lambda: probe.safety.state == SafetyState.OK, "an OK of the supervisor")
    probe.wait_for(lambda: probe.trigger(contract.RESUME_SERVICE).success, "resuming")
    now_ns = probe.now_ns()
    probe.wait_for(lambda: any(not msg.holding for msg in probe.commands(now_ns)), "motion after clear and resume")


@contextmanager
def _running(
    robot: RobotConfig, settings: Mapping[str, Any], directory: Path, *, detector: bool = False
) -> Iterator[Stage]:
    """A session of this robot as a device, in an endless run of its hand-written controller."""
    is_claw = robot.arm == "claw"
    driver = DeviceConfig(package=robot.driver.package, settings=dict(settings))
    device = robot.model_copy(update={"driver": driver, "emulator": None})
    file = directory / "robot.yaml"
    file.write_text(yaml.safe_dump(device.model_dump(mode="json")), encoding="utf-8")
    session: dict[str, Any] = {
        "name": "devices",
        "robot": str(file),
        "task": "valve" if is_claw else "easy",
        "controller": "gait" if is_claw else "p_controller",
        "reward": "completion" if is_claw else "electrical",
        "train": False,
        "episodes": 1,
        "tare": {"window_s": 0.3, "samples_min": 15},
    }
    if not is_claw:  # of a real arm, whose goal a person has to teach: at the socket of the simulated stand
        goal = load_setup("sim", {"robot": str(file), "task": "easy"}).nominal_goal_in_base
        session["calibration"] = str(taught_goal(directory / "taught.yaml", str(file), "easy", goal.position_m))
    launch = {"trainer": "false"} | ({"controller_node": "joint_controller"} if is_claw else {})
    with Stage(session, directory, launch).open() as stage:
        probe = stage.probe
        probe.listen(contract.OBSERVATION, contract.ARM_STATE)
        if detector:
            _stand_in_for_detector(probe)
        probe.wait_for(lambda: probe.safety.state == SafetyState.OK, "an OK of the supervisor")
        probe.start_run(RunSession.Goal(controller=session["controller"], episodes=ENDLESS))
        yield stage


def _stand_in_for_detector(probe: Probe) -> None:
    topic = contract.TASK_ELECTRICAL
    publisher = probe.create_publisher(topic.type, topic.name, topic.qos)

    def tell() -> None:
        msg = ElectricalState(connected=False)
        msg.header.stamp = to_stamp(time.time_ns())
        publisher.publish(msg)

    probe.create_timer(DETECTOR_PERIOD_S, tell)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
