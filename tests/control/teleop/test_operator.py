"""What a person's wishes become: shaped axes, take-over, soft limits, hand-back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenon.configuration.base import ConfigurationError, parse
from tenon.configuration.resolve import ConfigKind, load_named, names
from tenon.configuration.safety import WorkspaceConfig
from tenon.configuration.teleop import AxisConfig, TeleopConfig
from tenon.control.geometry import distance, pose
from tenon.control.phase import SessionPhase
from tenon.control.teleop.console import ConsoleControl
from tenon.control.teleop.device import DeviceState
from tenon.control.teleop.mapping import CLOSED, OPEN, Mapping, Wish, shaped
from tenon.control.teleop.operator import Teleoperator
from tenon.control.types import ControlMode, Pose

MS = 1_000_000
PERIOD_NS = 100 * MS
WORKSPACE = WorkspaceConfig(min_m=(0.2, -0.2, 0.03), max_m=(0.6, 0.2, 0.5))
HERE = pose((0.4, 0.0, 0.2), (1.0, 0.0, 0.0, 0.0))
CONFIG = {
    "device": {
        "kind": "gamepad",
        "axes": {"stick_x": 0, "stick_y": 1, "twist": 2},
        "buttons": {"a": 0, "b": 1, "c": 2, "hold": 3},
    },
    "rate_hz": 50.0,
    "axes": {"x": {"source": "stick_y", "sign": -1, "dead_zone": 0.2}, "yaw": {"source": "twist"}},
    "speed_m_s": 0.05,
    "turn_rad_s": 0.5,
    "lead_m": 0.01,
    "hand_back_after_s": 0.5,
    "buttons": {"hand_back": "b", "success": "a", "gripper": "c"},
}


def config(**changes: object) -> TeleopConfig:
    return parse(TeleopConfig, {**CONFIG, **changes}, where="test")


def teleoperator(**changes: object) -> Teleoperator:
    return Teleoperator(config(**changes), WORKSPACE, validity_ns=2 * PERIOD_NS, longest_step_ns=PERIOD_NS)


def wish(x_m_s: float = 0.0, *pressed: str, yaw_rad_s: float = 0.0) -> Wish:
    return Wish(np.array((x_m_s, 0.0, 0.0, 0.0, 0.0, yaw_rad_s)), frozenset(pressed))


def running(operator: Teleoperator, *, owns: bool = False) -> Teleoperator:
    operator.on_session(SessionPhase.RUNNING, owns=owns)
    return operator


# --- mapping ----------------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.floats(-1.0, 1.0), st.floats(-1.0, 1.0))
def test_shaped_axis_keeps_order_and_range(a: float, b: float) -> None:
    axis = AxisConfig(source="x", dead_zone=0.1, exponent=2.0)
    low, high = sorted((a, b))
    assert -1.0 <= shaped(low, axis) <= shaped(high, axis) <= 1.0


def test_dead_zone_gives_nothing_and_no_step_at_its_edge() -> None:
    axis = AxisConfig(source="x", dead_zone=0.2)
    assert shaped(0.2, axis) == shaped(-0.2, axis) == 0.0
    assert 0.0 < shaped(0.21, axis) < 0.02
    assert shaped(-1.0, axis) == -1.0


def test_axes_are_mapped_signed_and_scaled() -> None:
    seen = Mapping(config()).wish(DeviceState({"stick_x": 1.0, "stick_y": -1.0, "twist": 0.5}))
    assert seen.velocity == pytest.approx((0.05, 0.0, 0.0, 0.0, 0.0, 0.25))
    assert seen.moves


def test_nothing_moves_unless_the_run_button_is_held() -> None:
    mapping = Mapping(config(buttons={"hold_to_run": "hold"}))
    pushed = {"stick_y": 1.0}
    assert not mapping.wish(DeviceState(pushed)).moves
    assert mapping.wish(DeviceState(pushed, frozenset({"hold"}))).moves
    assert not mapping.wish(DeviceState(pushed)).moves


def test_button_acts_once_as_it_goes_down() -> None:
    mapping, down = Mapping(config()), DeviceState({}, frozenset({"a"}))
    assert mapping.wish(down).pressed == {"success"}
    assert mapping.wish(down).pressed == set()
    assert mapping.wish(DeviceState({})).pressed == set()
    assert mapping.wish(down).pressed == {"success"}


def test_gripper_changes_with_every_press() -> None:
    mapping, seen = Mapping(config()), []
    for pressed in ((), ("c",), ("c",), (), ("c",)):
        seen.append(mapping.wish(DeviceState({}, frozenset(pressed))).gripper)
    assert seen == [OPEN, CLOSED, CLOSED, CLOSED, OPEN]


def test_two_buttons_together_mean_something_else_and_either_alone_acts_as_it_is_let_go() -> None:
    mapping, seen = Mapping(load_named(TeleopConfig, ConfigKind.TELEOP, "spacemouse")), []
    for down in (("left",), (), ("left",), ("left", "right"), ("right",), (), ("right",), ()):
        seen.append(set(mapping.wish(DeviceState({}, frozenset(down))).pressed))
    assert seen == [set(), {"success"}, set(), {"hand_back"}, set(), set(), set(), {"discard"}]


def test_console_is_cut_to_its_speeds_and_lets_go_by_itself() -> None:
    console = load_named(TeleopConfig, ConfigKind.TELEOP, "console")
    control, mapping = ConsoleControl(console), Mapping(console)
    control.on_twist(np.array((1.0, -0.015, 0.0, 0.0, 0.0, 5.0)), 10.0)
    seen = mapping.wish(control.read(10.1))
    assert seen.velocity == pytest.approx((console.speed_m_s, -0.015, 0.0, 0.0, 0.0, 0.0))
    assert not mapping.wish(control.read(10.2)).moves
    control.on_twist(np.full(6, np.nan), 10.3)
    assert not mapping.wish(control.read(10.3)).moves


# --- configuration ----------------------------------------------------------------------------------------------------


def test_there_is_a_file_for_every_device() -> None:
    kinds = {name: load_named(TeleopConfig, ConfigKind.TELEOP, name).device.kind for name in names(ConfigKind.TELEOP)}
    assert kinds == {name: name for name in ("spacemouse", "gamepad", "keyboard", "console")}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rate_hz": 10.0}, "greater than or equal to 20"),
        ({"axes": {"x": {"source": "stick_q"}}}, "no axis 'stick_q'"),
        ({"buttons": {"hand_back": "z"}}, "no button 'z'"),
        ({"buttons": {"hand_back": "a+z"}}, "no button 'z'"),
        ({"buttons": {}, "hand_back_after_s": None}, "able to hand back"),
        ({"turn_rad_s": 0.0}, "axes.yaw: turns nothing at turn_rad_s 0"),
        (
            {
                "device": {
                    "kind": "keyboard",
                    "axes": {"x": {"plus": "w", "minus": "s"}},
                    "buttons": {"a": "a", "b": "b"},
                },
                "axes": {"x": {"source": "x"}},
                "buttons": {"hand_back": "a+b"},
            },
            "one key at a time",
        ),
        ({"speed_m_s": 3.0}, "less than or equal to 0.25"),
    ],
)
def test_configuration_that_cannot_work_is_refused(changes: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        config(**changes)


@pytest.mark.parametrize("device", ["spacemouse", "gamepad", "keyboard", "console"])
def test_whoever_pauses_keeps_the_arm_unless_they_want_it_otherwise(device: str) -> None:
    assert load_named(TeleopConfig, ConfigKind.TELEOP, device).hand_back_after_s is None


# --- driving ----------------------------------------------------------------------------------------------------------


def test_arm_is_left_alone_until_the_device_moves() -> None:
    operator = running(teleoperator())
    assert operator.on_observation(PERIOD_NS, HERE) is None
    assert operator.on_wish(wish(), PERIOD_NS + MS) is None
    taken = operator.on_wish(wish(0.05), PERIOD_NS + 2 * MS)
    assert taken is not None
    assert (taken.mode, taken.source, taken.stamp_ns) == (ControlMode.CARTESIAN, "teleop", PERIOD_NS)
    assert distance(taken.tcp_in_base, HERE) == pytest.approx((0.0, 0.0), abs=1e-9), "no jump at the take-over"
    assert (operator.engaged, operator.takeovers) == (True, 1)


def test_target_moves_with_session_time_and_answers_every_tick() -> None:
    operator = running(teleoperator())
    operator.on_observation(PERIOD_NS, HERE)
    operator.on_wish(wish(0.05), PERIOD_NS)
    moved = operator.on_wish(wish(0.05), PERIOD_NS + 20 * MS)
    assert moved.tcp_in_base.position_m - HERE.position_m == pytest.approx((0.001, 0.0, 0.0))
    tick = operator.on_observation(2 * PERIOD_NS, HERE)
    assert tick.stamp_ns == 2 * PERIOD_NS
    assert tick.tcp_in_base.position_m - HERE.position_m == pytest.approx((0.005, 0.0, 0.0))


def test_gap_in_time_moves_the_target_by_one_period_at_most() -> None:
    operator = running(teleoperator())
    operator.on_observation(PERIOD_NS, HERE)
    operator.on_wish(wish(0.05), PERIOD_NS)
    moved = operator.on_wish(wish(0.05), 50 * PERIOD_NS)
    assert moved.tcp_in_base.position_m[0] - HERE.position_m[0] == pytest.approx(0.005)


def test_target_is_never_further_ahead_than_the_lead() -> None:
    operator = running(teleoperator())
    for tick in range(1, 40):
        operator.on_observation(tick * PERIOD_NS, HERE)
        pressing = operator.on_wish(wish(0.05), tick * PERIOD_NS + 20 * MS)
    assert distance(pressing.tcp_in_base, HERE)[0] == pytest.approx(0.01)


def test_target_stays_in_the_workspace() -> None:
    operator, edge = running(teleoperator()), pose((0.598, 0.0, 0.2), (1.0, 0.0, 0.0, 0.0))
    for tick in range(1, 10):
        operator.on_observation(tick * PERIOD_NS, edge)
        reference = operator.on_wish(wish(0.05), tick * PERIOD_NS + 20 * MS)
    assert reference.tcp_in_base.position_m == pytest.approx((0.6, 0.0, 0.2))


def test_turning_is_about_the_axes_of_the_base_and_led_too() -> None:
    operator = running(teleoperator())
    for tick in range(1, 20):
        operator.on_observation(tick * PERIOD_NS, HERE)
        turned = operator.on_wish(wish(yaw_rad_s=0.5), tick * PERIOD_NS)
    assert distance(turned.tcp_in_base, HERE) == pytest.approx((0.0, operator._config.lead_rad), abs=1e-6)


def test_without_input_the_arm_stands_until_it_is_handed_back() -> None:
    operator = running(teleoperator())
    operator.on_observation(PERIOD_NS, HERE)
    operator.on_wish(wish(0.05), PERIOD_NS)
    stands = operator.on_wish(wish(), PERIOD_NS + 400 * MS)
    assert stands.mode is ControlMode.CARTESIAN
    back = operator.on_wish(wish(), PERIOD_NS + 501 * MS)
    assert (back.mode, back.source) == (ControlMode.HOLD, "teleop")
    assert operator.on_wish(wish(), PERIOD_NS + 520 * MS) is None
    assert operator.on_observation(7 * PERIOD_NS, HERE) is None


def test_patience_is_that_of_whoever_drives() -> None:
    operator = running(teleoperator())
    operator.on_observation(PERIOD_NS, HERE)
    operator.driven_by(config(hand_back_after_s=None))
    operator.on_wish(wish(0.05), PERIOD_NS)
    assert operator.on_wish(wish(), 90 * PERIOD_NS).mode is ControlMode.CARTESIAN


def test_word_from_elsewhere_hands_back_where_there_is_somebody_to_hand_back_to() -> None:
    operator = running(teleoperator(hand_back_after_s=None))
    operator.on_observation(PERIOD_NS, HERE)
    assert operator.hand_back(PERIOD_NS) is None
    operator.on_wish(wish(0.05), PERIOD_NS)
    assert operator.hand_back(PERIOD_NS + 20 * MS).mode is ControlMode.HOLD
    assert operator.on_wish(wish(0.05), PERIOD_NS + 40 * MS) is None, "it is still pushed"
    running(operator, owns=True)
    operator.on_observation(2 * PERIOD_NS, HERE)
    assert operator.engaged and operator.hand_back(2 * PERIOD_NS) is None


def test_button_hands_back_at_once() -> None:
    operator = running(teleoperator(hand_back_after_s=None))
    operator.on_observation(PERIOD_NS, HERE)
    operator.on_wish(wish(0.05), PERIOD_NS)
    assert operator.on_wish(wish(), 90 * PERIOD_NS).mode is ControlMode.CARTESIAN
    assert operator.on_wish(wish(0.0, "hand_back"), 91 * PERIOD_NS).mode is ControlMode.HOLD
    assert not operator.engaged


def test_stick_that_is_still_pushed_does_not_undo_the_hand_back() -> None:
    operator = running(teleoperator(hand_back_after_s=None))
    operator.on_observation(PERIOD_NS, HERE)
    operator.on_wish(wish(0.05), PERIOD_NS)
    assert operator.on_wish(wish(0.05, "hand_back"), PERIOD_NS + 20 * MS).mode is ControlMode.HOLD
    assert operator.on_wish(wish(0.05), PERIOD_NS + 40 * MS) is None
    assert operator.on_wish(wish(), PERIOD_NS + 60 * MS) is None
    assert operator.on_wish(wish(0.05), PERIOD_NS + 80 * MS).mode is ControlMode.CARTESIAN
    assert operator.takeovers == 2


def test_another_device_takes_over_at_once_whatever_the_first_one_still_pushes() -> None:
    operator = running(teleoperator(hand_back_after_s=None))
    operator.on_observation(PERIOD_NS, HERE)
    operator.on_wish(wish(0.05), PERIOD_NS)
    operator.on_wish(wish(0.05, "hand_back"), PERIOD_NS + 20 * MS)
    operator.let_go()
    assert operator.on_wish(wish(0.05), PERIOD_NS + 40 * MS) is None
    operator.driven_by(config())
    assert operator.on_wish(wish(0.05), PERIOD_NS + 60 * MS) is not None


def test_driver_of_the_whole_episode_answers_from_the_first_tick_and_never_hands_back() -> None:
    operator = running(teleoperator(), owns=True)
    assert operator.on_observation(PERIOD_NS, HERE).mode is ControlMode.CARTESIAN
    assert operator.on_wish(wish(0.0, "hand_back"), 99 * PERIOD_NS).mode is ControlMode.CARTESIAN


def test_key_still_held_does_not_disturb_the_reset_of_the_drivers_own_run() -> None:
    operator = running(teleoperator(), owns=True)
    operator.on_observation(PERIOD_NS, HERE)
    operator.on_session(SessionPhase.RESETTING, owns=True)
    assert operator.on_wish(wish(0.05), PERIOD_NS + MS) is None
    assert operator.on_observation(2 * PERIOD_NS, HERE) is None


def test_next_episode_starts_from_where_the_reset_has_put_the_arm() -> None:
    operator, start = running(teleoperator(), owns=True), pose((0.5, 0.1, 0.3), (1.0, 0.0, 0.0, 0.0))
    operator.on_observation(PERIOD_NS, HERE)
    operator.on_session(SessionPhase.RESETTING, owns=True)
    operator.on_session(SessionPhase.RUNNING, owns=True)
    assert distance(operator.on_observation(2 * PERIOD_NS, start).tcp_in_base, start)[0] == 0.0


@pytest.mark.parametrize("phase", [SessionPhase.PAUSED, SessionPhase.FAULT, SessionPhase.FINISHED])
def test_nobody_drives_where_the_arm_must_hold(phase: SessionPhase) -> None:
    operator = running(teleoperator())
    operator.on_observation(PERIOD_NS, HERE)
    operator.on_wish(wish(0.05), PERIOD_NS)
    operator.on_session(phase, owns=False)
    assert operator.on_wish(wish(0.05), PERIOD_NS + MS) is None
    assert operator.on_observation(2 * PERIOD_NS, HERE) is None
    assert not operator.engaged


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(-0.05, 0.05), st.integers(0, 300)), min_size=1, max_size=30))
def test_target_is_near_the_arm_whatever_a_person_does(inputs: list[tuple[float, int]]) -> None:
    operator, now_ns, measured = running(teleoperator()), PERIOD_NS, HERE
    for speed_m_s, wait_ms in inputs:
        reference = operator.on_observation(now_ns, measured)
        now_ns += wait_ms * MS
        reference = operator.on_wish(wish(speed_m_s), now_ns) or reference
        if reference is not None and reference.tcp_in_base is not None:
            assert distance(reference.tcp_in_base, measured)[0] <= 0.01 + 1e-9
            measured = Pose(0.5 * (measured.position_m + reference.tcp_in_base.position_m), measured.quaternion_xyzw)
