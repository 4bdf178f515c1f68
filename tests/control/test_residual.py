"""The P-controller and the residual on top of it."""

from __future__ import annotations

import numpy as np
import pytest

from tenon.control.p_controller import PController, PControllerConfig
from tenon.control.residual import (
    BoxConfig,
    FenceConfig,
    ForceGuardConfig,
    ResidualConfig,
    ResidualController,
    within_reach,
)

GOAL = np.array((0.45, 0.0, 0.07))
ZERO = np.zeros(3)


def controller(**changes):
    return ResidualController(ResidualConfig(**changes))


def test_p_controller_removes_the_error_on_xy_at_once_and_three_tenths_of_it_on_z():
    step = PController(PControllerConfig()).step(GOAL + np.array((0.001, -0.002, 0.01)), GOAL)
    np.testing.assert_allclose(step, (-0.001, 0.002, -0.003))


def test_p_controller_never_steps_further_than_its_limit():
    step = PController(PControllerConfig(step_limit_m=0.005)).step(GOAL + np.array((0.1, -0.1, 0.2)), GOAL)
    np.testing.assert_allclose(step, (-0.005, 0.005, -0.005))


def test_residual_is_an_absolute_offset_around_the_goal_on_xy():
    """With k_p = 1 the base takes back any offset in one step, so the action alone says where the tool goes."""
    action = np.array((0.5, -1.0, 0.0))
    for offset in (0.0, 0.0007):
        command = controller().command(GOAL + np.array((offset, offset, 0.0)), GOAL, action)
        np.testing.assert_allclose(command.target_m[:2], GOAL[:2] + np.array((0.0005, -0.001)), atol=1e-12)


def test_command_tells_base_action_and_sum():
    command = controller().command(GOAL + np.array((0.0, 0.0, 0.01)), GOAL, np.array((0.0, 0.0, -1.0)))
    np.testing.assert_allclose(command.base_m, (0, 0, -0.003))
    np.testing.assert_allclose(command.step_m, (0, 0, -0.004))
    np.testing.assert_allclose(command.target_m, GOAL + np.array((0, 0, 0.006)))
    assert not command.saturated
    assert command.guard == ""


def test_actions_beyond_one_count_as_one():
    command = controller().command(GOAL, GOAL, np.array((3.0, 0.0, -7.0)))
    np.testing.assert_allclose(command.action, (1.0, 0.0, -1.0))
    np.testing.assert_allclose(command.step_m, (0.001, 0.0, -0.001))


def test_clipped_sum_is_reported_as_saturated():
    tight = controller(step_limit_m=0.002)
    assert tight.command(GOAL + np.array((0.0, 0.0, 0.05)), GOAL, ZERO).saturated
    assert not tight.command(GOAL, GOAL, np.ones(3)).saturated


def test_target_stays_inside_the_box_around_the_goal():
    boxed = controller(box=BoxConfig(lower_m=(-0.0005, -0.0005, 0.0), upper_m=(0.0005, 0.0005, 0.1)))
    command = boxed.command(GOAL, GOAL, np.array((1.0, -1.0, -1.0)))
    np.testing.assert_allclose(command.target_m - GOAL, (0.0005, -0.0005, 0.0), atol=1e-12)
    assert command.saturated


def test_force_guard_retreats_upwards_while_pressed_too_hard():
    guarded = controller(force_guard=ForceGuardConfig(force_n=3.0, retreat_m=0.001))
    pressed = guarded.command(GOAL, GOAL, np.array((1.0, 0.0, -1.0)), press_n=3.5)
    np.testing.assert_allclose(pressed.step_m, (0, 0, 0.001), atol=1e-12)
    assert pressed.guard == "force"
    assert guarded.command(GOAL, GOAL, ZERO, press_n=2.9).guard == ""


def test_no_force_guard_means_no_retreat():
    assert controller().command(GOAL, GOAL, ZERO, press_n=100.0).guard == ""


@pytest.mark.parametrize("offset", [(0.06, 0.0, 0.0), (0.0, 0.0, -0.06), (0.0, 0.0, 0.25)])
def test_fence_leads_back_to_the_goal_whatever_the_learner_wants(offset):
    fenced = controller(fence=FenceConfig(), box=BoxConfig(lower_m=(-1, -1, -1), upper_m=(1, 1, 1)))
    away = np.sign(offset)
    command = fenced.command(GOAL + np.array(offset), GOAL, away)
    assert command.guard == "fence"
    assert command.step_m @ np.array(offset) < 0
    assert np.abs(command.step_m).max() <= FenceConfig().step_limit_m + 1e-12


