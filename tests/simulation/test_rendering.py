"""Frames of the stand."""

from __future__ import annotations

import numpy as np
import pytest

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
