"""The node of the supervisor against a controlled clock: what it answers, and when, in whatever order messages come."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rosgraph_msgs.msg import Clock
from tenon_msgs.msg import Reference as ReferenceMsg
from tenon_msgs.msg import SafetyState

from tenon.control.types import ControlMode, Reference, RobotState
from tenon.session.reset import start_pose
from tenon.session.setup import load_setup
from tenon.simulation.insertion import InsertionSimulation
from tenon_control.safety_supervisor import SafetySupervisorNode
from tenon_graph import contract
from tenon_graph.conversions import image_to_msg, reference_to_msg, to_ns, to_stamp
from tenon_graph.node import GraphNode
from tenon_graph.states import StatePublisher

MS = 1_000_000
TICK_NS = 100 * MS
BEGIN_NS = 1_000 * MS
TURN_NS = 20 * MS
IDLE_TURNS = 20


class Bench:
    """The supervisor, and an arm with its clock that says what a test says, in the order in which it says it."""

    def __init__(self, run_directory: Path) -> None:
        arguments = ["--ros-args", "-p", "use_sim_time:=true", "-p", "session:=demo"]
        rclpy.init(args=[*arguments, "-p", f"run_directory:={run_directory}"])
        setup = load_setup("demo")
        self._at_start = start_pose(setup.nominal_goal_in_base, setup.task.start_height_m)
        simulation = InsertionSimulation(setup.arm, setup.connector, setup.task)
        simulation.reset(0, goal_error_scale=0.0)
        self._posture = simulation.state()
        simulation.close()
        self._supervisor = SafetySupervisorNode()
        self._arm = GraphNode("arm")
        self._clock = self._arm.create_publisher(Clock, "/clock", 1)
        self._states = StatePublisher(self._arm, setup.arm.joint_names)
        self._camera = self._arm.create_publisher(*_of(contract.CAMERA_IMAGE))
        self._reference = self._arm.create_publisher(*_of(contract.COMMAND_REFERENCE))
        self.answers: list[ReferenceMsg] = []
        self.faults: list[str] = []
        self._arm.create_subscription(*_of(contract.COMMAND_SAFE, self.answers.append))
        self._arm.create_subscription(*_of(contract.SAFETY_STATE, self._on_safety))
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self._supervisor)
        self._executor.add_node(self._arm)

    def _on_safety(self, msg: SafetyState) -> None:
        if msg.fault:
            self.faults.append(msg.fault)

    def clock(self, stamp_ns: int) -> None:
        self._clock.publish(Clock(clock=to_stamp(stamp_ns)))

    def picture(self, stamp_ns: int) -> None:
        self._camera.publish(image_to_msg(np.zeros((4, 4, 3), np.uint8), stamp_ns, "wrist_camera"))

    def reading(self, stamp_ns: int) -> None:
        posture = self._posture
        self._states.publish(
            RobotState(
                stamp_ns=stamp_ns,
                joint_position_rad=posture.joint_position_rad,
                joint_velocity_rad_s=np.zeros_like(posture.joint_position_rad),
                joint_effort_nm=posture.joint_effort_nm,
                tcp_in_base=posture.tcp_in_base,
                wrench_in_base=np.zeros(6),
            )
        )

    def reference(self, stamp_ns: int, mode: ControlMode) -> None:
        tcp_in_base = self._posture.tcp_in_base if mode is ControlMode.CARTESIAN else None
        self._reference.publish(reference_to_msg(Reference(stamp_ns, mode, "session", 2 * TICK_NS, tcp_in_base)))

    def settle(self) -> None:
        """Serves all that has been said."""
        for _ in range(IDLE_TURNS):
            self._executor.spin_once(timeout_sec=0.0)

    def turns(self, first_ns: int, last_ns: int) -> None:
        """Turns of the arm, each served before the next."""
        for stamp_ns in range(first_ns, last_ns + TURN_NS, TURN_NS):
            self.clock(stamp_ns)
            self.reading(stamp_ns)
            self.settle()

    def close(self) -> None:
        self._executor.shutdown()
        self._arm.destroy_node()
        self._supervisor.destroy_node()
        rclpy.try_shutdown()


def _of(topic: contract.Topic, callback: object = None) -> tuple[object, ...]:
    return (topic.type, topic.name, topic.qos) if callback is None else (topic.type, topic.name, callback, topic.qos)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setenv("RMW_IMPLEMENTATION", "rmw_loopback")
    running = Bench(tmp_path / "run")
    running.turns(BEGIN_NS, BEGIN_NS + TICK_NS)
    yield running
    running.close()


def stamps(bench: Bench) -> list[int]:
    return [to_ns(answer.header.stamp) for answer in bench.answers]


def test_command_that_overtakes_its_reading_is_answered_with_it(bench: Bench) -> None:
    tick_ns = BEGIN_NS + 2 * TICK_NS
    bench.turns(BEGIN_NS + TICK_NS + TURN_NS, tick_ns - 3 * TURN_NS)
    bench.reference(tick_ns, ControlMode.CARTESIAN)
    bench.settle()
    assert stamps(bench) == []
    bench.turns(tick_ns - 2 * TURN_NS, tick_ns)
    assert stamps(bench) == [tick_ns]
    assert bench.answers[0].mode == int(ControlMode.CARTESIAN)


def test_second_early_command_takes_the_place_of_the_first_and_lets_no_time_pass(bench: Bench) -> None:
    """A hold at the end of an episode, and the first command of the reset, overtook one reading."""
    tick_ns = BEGIN_NS + 2 * TICK_NS
    bench.turns(BEGIN_NS + TICK_NS + TURN_NS, tick_ns - 3 * TURN_NS)
    bench.reference(tick_ns, ControlMode.HOLD)
    bench.settle()
    bench.reference(tick_ns, ControlMode.CARTESIAN)
    bench.settle()
    assert stamps(bench) == [], "an answer would let the arm's time run on ahead of what the supervisor has read"
    bench.turns(tick_ns - 2 * TURN_NS, tick_ns)
    assert [(stamp, answer.mode) for stamp, answer in zip(stamps(bench), bench.answers, strict=True)] == [
        (tick_ns, int(ControlMode.CARTESIAN))
    ]


def test_command_whose_reading_never_comes_is_judged_after_a_period(bench: Bench) -> None:
    tick_ns = BEGIN_NS + 2 * TICK_NS
    bench.reference(tick_ns, ControlMode.CARTESIAN)
    bench.settle()
    for stamp_ns in range(tick_ns, tick_ns + 7 * TICK_NS, TURN_NS):
        bench.clock(stamp_ns)
        bench.settle()
    assert bench.faults
    assert bench.answers[-1].mode == int(ControlMode.HOLD)


def test_readings_that_stop_while_the_clock_goes_on_hold_the_arm_and_are_a_fault_in_the_end(bench: Bench) -> None:
    tick_ns = BEGIN_NS + TICK_NS
    bench.reference(tick_ns, ControlMode.CARTESIAN)
    bench.settle()
    for stamp_ns in range(tick_ns, tick_ns + 7 * TICK_NS, TURN_NS):
        bench.clock(stamp_ns)
        bench.settle()
        if stamp_ns == tick_ns + 2 * TICK_NS:
            assert (bench.answers[-1].mode, bench.faults) == (int(ControlMode.HOLD), [])
    assert bench.faults
    assert bench.faults[0] == "stale_state"
