"""`tenon claw`: what a person types at a claw, with a driver that only remembers what it was asked for."""

from __future__ import annotations

import pytest

from tenon.cli import claw
from tenon.cli.errors import CommandError, UsageError
from tenon.control.drivers import ArmFaultError, ArmFaultKind
from tenon.data.prior import read_prior
from tenon.data.transitions import Observation, Transition

STEPS = 3


class Driver:
    def __init__(self):
        self.calls = []

    def __getattr__(self, name):
        return lambda: self.calls.append(name)


def demonstration(task, draw, episode):
    def seen():
        return Observation(task.observe(draw.joint_position_rad, draw.joint_position_rad, 0.0, draw.target_rad))

    return tuple(
        Transition(
            session="by-hand",
            episode=episode,
            step=step,
            observation=seen(),
            action=task.action(draw.joint_position_rad).astype("float32"),
            reward=-1.0,
            next_observation=seen(),
            terminated=False,
            truncated=step == STEPS - 1,
            success=False,
        )
        for step in range(STEPS)
    )


@pytest.fixture
def driver(monkeypatch):
    """Of a claw whose third demonstration ends in a fault."""
    driver = Driver()

    def record(_driver, task, draw, *, episode, **_kept):
        if episode == 2:
            raise ArmFaultError(ArmFaultKind.CONNECTION_LOST, "the port is gone")
        return demonstration(task, draw, episode)

    monkeypatch.setattr("tenon_claw.setup.create_driver", lambda _setup: driver)
    monkeypatch.setattr("tenon_claw.guiding.go_to_start", lambda *_: driver.calls.append("moves"))
    monkeypatch.setattr("tenon_claw.guiding.record", record)
    monkeypatch.setattr(claw, "ask", lambda _words: driver.calls.append("asks"))
    return driver


def test_demonstrations_before_a_fault_are_kept(tmp_path, driver):
    out = tmp_path / "demos"
    with pytest.raises(CommandError, match="the port is gone"):
        claw.Demonstrate(out=out).run()
    assert driver.calls[-1] == "close"
    assert len(list(read_prior(out, claw._setup("claw").environment_spec))) == 2 * STEPS


def test_fingers_move_to_their_start_only_after_a_person_was_asked(tmp_path, driver):
    claw.Demonstrate(out=tmp_path / "demos", episodes=2).run()
    once = ["asks", "activate", "moves", "deactivate"]
    assert driver.calls == ["configure", *once, *once, "close"]


@pytest.mark.parametrize("servo_id", [-1, 253, 300])
def test_an_id_that_no_servo_can_have_is_refused(servo_id):
    with pytest.raises(UsageError, match="from 0 to 252"):
        claw.Setup(assign_id=servo_id).run()
