"""Frames of the stand."""

from __future__ import annotations

import numpy as np
import pytest

from tenon.control.types import Pose
from tenon.simulation import rendering
from tenon.simulation.rendering import RenderingError


@pytest.mark.parametrize("camera", ["wrist", "overview"])
def test_a_frame_shows_something_in_the_size_that_was_asked_for(make_simulation, camera):
    simulation = make_simulation(name="model_e")
    frame = simulation.render(camera, 64, 48)
    assert frame.shape == (48, 64, 3)
    assert frame.dtype == np.uint8
    assert frame.std() > 5.0
    simulation.close()


def test_the_wrist_camera_sees_the_plug_enter_the_socket(make_simulation):
    simulation = make_simulation(name="model_e")
    above = simulation.render("wrist", 64, 64)
    simulation.step(simulation.goal_in_base, 2000)
    assert np.abs(above.astype(int) - simulation.render("wrist", 64, 64).astype(int)).mean() > 1.0
    simulation.close()


SURROUNDINGS = [
    {"camera_mount": "side"},
    {"table": (0.9, 0.1, 0.1)},
    {"light_brightness": 0.0},
    {"light_azimuth_rad": -2.0, "light_elevation_rad": 0.4},
    {"ambient_brightness": 0.9},
]


@pytest.mark.parametrize("changed", SURROUNDINGS, ids=lambda changed: next(iter(changed)))
def test_mount_light_and_background_change_the_picture_and_nothing_else(make_simulation, changed):
    panel = {"panel": {"width_m": 0.06, "height_m": 0.06}}
    plain = make_simulation(name="model_e", connector={**panel, "surroundings": {}})
    other = make_simulation(name="model_e", connector={**panel, "surroundings": changed})
    frames = [simulation.render("wrist", 64, 64).astype(int) for simulation in (plain, other)]
    assert np.abs(frames[0] - frames[1]).mean() > 0.5
    for simulation in (plain, other):
        simulation.step(simulation.goal_in_base, 200)
    np.testing.assert_array_equal(plain.data.qpos, other.data.qpos)


LOOKS = [
    {"collar": {"width_m": 0.022, "height_m": 0.012}},
    {"shoulder_gap_m": 0.004, "appearance": {"shank": (1.0, 0.0, 0.0)}},
    {"bezel": {"margin_m": 0.003, "shape": "round"}},
    {"housing": {"margin_x_m": 0.004, "margin_y_m": 0.004, "proud_m": 0.003}},
    {"distractors": [{"kind": "label", "x_m": 0.02, "y_m": -0.01, "width_m": 0.01, "height_m": 0.005}]},
    {"appearance": {"texture": "speckle"}},
    {"pins": {"columns": 4, "pitch_m": 0.003, "diameter_m": 0.001, "length_m": 0.008}},
]


@pytest.mark.parametrize("changed", LOOKS, ids=lambda changed: next(iter(changed)))
def test_each_part_of_a_connector_shows(make_simulation, changed):
    plain, other = (
        make_simulation(name="model_e", connector=look, task={"start_height_m": 0.024}) for look in ({}, changed)
    )
    frames = [simulation.render("wrist", 64, 64).astype(int) for simulation in (plain, other)]
    assert (np.abs(frames[0] - frames[1]).max(axis=2) > 10).sum() >= 4, "pixels"


def test_a_plug_that_is_2_mm_short_looks_different_from_one_that_is_home(make_simulation):
    simulation = make_simulation(name="model_e")
    frames = []
    for short_m in (0.0, 0.002):
        simulation.reset(0, goal_error_scale=0.0)
        goal = simulation.goal_in_base
        start, end = simulation.start_in_base.position_m, goal.position_m + np.array((0.0, 0.0, short_m))
        for share in np.linspace(0.0, 1.0, 30):
            simulation.step(Pose(start + share * (end - start), goal.quaternion_xyzw), 50)
        simulation.step(Pose(end, goal.quaternion_xyzw), 500)
        frames.append(simulation.render("wrist", 64, 64).astype(int))
    assert (np.abs(frames[0] - frames[1]).max(axis=2) > 10).sum() >= 8, "pixels"


@pytest.mark.parametrize("mount", ["front", "side"])
@pytest.mark.parametrize("angle", [0.0, 1.57, 3.14, -1.57])
def test_a_socket_20_mm_away_is_in_the_first_picture(make_simulation, mount, angle):
    """Otherwise there is nothing to find it by."""
    pixels = []
    for socket in ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)):
        housing = {"margin_x_m": 0.003, "margin_y_m": 0.003, "proud_m": 0.003, "colour": socket}
        look = {"housing": housing, "surroundings": {"camera_mount": mount}}
        simulation = make_simulation(name="usb", connector=look, task={"start_height_m": 0.024})
        start = simulation.start_in_base
        away = 0.02 * np.array((np.cos(angle), np.sin(angle), 0.0))
        simulation.step(Pose(start.position_m + away, start.quaternion_xyzw), 1000)
        pixels.append(simulation.render("wrist", 64, 64).astype(int))
    changed = np.abs(pixels[0] - pixels[1]).max(axis=2) > 60
    assert changed.sum() >= 40, "pixels of the housing"


def test_a_kept_frame_does_not_change_with_the_next(make_simulation):
    simulation = make_simulation()
    first = simulation.render("overview", 64, 48)
    copy = first.copy()
    simulation.step(simulation.goal_in_base, 1000)
    simulation.render("overview", 64, 48)
    np.testing.assert_array_equal(first, copy)
    simulation.close()


def test_an_unknown_camera_is_refused_with_those_that_exist(make_simulation):
    with pytest.raises(RenderingError, match="this scene has overview, wrist"):
        make_simulation().render("head", 64, 48)


def test_a_frame_larger_than_the_buffer_is_refused_with_the_keys_to_raise(make_simulation):
    with pytest.raises(RenderingError, match="image_width_px"):
        make_simulation().render("wrist", 4000, 48)


def test_missing_opengl_names_the_packages_to_install(make_simulation, monkeypatch):
    def fails(*_args, **_kwargs):
        raise RuntimeError("an OpenGL platform library has not been loaded")

    monkeypatch.setattr(rendering.mujoco, "Renderer", fails)
    with pytest.raises(RenderingError, match="apt-get install libegl1") as refused:
        make_simulation().render("wrist", 64, 48)
    assert "MUJOCO_GL=" in str(refused.value)
    assert rendering.GL_PACKAGES in str(refused.value)
