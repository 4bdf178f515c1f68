"""The Cartesian impedance law by itself. That MuJoCo computes the same is shown in tests/simulation."""

from __future__ import annotations

import numpy as np
import pytest

from tenon.control.geometry import pose, quaternion_from_rotation_vector
from tenon.control.impedance import CartesianImpedance, CartesianImpedanceConfig

REST = np.zeros(6)
HERE = pose((0.45, 0.0, 0.1), (1.0, 0.0, 0.0, 0.0))


def law(**changes):
    return CartesianImpedance(CartesianImpedanceConfig(**changes))


def test_nothing_is_exerted_at_the_reference_at_rest():
    np.testing.assert_allclose(law().wrench(HERE, REST, HERE), np.zeros(6), atol=1e-12)


def test_a_millimetre_of_error_pushes_with_stiffness_times_a_millimetre():
    reference = pose(HERE.position_m + np.array((0.0, 0.0, -0.001)), HERE.quaternion_xyzw)
    stiff = law(stiffness_n_m=(1500.0, 1500.0, 1500.0))
    np.testing.assert_allclose(stiff.wrench(HERE, REST, reference), (0, 0, -1.5, 0, 0, 0), atol=1e-9)


def test_stiffness_is_meant_along_the_axes_of_the_reference():
    """The tool points down: its y is the base's -y; a quarter turn about z makes its x the base's y."""
    soft_x = law(stiffness_n_m=(100.0, 1000.0, 1000.0))
    turned = pose((0, 0, 0), quaternion_from_rotation_vector((0.0, 0.0, np.pi / 2)))
    displaced = pose((0.0, -0.001, 0.0), turned.quaternion_xyzw)
    np.testing.assert_allclose(soft_x.wrench(displaced, REST, turned)[:3], (0.0, 0.1, 0.0), atol=1e-9)


def test_a_rotation_error_is_turned_back_along_the_shortest_way():
    turned = pose((0, 0, 0), quaternion_from_rotation_vector((0.05, 0.0, 0.0)))
    wrench = law(rotational_stiffness_nm_rad=(60.0, 60.0, 60.0)).wrench(turned, REST, pose((0, 0, 0)))
    np.testing.assert_allclose(wrench, (0, 0, 0, -3.0, 0, 0), atol=1e-9)


def test_damping_opposes_motion():
    velocity = np.array((0.1, 0.0, -0.2, 0.0, 0.5, 0.0))
    damped = law(damping_n_s_m=(100.0, 100.0, 100.0), rotational_damping_nm_s_rad=(4.0, 4.0, 4.0))
    np.testing.assert_allclose(damped.wrench(HERE, velocity, HERE), (-10, 0, 20, 0, -2, 0), atol=1e-9)


def test_force_never_exceeds_its_limit_on_any_axis():
    far = pose(HERE.position_m + np.array((1.0, -1.0, 1.0)), HERE.quaternion_xyzw)
    wrench = law(force_limit_n=(60.0, 50.0, 40.0)).wrench(HERE, REST, far)
    np.testing.assert_allclose(np.abs(wrench[:3]), (60, 50, 40))


def test_torque_is_the_jacobian_transposed_times_the_wrench():
    generator = np.random.default_rng(0)
    jacobian = generator.normal(size=(6, 7))
    reference = pose(HERE.position_m + np.array((0.001, 0.002, 0.0)), HERE.quaternion_xyzw)
    controller = law()
    expected = jacobian.T @ controller.wrench(HERE, REST, reference)
    np.testing.assert_allclose(controller.torque(jacobian, HERE, REST, reference), expected)


def test_a_stiffness_that_is_not_positive_is_refused():
    with pytest.raises(ValueError, match="greater than 0"):
        CartesianImpedanceConfig(stiffness_n_m=(0.0, 1.0, 1.0))
