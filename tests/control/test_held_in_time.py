"""Mux, supervisor and inner loop together: whatever fails, the arm is held within two control periods.

The chain runs on one clock in steps of 2 ms. A controller answers each tick of 0.1 s some milliseconds later; each case
breaks one thing at a random moment, twenty times.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from tenon.configuration.safety import JointLimitConfig, SafetyConfig, WorkspaceConfig
from tenon.control.loop import InnerLoop, InnerLoopConfig
from tenon.control.mux import CommandMux
from tenon.control.phase import SessionPhase
from tenon.control.safety import SafetyLevel, SafetySupervisor
from tenon.control.types import ControlMode, Pose, Reference, RobotState, Vector

MS = 1_000_000
PERIOD_NS = 100 * MS
START_NS = 1_000 * MS
CASES = 20
DOWN = np.array((1.0, 0.0, 0.0, 0.0))
CONFIG = SafetyConfig(
    robot="test",
    workspace=WorkspaceConfig(min_m=(0.2, -0.2, 0.05), max_m=(0.6, 0.2, 0.5)),
    joints=(JointLimitConfig(name="only", lower_rad=-2.0, upper_rad=2.0, speed_max_rad_s=1.0),),
    tcp_speed_max_m_s=0.25,
    tcp_acceleration_max_m_s2=5.0,
    tcp_turn_max_rad_s=1.0,
    jump_max_m=0.05,
    jump_max_rad=0.3,
    joint_jump_max_rad=0.3,
    force_max_n=50.0,
    torque_max_nm=10.0,
)
FAULTS = {
    "policy": "stale_command",
    "outside": "workspace",
    "nan": "not_finite",
    "push": "force",
    "image": "lost_image",
    "driver": "stale_state",
    "supervisor": "",
}


@dataclass
class Moment:
    """What the arm is told at one turn of the inner loop."""

    now_ns: int
    set_point_m: Vector
    holding: bool


class Chain:
    """The processes between controller and arm, and an arm that is where its set point is."""

    def __init__(self, broken: str, broken_ns: int, latency_ns: int) -> None:
        self._broken, self._broken_ns, self._latency_ns = broken, broken_ns, latency_ns
        self.supervisor = SafetySupervisor(CONFIG, name="test", control_period_ns=PERIOD_NS, image_needed=True)
        self._mux = CommandMux(teleop_timeout_ns=None)
        self._mux.on_phase(SessionPhase.RUNNING, START_NS)
        self._loop = InnerLoop(InnerLoopConfig(period_s=0.002, ramp_s=0.1, heartbeat_timeout_s=0.15))
        self._tcp_m = np.array((0.4, 0.0, 0.2))
        self.log: list[Moment] = []

    def run(self, end_ns: int) -> None:
        for now_ns in range(START_NS, end_ns, 2 * MS):
            self._turn(now_ns)

    def _is_broken(self, part: str, now_ns: int) -> bool:
        return part == self._broken and now_ns >= self._broken_ns

    def _turn(self, now_ns: int) -> None:
        if now_ns % (10 * MS) == 0:
            self._sense(now_ns)
            self._to_arm(self.supervisor.tick(now_ns), now_ns)
            if not self._is_broken("supervisor", now_ns):
                self._loop.on_heartbeat(self.supervisor.status(now_ns).level, now_ns)
        tick_ns = now_ns - self._latency_ns
        if tick_ns % PERIOD_NS == 0 and not self._is_broken("policy", now_ns):
            self._command(tick_ns, now_ns)
        point = self._loop.step(self._state(now_ns), now_ns)
        self._tcp_m = point.tcp_in_base.position_m
        self.log.append(Moment(now_ns, self._tcp_m, point.holding))

    def _sense(self, now_ns: int) -> None:
        if not self._is_broken("driver", now_ns):
            self._to_arm(self.supervisor.on_state(self._state(now_ns), now_ns), now_ns)
        if not self._is_broken("image", now_ns) and now_ns % (50 * MS) == 0:
            self._to_arm(self.supervisor.on_image(now_ns, now_ns), now_ns)

    def _command(self, tick_ns: int, now_ns: int) -> None:
        target_m = self._tcp_m + np.array((0.002, 0.0, -0.001))
        if self._is_broken("outside", now_ns):
            target_m[2] = 0.04
        if self._is_broken("nan", now_ns):
            target_m[1] = np.nan
        asked = Reference(tick_ns, ControlMode.CARTESIAN, "residual", 2 * PERIOD_NS, tcp_in_base=Pose(target_m, DOWN))
        passed = self._mux.on_reference(asked, now_ns)
        if passed is not None:
            self._to_arm(self.supervisor.on_reference(passed, now_ns), now_ns)

    def _to_arm(self, safe: Reference | None, now_ns: int) -> None:
        if safe is not None and not self._is_broken("supervisor", now_ns):
            self._loop.on_reference(safe, now_ns)

    def _state(self, now_ns: int) -> RobotState:
        push_n = 60.0 if self._is_broken("push", now_ns) else 0.0
        wrench = np.array((0.0, 0.0, push_n, 0.0, 0.0, 0.0))
        still = np.zeros(1)
        return RobotState(now_ns, still, still, still, Pose(self._tcp_m, DOWN), wrench_in_base=wrench)


@pytest.mark.parametrize("case", range(CASES))
@pytest.mark.parametrize("broken", FAULTS)
def test_arm_is_held_within_two_control_periods(broken: str, case: int) -> None:
    generator = np.random.default_rng([case, len(broken)])
    broken_ns = START_NS + 5 * PERIOD_NS + int(generator.integers(0, PERIOD_NS))
    chain = Chain(broken, broken_ns, latency_ns=2 * MS * int(generator.integers(1, 20)))
    chain.run(broken_ns + 10 * PERIOD_NS)
    assert not [moment for moment in chain.log if moment.now_ns < broken_ns][-1].holding, "it moves before"
    # A command that is wrong exists only once it is sent: at the latest one period after the break.
    sent_ns = PERIOD_NS if broken in ("outside", "nan") else 0
    after = [moment for moment in chain.log if moment.now_ns > broken_ns + sent_ns + 2 * PERIOD_NS]
    assert all(moment.holding for moment in after)
    assert np.ptp([moment.set_point_m for moment in after], axis=0).max() == 0.0, "and stays where it is"
    status = chain.supervisor.status(chain.log[-1].now_ns)
    if FAULTS[broken]:
        assert (status.level, status.fault) == (SafetyLevel.FAULT, FAULTS[broken])


def test_unbroken_chain_moves_on_without_a_fault() -> None:
    chain = Chain("nothing", 0, latency_ns=10 * MS)
    chain.run(START_NS + 50 * PERIOD_NS)
    moved = [moment for moment in chain.log if moment.now_ns > START_NS + 2 * PERIOD_NS]
    assert not any(moment.holding for moment in moved)
    assert np.linalg.norm(moved[-1].set_point_m - moved[0].set_point_m) > 0.05
    assert chain.supervisor.status(chain.log[-1].now_ns).faults_total == 0
