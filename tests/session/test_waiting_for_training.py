"""Episodes of practice that wait for the training on the one before, where the session says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tenon.control.phase import SessionPhase
from tenon.control.safety import SafetyLevel
from tenon.session.conductor import CallOut, Conductor, ReferenceOut, TransitionOut
from tenon.session.machine import SessionPlan
from tenon.session.reset import start_pose
from tenon.session.setup import load_setup
from tenon.session.transitions import ActionSample, ObservationSample, RewardSample

MS = 1_000_000
PERIOD_NS = 100 * MS
PLAN = SessionPlan(
    controller="residual",
    episodes=2,
    train=True,
    deterministic=False,
    goal_error_m=0.0,
    seed=0,
    stop_at_success=False,
    record=False,
)


class Session:
    """A conductor whose every observation is answered and judged at once, with a policy that is there."""

    def __init__(self, run_directory: Path, **changes: Any) -> None:
        setup = load_setup("demo", {"run_directory": str(run_directory), **changes})
        self.conductor = Conductor(setup, first_episode=0)
        self._start = start_pose(setup.nominal_goal_in_base, setup.task.start_height_m)
        self._now_ns = 0
        self.motions = 0
        self.sent: list[tuple[int, int]] = []
        self.run(3)
        self.conductor.on_policy()
        assert self.conductor.start(PLAN).accepted

    @property
    def phase(self) -> SessionPhase:
        return self.conductor.machine.phase

    def run(self, ticks: int) -> None:
        conductor = self.conductor
        for _ in range(ticks):
            self._now_ns += PERIOD_NS
            now_ns = self._now_ns
            conductor.on_safety(SafetyLevel.OK, "", "", stamp_ns=now_ns - 20 * MS, steady_ns=now_ns)
            conductor.on_time(now_ns, steady_ns=now_ns)
            episode, phase = conductor.machine.episode, int(conductor.machine.phase)
            conductor.on_action(ActionSample(episode, now_ns, np.zeros(3), saturated=False, policy_version=1))
            conductor.on_reward(RewardSample(episode, now_ns, 0.0, success=False))
            sample = ObservationSample(episode, now_ns, np.zeros(4))
            conductor.on_observation(sample, phase=phase, tcp_in_base=self._start, peak_force_n=0.0)
            self._take()

    def _take(self) -> None:
        for output in self.conductor.take():
            self.motions += isinstance(output, ReferenceOut)
            if isinstance(output, TransitionOut):
                self.sent.append((output.transition.episode, output.transition.step))
            if isinstance(output, CallOut):
                self.conductor.on_service(output.ticket, success=True, message="")


def test_next_episode_begins_when_all_of_the_last_one_is_trained_on(tmp_path: Path) -> None:
    session = Session(tmp_path, wait_for_training=True)
    session.run(80)
    assert session.sent[-1] == (0, 49), "the first episode had nothing to wait for"
    assert session.phase is SessionPhase.RESETTING
    motions = session.motions
    session.run(100)
    assert (session.phase, session.motions) == (SessionPhase.RESETTING, motions), "it moves nothing while it waits"
    session.conductor.on_training(7, "", done_with=(0, 48))
    session.run(10)
    assert session.phase is SessionPhase.RESETTING, "the trainer does not have the last step yet"
    session.conductor.on_training(8, "", done_with=None)
    session.run(10)
    assert session.phase is SessionPhase.RESETTING, "updates are due"
    session.conductor.on_training(9, "", done_with=(0, 49))
    session.run(10)
    assert session.phase is SessionPhase.RUNNING
    assert session.motions > motions


def test_trainer_that_does_not_get_on_is_a_fault_that_says_what_is_lacking(tmp_path: Path) -> None:
    session = Session(tmp_path, wait_for_training=True)
    session.run(800)
    assert session.phase is SessionPhase.FAULT
    assert "the last episode was not trained on within" in session.conductor.machine.detail


def test_real_arm_waits_for_nobody(tmp_path: Path) -> None:
    session = Session(tmp_path)
    session.run(160)
    assert session.sent[-1] == (1, 49)
    assert session.phase is SessionPhase.FINISHED
