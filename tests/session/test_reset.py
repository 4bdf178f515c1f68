"""The reset motion against a small simulated arm: lag, noise, sag, a plug that sticks, a plug that jams."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest

from tenon.configuration.session import ResetConfig
from tenon.control.types import ControlMode, Pose, Reference
from tenon.session.reset import ResetMotion, ResetStage, ResetStep, start_pose

PERIOD_NS = 100_000_000
DOWN = np.array((1.0, 0.0, 0.0, 0.0))
GOAL = Pose(np.array((0.45, 0.0, 0.07)), DOWN)
START_HEIGHT_M = 0.05
CONFIG = ResetConfig()


@dataclass
class Arm:
    """Goes a share of the way to its target per tick; sag_m is a steady error. Below socket_z_m it moves on z only,
    and only when pulled by more than sticks_m."""

    position_m: np.ndarray
    share: float = 0.8
    sag_m: float = 0.0
    noise_m: float = 0.0
    socket_z_m: float = 0.08
    sticks_m: float = 0.0
    generator: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))

    def pose(self) -> Pose:
        return Pose(self.position_m + self.generator.normal(0.0, self.noise_m, 3), DOWN)

    def follow(self, reference: Reference) -> None:
        if reference.mode is ControlMode.HOLD:
            return
        assert reference.tcp_in_base is not None
        wanted = reference.tcp_in_base.position_m - np.array((0.0, 0.0, self.sag_m))
        way = self.share * (wanted - self.position_m)
        if self.position_m[2] < self.socket_z_m:
            way[:2] = 0.0
            way[2] *= abs(wanted[2] - self.position_m[2]) > self.sticks_m
        self.position_m = self.position_m + way


def motion(config: ResetConfig = CONFIG, goal: Pose = GOAL) -> ResetMotion:
    return ResetMotion(
        config, goal_in_base=goal, start_height_m=START_HEIGHT_M, control_period_ns=PERIOD_NS, begin_ns=0
    )


def drive(arm: Arm, reset: ResetMotion) -> tuple[list[ResetStep], list[np.ndarray]]:
    """Runs one attempt to its end; returns its steps and where the arm was at each."""
    steps, path = [], []
    for tick in range(1000):
        path.append(arm.position_m)
        steps.append(reset.step(arm.pose(), tick * PERIOD_NS))
        if steps[-1].over:
            return steps, path
        arm.follow(steps[-1].reference)
    raise AssertionError("the reset does not end")


def test_fifty_automatic_resets_all_return_to_within_a_millimetre() -> None:
    generator = np.random.default_rng(3)
    for _ in range(50):
        offset_m = np.array((*generator.uniform(-0.02, 0.02, 2), generator.uniform(0.0, 0.12)))
        if offset_m[2] < 0.01:
            offset_m[:2] = 0.0
        arm = Arm(
            GOAL.position_m + offset_m,
            share=generator.uniform(0.4, 1.0),
            sag_m=generator.uniform(-0.003, 0.003),
            noise_m=5e-5,
            generator=generator,
        )
        error_m = np.array((*generator.uniform(-0.001, 0.001, 2), 0.0))
        goal = Pose(GOAL.position_m + error_m, DOWN)
        steps, _ = drive(arm, motion(goal=goal))
        assert steps[-1].stage is ResetStage.DONE, steps[-1].message
        assert np.linalg.norm(arm.position_m - start_pose(goal, START_HEIGHT_M).position_m) <= 1e-3 + 3e-4


def test_goes_straight_up_out_of_the_socket_before_it_travels() -> None:
    arm = Arm(GOAL.position_m + np.array((0.003, -0.002, 0.0)))
    steps, path = drive(arm, motion())
    for step, position_m in zip(steps, path, strict=True):
        if position_m[2] < GOAL.position_m[2] + CONFIG.withdraw_m - CONFIG.correction_m - CONFIG.tolerance_m:
            assert step.stage is ResetStage.WITHDRAW
            assert step.reference.tcp_in_base is not None
            np.testing.assert_array_equal(step.reference.tcp_in_base.position_m[:2], path[0][:2])
    assert [stage for stage in ResetStage if stage in {step.stage for step in steps}] == [
        ResetStage.WITHDRAW,
        ResetStage.TRAVEL,
        ResetStage.SETTLE,
        ResetStage.DONE,
    ]


def test_arm_above_the_clearance_travels_without_going_up() -> None:
    steps, _ = drive(Arm(GOAL.position_m + np.array((0.1, 0.1, 0.2))), motion())
    assert steps[0].stage is ResetStage.TRAVEL
    assert steps[-1].stage is ResetStage.DONE


@pytest.mark.parametrize("share", [0.3, 1.0])
def test_no_step_is_longer_than_allowed(share: float) -> None:
    arm = Arm(GOAL.position_m + np.array((0.1, -0.1, 0.0)), share=share)
    steps, path = drive(arm, motion())
    targets = [step.reference.tcp_in_base.position_m for step in steps[:-1] if step.reference.tcp_in_base]
    assert len(targets) > 10
    for before, after in zip([path[0], *targets], targets, strict=False):
        assert np.linalg.norm(after - before) <= CONFIG.step_m + 1e-12


def test_tool_that_is_turned_is_turned_back_in_small_steps() -> None:
    turned = np.array((np.cos(0.2), np.sin(0.2), 0.0, 0.0))
    reset, pose = motion(), Pose(GOAL.position_m + np.array((0.0, 0.0, 0.06)), turned)
    for tick in range(100):
        step = reset.step(pose, tick * PERIOD_NS)
        if step.over:
            break
        assert step.reference.tcp_in_base is not None
        following = step.reference.tcp_in_base
        angle = 2 * np.arccos(min(1.0, abs(float(following.quaternion_xyzw @ pose.quaternion_xyzw))))
        assert angle <= CONFIG.turn_rad + 1e-6
        pose = following
    assert step.stage is ResetStage.DONE


def test_sticking_plug_is_pulled_out() -> None:
    steps, _ = drive(Arm(GOAL.position_m, sticks_m=0.02), motion())
    assert steps[-1].stage is ResetStage.DONE


def test_jammed_plug_is_pulled_no_further_than_the_lead_and_fails_with_a_reason() -> None:
    arm = Arm(GOAL.position_m, sticks_m=1.0)
    steps, path = drive(arm, motion())
    assert steps[-1].stage is ResetStage.FAILED
    assert steps[-1].reference.mode is ControlMode.HOLD
    assert "does not come out" in steps[-1].message and "50.00 mm" in steps[-1].message
    np.testing.assert_array_equal(path[-1], GOAL.position_m)
    for step in steps[:-1]:
        assert step.reference.tcp_in_base is not None
        assert np.linalg.norm(step.reference.tcp_in_base.position_m - GOAL.position_m) <= CONFIG.lead_m + 1e-12


def test_arm_that_never_settles_fails() -> None:
    arm = Arm(GOAL.position_m + np.array((0.0, 0.0, 0.06)), sag_m=0.02)
    steps, _ = drive(arm, motion())
    assert steps[-1].stage is ResetStage.FAILED and "settle" in steps[-1].message


def test_references_are_the_sessions_answer_the_observation_and_hold_for_two_periods() -> None:
    step = motion().step(GOAL, 7 * PERIOD_NS)
    reference = step.reference
    assert (reference.source, reference.stamp_ns, reference.valid_for_ns) == ("session", 7 * PERIOD_NS, 2 * PERIOD_NS)
    assert reference.mode is ControlMode.CARTESIAN


def test_withdrawal_above_the_start_is_refused() -> None:
    with pytest.raises(ValueError, match="lower it"):
        motion(ResetConfig(withdraw_m=0.06))
