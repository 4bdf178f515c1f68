"""Whatever is thrown at the supervisor, what comes out keeps the limits, and after a fault it is HOLD until cleared."""

from __future__ import annotations

import itertools
import math

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tenon.configuration.safety import JointLimitConfig, SafetyConfig, WorkspaceConfig
from tenon.control.safety import SafetyLevel, SafetySupervisor
from tenon.control.types import ControlMode, Pose, Reference, RobotState

MS = 1_000_000
PERIOD_NS = 100 * MS
PERIOD_S = 0.1
LOW_M, HIGH_M = np.array((0.2, -0.2, 0.05)), np.array((0.6, 0.2, 0.5))
CONFIG = SafetyConfig(
    robot="test",
    workspace=WorkspaceConfig(min_m=tuple(LOW_M), max_m=tuple(HIGH_M)),
    joints=(JointLimitConfig(name="only", lower_rad=-2.0, upper_rad=2.0, speed_max_rad_s=1.0),),
    tcp_speed_max_m_s=0.4,
    tcp_acceleration_max_m_s2=10.0,
    tcp_turn_max_rad_s=1.0,
    jump_max_m=0.05,
    jump_max_rad=0.3,
    joint_jump_max_rad=0.3,
    force_max_n=50.0,
    torque_max_nm=10.0,
)
ANY = st.floats(allow_nan=True, allow_infinity=True)
CORNER_M = np.array((0.59, 0.19, 0.06))
"""The arm works near a corner of the box, where many targets lie outside."""
NEAR_M = st.floats(-0.03, 0.03)
STEP_M = st.floats(-0.06, 0.06)
TIMES = st.sampled_from((0, 1, 5, 10, 20, 50, 95, 100, 105, 150, 195, 200, 205, 500)).map(lambda ms: ms * MS)
LAGS = st.sampled_from((0,) * 20 + (10, 50, 150, 250, -50, -150)).map(lambda ms: ms * MS)
TURNS = st.one_of(
    st.floats(-0.2, 0.2).map(lambda half: np.array((math.cos(half), math.sin(half), 0.0, 0.0))),
    st.floats(0.9, 1.1).map(lambda length: np.array((length, 0.0, 0.0, 0.0))),
    st.sampled_from((math.nan, math.inf)).map(lambda value: np.array((1.0, value, 0.0, 0.0))),
    st.lists(ANY, min_size=4, max_size=4).map(np.array),
)
SOURCES = st.sampled_from(("residual",) * 10 + ("session", "teleop", "stranger"))


