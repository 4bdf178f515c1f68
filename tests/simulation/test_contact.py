"""Plug and socket jam as metal does: what fits goes in, what does not stays out, and nothing passes through a wall."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest

from tenon.control.geometry import multiply, quaternion_from_rotation_vector
from tenon.control.types import Pose

CONNECTORS = ("hard", "usb", "dsub", "model_e", "waterproof")
NO_RETENTION = {"retention": {"maximum_n": 0.0}}
START_ABOVE_MOUTH_M = 0.002
APPROACH_M_S = 0.02
PERIOD_S, DURATION_S = 0.05, 2.5
DEEPEST_PENETRATION_M = 0.00015


@dataclass(frozen=True)
class Outcome:
    """depth: of the tip, as a fraction of full depth. penetration_m: the deepest that any contact ever was."""

    depth: float
    penetration_m: float


def press(simulation, *, offset_m=(0.0, 0.0), tilt_rad=0.0, yaw_rad=0.0, press_n=20.0):
    """Goes straight down at an offset from the true socket, with a limited press, for DURATION_S."""
    simulation.reset(0, goal_error_scale=0.0)
    goal = simulation.goal_in_base
    turn = multiply(quaternion_from_rotation_vector((tilt_rad, 0.0, yaw_rad)), goal.quaternion_xyzw)
    stiffness = simulation.task.scene.impedance.stiffness_n_m[2]
    substeps = round(PERIOD_S / simulation.task.scene.physics.timestep_s)
    x, y, seated_z = goal.position_m + np.array((*offset_m, 0.0))
    deepest = 0.0
    for tick in range(round(DURATION_S / PERIOD_S)):
        planned = seated_z + simulation.connector.depth_m + START_ABOVE_MOUTH_M - APPROACH_M_S * PERIOD_S * tick
        reachable = simulation.tcp_in_base().position_m[2] - press_n / stiffness
        simulation.step(Pose(np.array((x, y, max(planned, reachable))), turn), substeps)
        contacts = simulation.data.contact
        deepest = max([deepest, *(-contacts[i].dist for i in range(simulation.data.ncon))])
    return Outcome(simulation.depth_m / simulation.connector.depth_m, deepest)


@pytest.fixture
def stand(make_simulation):
    def make(robot, name):
        task = {"start_height_m": 0.02, "reference_ramp_s": PERIOD_S}
        return make_simulation(robot, name, connector=NO_RETENTION, task=task)

    return make


@pytest.mark.parametrize("robot", ["ur5", "sawyer"])
@pytest.mark.parametrize("name", CONNECTORS)
def test_what_is_within_the_clearance_seats(stand, robot, name):
    simulation = stand(robot, name)
    for offset in ((0.0, 0.0), (0.0004, 0.0), (0.0, -0.0004)):
        outcome = press(simulation, offset_m=offset)
        assert outcome.depth > 0.95, offset
        assert outcome.penetration_m < DEEPEST_PENETRATION_M


@pytest.mark.parametrize("robot", ["ur5", "sawyer"])
@pytest.mark.parametrize("name", CONNECTORS)
def test_two_millimetres_beside_the_socket_nothing_enters_however_hard_it_is_pressed(stand, robot, name):
    simulation = stand(robot, name)
    for offset, force in (((0.002, 0.0), 20.0), ((0.002, 0.001), 60.0), ((0.0, 0.002), 60.0)):
        outcome = press(simulation, offset_m=offset, press_n=force)
        assert outcome.depth < 0.1, (offset, force)
        assert outcome.penetration_m < DEEPEST_PENETRATION_M


@pytest.mark.parametrize("robot", ["ur5", "sawyer"])
@pytest.mark.parametrize("name", CONNECTORS)
def test_a_tilted_or_turned_plug_never_cuts_into_a_wall(stand, robot, name):
    """Whether it seats depends on the arm's compliance; that it does so without touching is what must not happen."""
    simulation = stand(robot, name)
    for tilt_deg, yaw_deg, force in ((3, 0, 20.0), (6, 0, 40.0), (0, 5, 20.0)):
        outcome = press(simulation, tilt_rad=math.radians(tilt_deg), yaw_rad=math.radians(yaw_deg), press_n=force)
        assert 0.0 < outcome.penetration_m < DEEPEST_PENETRATION_M


@pytest.mark.parametrize("name", ["dsub", "model_e", "waterproof"])
def test_a_keyed_plug_the_wrong_way_round_stays_out(stand, name):
    outcome = press(stand("ur5", name), yaw_rad=math.radians(175))
    assert outcome.depth < 0.1


def test_a_key_turned_beyond_its_slot_stays_out(stand):
    assert press(stand("ur5", "waterproof"), yaw_rad=math.radians(20)).depth < 0.1
