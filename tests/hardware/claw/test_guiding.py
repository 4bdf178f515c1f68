"""A demonstration by hand: somebody moves the limp fingers, and the servos tell where they went."""

from __future__ import annotations

import threading
from itertools import pairwise

import numpy as np
import pytest

from tenon.data.prior import read_prior, write_prior
from tenon.simulation.valve_task import ValveTask, ValveTaskConfig
from tenon_claw.guiding import go_to_start, record

from .conftest import HAND

TASK = ValveTask(ValveTaskConfig(horizon_steps=12), HAND)
STIFFNESS_NM_RAD = 3.0


@pytest.fixture
def hand(claw):
    """Pulls the fingers around, clear of the valve, as a person would."""
    wanted_rad = np.tile((0.3, 0.95, -1.3), 3)
    stopped = threading.Event()

    def pull():
        while not stopped.wait(0.01):
            claw.push(np.clip(STIFFNESS_NM_RAD * (wanted_rad - claw.joint_position_rad), -0.4, 0.4))

    thread = threading.Thread(target=pull, daemon=True)
    yield thread
    stopped.set()
    thread.join()


def test_what_a_person_does_becomes_actions_that_ask_for_it(tmp_path, claw, driver, hand):
    draw = TASK.draw(1)
    go_to_start(driver, TASK, draw)
    assert claw.valve_rad == pytest.approx(draw.valve_rad, abs=0.1)
    hand.start()
    shown = record(driver, TASK, draw, session="test", episode=0, enough=lambda: False)
    assert len(shown) == 12
    assert [transition.truncated for transition in shown] == [False] * 11 + [True]
    for before, after in pairwise(shown):
        np.testing.assert_array_equal(before.next_observation.state, after.observation.state)
    moved_rad = shown[-1].next_observation.state[:9] - shown[0].observation.state[:9]
    assert moved_rad[0] > 0.15
    for transition in shown:
        reached = TASK.action(transition.next_observation.state[:9].astype(np.float64))
        np.testing.assert_allclose(transition.action, reached, atol=1e-5)
    assert write_prior(tmp_path / "demos", TASK.spec, shown) == 12
    assert len(list(read_prior(tmp_path / "demos", TASK.spec))) == 12


def test_a_person_may_be_done_early(driver):
    draw = TASK.draw(0)
    shown = record(driver, TASK, draw, session="test", episode=0, enough=lambda: True)
    assert (len(shown), shown[-1].truncated) == (1, True)