class Judged(RuleBasedStateMachine):
    """Random sequences of readings, references, pauses and clears; the checks are written down here anew."""

    def __init__(self) -> None:
        super().__init__()
        self.judge = SafetySupervisor(CONFIG, name="test", control_period_ns=PERIOD_NS, image_needed=False)
        self.now_ns = 1000 * PERIOD_NS
        self.tcp = Pose(CORNER_M, np.array((1.0, 0.0, 0.0, 0.0)))
        self.faulted = False
        self.cleared_since = True
        self.last_target: tuple[np.ndarray, np.ndarray, int] | None = None
        self.read(0.0, 0.0, 0.0)

    def seen(self, output: Reference | None) -> None:
        if output is None:
            return
        if output.mode is ControlMode.HOLD:
            self.last_target = None
            if output.tcp_in_base is not None:
                assert np.isfinite(output.tcp_in_base.position_m).all()
                assert abs(np.linalg.norm(output.tcp_in_base.quaternion_xyzw) - 1.0) <= 1e-3
            return
        assert not self.faulted, "motion came out after a fault"
        assert output.mode is ControlMode.CARTESIAN and output.tcp_in_base is not None
        target_m = output.tcp_in_base.position_m
        assert np.isfinite(target_m).all() and (target_m >= LOW_M).all() and (target_m <= HIGH_M).all()
        assert math.isclose(float(np.linalg.norm(output.tcp_in_base.quaternion_xyzw)), 1.0, abs_tol=1e-3)
        assert np.linalg.norm(target_m - self.tcp.position_m) <= CONFIG.jump_max_m + 1e-12
        assert output.stamp_ns + output.valid_for_ns <= self.now_ns + 2 * PERIOD_NS
        self._check_speed(target_m)

    def _check_speed(self, target_m: np.ndarray) -> None:
        """The set point goes from where it is to the target within one period."""
        start_m = self.tcp.position_m
        if self.last_target:
            before_m, after_m, since_ns = self.last_target
            start_m = before_m + min((self.now_ns - since_ns) / PERIOD_NS, 1.0) * (after_m - before_m)
        assert np.linalg.norm(target_m - start_m) / PERIOD_S <= CONFIG.tcp_speed_max_m_s + 1e-9
        self.last_target = (start_m, target_m, self.now_ns)

    @rule(x=NEAR_M, y=NEAR_M, z=NEAR_M)
    def read(self, x: float, y: float, z: float) -> None:
        moved = Pose(CORNER_M + np.array((x, y, z)), self.tcp.quaternion_xyzw)
        output = self.judge.on_state(self._state(moved, np.zeros(6)), self.now_ns)
        self.tcp = moved
        self.seen(output)

    @rule(values=st.lists(ANY, min_size=6, max_size=6), where=ANY, lag_ns=LAGS)
    def read_nonsense(self, values: list[float], where: float, lag_ns: int) -> None:
        pose = Pose(np.array((where, 0.0, 0.2)), self.tcp.quaternion_xyzw)
        self.seen(self.judge.on_state(self._state(pose, np.array(values), lag_ns), self.now_ns))
        # A reading of something far away is a reading: from here on the jump is measured from there, if it was safe.
        if self.judge.status(self.now_ns).level is not SafetyLevel.FAULT:
            self.tcp = pose

    @rule(x=STEP_M, y=STEP_M, z=STEP_M, source=SOURCES, lag_ns=LAGS)
    def ask(self, x: float, y: float, z: float, source: str, lag_ns: int) -> None:
        target = Pose(self.tcp.position_m + np.array((x, y, z)), np.array((1.0, 0.0, 0.0, 0.0)))
        self._ask(target, source, lag_ns)

    @rule(turn=TURNS, source=SOURCES, lag_ns=LAGS)
    def ask_to_turn(self, turn: np.ndarray, source: str, lag_ns: int) -> None:
        self._ask(Pose(self.tcp.position_m, turn), source, lag_ns)

    @rule(position=st.lists(ANY, min_size=3, max_size=3), source=SOURCES, lag_ns=LAGS)
    def ask_nonsense(self, position: list[float], source: str, lag_ns: int) -> None:
        self._ask(Pose(np.array(position), self.tcp.quaternion_xyzw), source, lag_ns)

    @rule()
    def ask_to_hold(self) -> None:
        self.seen(self.judge.on_reference(Reference(self.now_ns, ControlMode.HOLD, "mux", 0), self.now_ns))

    @rule(duration_ns=TIMES)
    def wait(self, duration_ns: int) -> None:
        self.now_ns += duration_ns
        self.seen(self.judge.tick(self.now_ns))

    @rule(duration_ns=st.integers(1, 100).map(lambda ms: ms * MS), x=NEAR_M, y=NEAR_M, z=NEAR_M)
    def go_on(self, duration_ns: int, x: float, y: float, z: float) -> None:
        self.wait(duration_ns)
        self.read(x, y, z)

    @precondition(lambda self: self.faulted)
    @rule()
    def recover(self) -> None:
        self.read(0.0, 0.0, 0.0)
        self.ask_to_hold()
        self.clear()

    @precondition(lambda self: self.faulted)
    @rule()
    def clear(self) -> None:
        result = self.judge.clear(self.now_ns)
        self.faulted = not result.cleared
        assert result.message
        if result.cleared:
            self.last_target = None

    @invariant()
    def fault_stays_until_cleared(self) -> None:
        status = self.judge.status(self.now_ns)
        if self.faulted:
            assert status.level is SafetyLevel.FAULT and status.fault and status.detail
        self.faulted = status.level is SafetyLevel.FAULT

    def _ask(self, target: Pose, source: str, lag_ns: int) -> None:
        asked = Reference(self.now_ns - lag_ns, ControlMode.CARTESIAN, source, 2 * PERIOD_NS, tcp_in_base=target)
        self.seen(self.judge.on_reference(asked, self.now_ns))

    def _state(self, tcp: Pose, wrench: np.ndarray, lag_ns: int = 0) -> RobotState:
        still = itertools.repeat(np.zeros(1), 3)
        return RobotState(self.now_ns - lag_ns, *still, tcp, wrench_in_base=wrench)


Judged.TestCase.settings = settings(max_examples=300, stateful_step_count=40, deadline=None)
test_no_sequence_of_inputs_gets_an_unsafe_reference_out = Judged.TestCase