@pytest.mark.parametrize("broken", [(0.0, 0.0), (np.nan, 0.0, 0.0), (0.0, np.inf, 0.0)])
def test_an_action_that_is_no_action_is_refused(broken):
    with pytest.raises(ValueError, match="3 finite numbers"):
        controller().command(GOAL, GOAL, np.array(broken))


def test_version_changes_with_any_value_and_only_then():
    default = ResidualConfig().version
    assert ResidualConfig().version == default
    assert ResidualConfig(base=PControllerConfig(gain=(1.0, 1.0, 0.31))).version != default
    assert ResidualConfig(force_guard=ForceGuardConfig()).version != default
    assert len(default) == 16


def test_a_box_without_room_is_refused():
    with pytest.raises(ValueError, match="must be below upper_m"):
        BoxConfig(lower_m=(0.0, 0.0, 0.0), upper_m=(0.0, 1.0, 1.0))


@pytest.mark.parametrize("base", [PControllerConfig(), None])
def test_explanation_of_a_command_is_its_action(base):
    generator = np.random.default_rng(0)
    acts = controller(base=base, fence=None, step_limit_m=0.05)
    for _ in range(50):
        position, action = GOAL + generator.uniform(-0.02, 0.02, 3), generator.uniform(-1.0, 1.0, 3)
        target = acts.command(position, GOAL, action).target_m
        if np.any(target == GOAL + np.array(acts.config.box.lower_m)):
            continue
        explained = acts.explain(position, GOAL, target)
        np.testing.assert_allclose(explained.action, action, atol=1e-9)
        assert not explained.saturated


def test_where_no_action_leads_the_nearest_one_is_told_and_that_it_is_not_what_was_done():
    acts = controller(base=None, authority_m=(0.002, 0.002, 0.002))
    explained = acts.explain(GOAL, GOAL, GOAL + np.array((0.001, -0.005, 0.0)))
    np.testing.assert_allclose(explained.action, (0.5, -1.0, 0.0))
    assert explained.saturated
    np.testing.assert_allclose(explained.step_m, (0.001, -0.005, 0.0))


def test_tool_that_was_turned_did_what_no_action_does():
    acts = controller(base=None, authority_m=(0.002, 0.002, 0.002))
    target = GOAL + np.array((0.001, 0.0, 0.0))
    assert not acts.explain(GOAL, GOAL, target, turned_rad=0.01).saturated
    turned = acts.explain(GOAL, GOAL, target, turned_rad=0.1)
    assert turned.saturated
    np.testing.assert_allclose(turned.action, (0.5, 0.0, 0.0))


def test_task_alone_has_the_same_bounds_and_no_hand_written_part():
    config = ResidualConfig(step_limit_m=0.004)
    alone = config.alone()
    assert (alone.base, alone.authority_m, alone.box) == (None, (0.004, 0.004, 0.004), config.box)
    assert alone.alone() is alone
    assert alone.version != config.version


def test_policy_that_turns_round_is_no_faster_than_the_arm_may_be():
    acts = controller(base=None, authority_m=(0.011, 0.011, 0.011), step_limit_m=0.011)
    before = acts.command(GOAL, GOAL, np.ones(3))
    lagging = before.target_m - 0.005
    turned = acts.command(lagging, GOAL, -np.ones(3))
    assert np.linalg.norm(turned.target_m - before.target_m) > 0.0225, "so far that the supervisor would stop it"
    bounded = within_reach(turned, before.target_m, 0.0225)
    assert np.linalg.norm(bounded.target_m - before.target_m) == pytest.approx(0.0225)
    np.testing.assert_allclose(bounded.step_m, bounded.target_m - lagging)
    assert bounded.saturated
    np.testing.assert_array_equal(bounded.action, turned.action)


def test_first_command_and_one_within_reach_stay_as_they_are():
    command = controller().command(GOAL, GOAL, np.zeros(3))
    assert within_reach(command, None, 0.0) is command
    assert within_reach(command, command.target_m + 0.001, 0.02) is command


def test_target_that_the_arm_does_not_follow_bounds_nothing():
    command = controller().command(GOAL, GOAL, np.ones(3))
    assert within_reach(command, GOAL + 0.05, 0.02) is command
