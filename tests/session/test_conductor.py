"""What a session waits for: the supervisor's heartbeat, whose silence is latched, and the first policy."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tenon.control.phase import SessionPhase
from tenon.control.safety import SafetyLevel, SafetySupervisor
from tenon.control.types import ControlMode, Pose, Reference, RobotState
from tenon.session.conductor import FIRST_EPISODE_ATTEMPTS, CallOut, Conductor, ReferenceOut, StateOut
from tenon.session.machine import SessionPlan
from tenon.session.reset import start_pose
from tenon.session.setup import load_setup
from tenon.session.transitions import ObservationSample

MS = 1_000_000
PERIOD_NS = 100 * MS
PLAN = SessionPlan(
    controller="p_controller",
    episodes=2,
    train=False,
    deterministic=False,
    goal_error_m=0.0,
    seed=0,
    stop_at_success=False,
    record=False,
)


class Session:
    """A conductor, a steady clock that goes with session time, and a supervisor that can be silenced."""

    def __init__(self, run_directory: Path) -> None:
        setup = load_setup("demo", {"run_directory": str(run_directory)})
        self.conductor = Conductor(setup, first_episode=0)
        self.start = start_pose(setup.nominal_goal_in_base, setup.task.start_height_m)
        self.now_ns = 0
        self.motions = 0

    def run(self, ticks: int, *, heartbeats: bool, level: SafetyLevel = SafetyLevel.OK) -> None:
        """So many control ticks, with a heartbeat before each."""
        conductor = self.conductor
        for _ in range(ticks):
            self.now_ns += PERIOD_NS
            if heartbeats:
                fault = "force" if level is SafetyLevel.FAULT else ""
                conductor.on_safety(level, fault, "", stamp_ns=self.now_ns - 20 * MS, steady_ns=self.now_ns)
            conductor.on_time(self.now_ns, steady_ns=self.now_ns)
            sample = ObservationSample(conductor.machine.episode, self.now_ns, np.zeros(4))
            phase = int(conductor.machine.phase)
            conductor.on_observation(sample, phase=phase, tcp_in_base=self.start, peak_force_n=0.0)
            for output in conductor.take():
                self.motions += isinstance(output, ReferenceOut)
                if isinstance(output, CallOut):
                    conductor.on_service(output.ticket, success=True, message="")

    @property
    def phase(self) -> SessionPhase:
        return self.conductor.machine.phase


@pytest.fixture
def session(tmp_path: Path) -> Session:
    """A session on the way to the start of its first episode."""
    session = Session(tmp_path)
    session.run(3, heartbeats=True)
    assert session.conductor.start(PLAN).accepted
    session.run(1, heartbeats=True)
    assert session.phase is SessionPhase.RESETTING
    return session


def test_silent_supervisor_is_a_fault_that_names_it(session: Session) -> None:
    session.run(3, heartbeats=False)
    assert session.phase is SessionPhase.RESETTING, "a heartbeat or two may be late"
    session.run(2, heartbeats=False)
    assert session.phase is SessionPhase.FAULT
    assert session.conductor.machine.detail.startswith("supervisor: has been silent for")


def test_session_does_not_go_on_by_itself_when_the_supervisor_is_back(session: Session) -> None:
    session.run(10, heartbeats=False)
    session.run(10, heartbeats=True)
    assert session.phase is SessionPhase.FAULT
    assert session.conductor.resume().accepted
    session.run(1, heartbeats=True)
    assert session.phase is SessionPhase.RESETTING


def test_resume_is_refused_while_the_supervisor_is_silent(session: Session) -> None:
    session.run(10, heartbeats=False)
    answer = session.conductor.resume()
    assert not answer.accepted
    assert "has been silent" in answer.message
    assert session.phase is SessionPhase.FAULT


def test_session_that_never_heard_a_supervisor_does_not_move(tmp_path: Path) -> None:
    session = Session(tmp_path)
    assert session.conductor.start(PLAN).accepted
    session.run(1, heartbeats=False)
    assert session.phase is SessionPhase.FAULT
    assert "has not been heard yet" in session.conductor.machine.detail


def test_fault_of_the_supervisor_is_not_cleared_by_resume(session: Session) -> None:
    session.run(1, heartbeats=True, level=SafetyLevel.FAULT)
    assert session.phase is SessionPhase.FAULT
    assert not session.conductor.resume().accepted
    session.run(1, heartbeats=True)
    assert session.phase is SessionPhase.PAUSED, "a person has cleared it at the supervisor"


def test_start_is_refused_until_the_supervisor_is_heard_to_be_clear(session: Session) -> None:
    """Else a heartbeat that was under way as it was cleared would leave the new run paused for good."""
    assert session.conductor.stop().accepted
    session.run(1, heartbeats=True, level=SafetyLevel.FAULT)
    answer = session.conductor.start(PLAN)
    assert not answer.accepted
    assert "force" in answer.message and "clear it first" in answer.message
    session.run(1, heartbeats=True)
    assert session.conductor.start(PLAN).accepted
    session.run(10, heartbeats=True)
    assert session.phase is SessionPhase.RUNNING


def test_every_change_of_phase_is_told_with_the_time_from_which_it_holds(session: Session) -> None:
    session.conductor.pause()
    told = [output for output in session.conductor.take() if isinstance(output, StateOut)]
    assert [output.stamp_ns for output in told] == [session.now_ns]


def test_episode_begins_at_the_start_pose(session: Session) -> None:
    session.run(10, heartbeats=True)
    assert session.phase is SessionPhase.RUNNING


@pytest.fixture
def without_policy(tmp_path: Path) -> Session:
    """A session of the residual controller whose trainer has published nothing yet."""
    session = Session(tmp_path)
    session.run(3, heartbeats=True)
    assert session.conductor.start(replace(PLAN, controller="residual")).accepted
    session.run(50, heartbeats=True)
    return session


def test_session_without_a_policy_waits_and_moves_nothing(without_policy: Session) -> None:
    assert without_policy.phase is SessionPhase.RESETTING
    assert without_policy.motions == 0
    without_policy.conductor.on_policy()
    without_policy.run(10, heartbeats=True)
    assert without_policy.phase is SessionPhase.RUNNING
    assert without_policy.motions > 0


def test_policy_is_waited_for_while_the_trainer_gets_on(without_policy: Session) -> None:
    session = without_policy
    for updates in range(1, 6):
        session.conductor.on_training(1000 * updates, "")
        session.run(500, heartbeats=True)
    assert session.phase is SessionPhase.RESETTING
    for _ in range(2):
        session.conductor.on_training(5000, "")
        session.run(500, heartbeats=True)
    assert session.phase is SessionPhase.FAULT, "a trainer that stands still is not waited for"
    assert "see whether trainer_node runs" in session.conductor.machine.detail


def test_trainer_that_stopped_before_its_first_policy_is_a_fault_with_its_reason(without_policy: Session) -> None:
    without_policy.conductor.on_training(3, "iql, update 4: reward is not finite")
    without_policy.run(1, heartbeats=True)
    assert without_policy.phase is SessionPhase.FAULT
    assert "iql, update 4: reward is not finite" in without_policy.conductor.machine.detail
    assert without_policy.motions == 0


def test_graph_that_is_still_wiring_itself_gets_its_first_episode_again(session: Session) -> None:
    machine = session.conductor.machine
    seeds = set()
    for _ in range(FIRST_EPISODE_ATTEMPTS - 1):
        session.run(10, heartbeats=True)
        assert session.phase is SessionPhase.RUNNING
        seeds.add(machine.seed)
        while session.phase is SessionPhase.RUNNING:
            session.run(1, heartbeats=True)  # observations come, actions and rewards do not
        assert session.phase is SessionPhase.RESETTING
    assert len(seeds) == 1
    assert machine.statistics.episodes == 0
    session.run(10, heartbeats=True)
    while session.phase is SessionPhase.RUNNING:
        session.run(1, heartbeats=True)
    assert session.phase is SessionPhase.FAULT
    assert "look at policy_node and residual_controller" in machine.detail


def test_policy_that_never_comes_is_a_fault_that_names_the_trainer(without_policy: Session) -> None:
    without_policy.run(700, heartbeats=True)
    assert without_policy.phase is SessionPhase.FAULT
    assert "see whether trainer_node runs" in without_policy.conductor.machine.detail


def test_node_that_comes_up_late_is_waited_for_without_motion(tmp_path: Path) -> None:
    session = Session(tmp_path)
    session.run(3, heartbeats=True)
    session.conductor.on_senders("residual/command")
    assert session.conductor.start(PLAN).accepted
    session.run(50, heartbeats=True)
    assert session.phase is SessionPhase.RESETTING
    assert session.motions == 0
    session.conductor.on_senders("")
    session.run(10, heartbeats=True)
    assert session.phase is SessionPhase.RUNNING


def test_node_that_never_comes_up_is_a_fault_that_names_its_stream(tmp_path: Path) -> None:
    session = Session(tmp_path)
    session.run(3, heartbeats=True)
    session.conductor.on_senders("reward")
    assert session.conductor.start(PLAN).accepted
    session.run(700, heartbeats=True)
    assert session.phase is SessionPhase.FAULT
    assert "nobody offers reward within 60 s" in session.conductor.machine.detail
    assert session.motions == 0


def test_resume_after_a_fault_in_the_last_episode_says_that_the_run_is_over(tmp_path: Path) -> None:
    session = Session(tmp_path)
    session.run(3, heartbeats=True)
    assert session.conductor.start(replace(PLAN, episodes=1)).accepted
    while session.phase is not SessionPhase.RUNNING:
        session.run(1, heartbeats=True)
    session.conductor.machine.on_fault("stream", "no reward")
    session.run(1, heartbeats=True)
    assert session.phase is SessionPhase.FAULT
    answer = session.conductor.resume()
    assert answer.accepted and "the run is over" in answer.message
    assert session.phase is SessionPhase.FINISHED


def test_way_to_the_start_begins_where_the_arm_is_and_not_where_a_policy_pressed_to(tmp_path: Path) -> None:
    setup = load_setup("demo", {"run_directory": str(tmp_path)})
    conductor = Conductor(setup, first_episode=0)
    safety = setup.stand.safety
    supervisor = SafetySupervisor(safety, name="demo", control_period_ns=PERIOD_NS, image_needed=False)
    joints = np.array([0.5 * (joint.lower_rad + joint.upper_rad) for joint in safety.joints])
    seated = setup.nominal_goal_in_base

    def tell(now_ns: int) -> None:
        still = np.zeros(len(joints))
        supervisor.tick(now_ns)
        supervisor.on_state(RobotState(now_ns, joints, still, still, seated, np.zeros(6)), now_ns)
        conductor.on_safety(SafetyLevel.OK, "", "", stamp_ns=now_ns, steady_ns=now_ns)
        conductor.on_time(now_ns, steady_ns=now_ns)

    pressing = Pose(seated.position_m - np.array((0.0, 0.0, 0.012)), seated.quaternion_xyzw)
    for tick in range(1, 5):
        tell(tick * PERIOD_NS)
        supervisor.on_reference(
            Reference(tick * PERIOD_NS, ControlMode.CARTESIAN, "residual", 2 * PERIOD_NS, tcp_in_base=pressing),
            tick * PERIOD_NS,
        )
    assert supervisor.armed, "it moves the arm so far"
    assert conductor.start(PLAN).accepted
    moved = 0
    for tick in range(5, 9):
        now_ns = tick * PERIOD_NS
        tell(now_ns)
        sample = ObservationSample(conductor.machine.episode, now_ns, np.zeros(4))
        conductor.on_observation(sample, phase=int(conductor.machine.phase), tcp_in_base=seated, peak_force_n=0.0)
        for output in conductor.take():
            if isinstance(output, ReferenceOut):
                supervisor.on_reference(output.reference, now_ns)
                moved += output.reference.mode is ControlMode.CARTESIAN
        assert supervisor.status(now_ns).fault == "", supervisor.status(now_ns).detail
    assert moved
