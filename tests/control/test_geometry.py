"""Pose mathematics against its laws and against an independent construction of rotations."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenon.control import geometry
from tenon.control.types import Pose

coordinate = st.floats(-2.0, 2.0)
vectors = st.tuples(coordinate, coordinate, coordinate).map(np.array)
angles = st.floats(0.0, math.pi - 1e-3)


@st.composite
def axes(draw):
    polar, azimuth = draw(st.floats(0.0, math.pi)), draw(st.floats(-math.pi, math.pi))
    return np.array((math.sin(polar) * math.cos(azimuth), math.sin(polar) * math.sin(azimuth), math.cos(polar)))


@st.composite
def rotations(draw):
    return draw(axes()) * draw(angles)


@st.composite
def poses(draw):
    return Pose(draw(vectors), geometry.quaternion_from_rotation_vector(draw(rotations())))


def rodrigues(rotation):
    """Rotation matrix of a rotation vector by Rodrigues' formula, from no quaternion."""
    angle = float(np.linalg.norm(rotation))
    if angle < 1e-12:
        return np.eye(3)
    x, y, z = rotation / angle
    skew = np.array(((0, -z, y), (z, 0, -x), (-y, x, 0)))
    return np.eye(3) + math.sin(angle) * skew + (1 - math.cos(angle)) * skew @ skew


def assert_same_pose(first, second):
    metres, radians = geometry.distance(first, second)
    assert metres < 1e-9
    assert radians < 1e-6


@given(rotations())
def test_quaternion_of_a_rotation_vector_turns_as_rodrigues_says(rotation):
    matrix = geometry.matrix_from_quaternion(geometry.quaternion_from_rotation_vector(rotation))
    np.testing.assert_allclose(matrix, rodrigues(rotation), atol=1e-9)


@given(rotations())
def test_rotation_vector_is_the_inverse_of_the_exponential(rotation):
    back = geometry.rotation_vector(geometry.quaternion_from_rotation_vector(rotation))
    np.testing.assert_allclose(back, rotation, atol=1e-7)


@given(rotations(), rotations())
def test_product_of_quaternions_is_the_product_of_matrices(first, second):
    a, b = (geometry.quaternion_from_rotation_vector(r) for r in (first, second))
    product = geometry.matrix_from_quaternion(geometry.multiply(a, b))
    np.testing.assert_allclose(product, rodrigues(first) @ rodrigues(second), atol=1e-9)


@given(rotations())
def test_matrix_and_quaternion_convert_into_each_other(rotation):
    quaternion = geometry.quaternion_from_matrix(rodrigues(rotation))
    np.testing.assert_allclose(geometry.matrix_from_quaternion(quaternion), rodrigues(rotation), atol=1e-9)


@pytest.mark.parametrize("axis", np.eye(3))
def test_half_turns_survive_the_conversion_from_a_matrix(axis):
    matrix = 2 * np.outer(axis, axis) - np.eye(3)
    np.testing.assert_allclose(
        geometry.matrix_from_quaternion(geometry.quaternion_from_matrix(matrix)), matrix, atol=1e-12
    )


@given(poses(), poses(), poses())
def test_composition_is_associative(a, b, c):
    assert_same_pose(geometry.compose(geometry.compose(a, b), c), geometry.compose(a, geometry.compose(b, c)))


@given(poses())
def test_inverse_undoes_a_pose(pose):
    assert_same_pose(geometry.compose(pose, geometry.inverse(pose)), geometry.pose((0, 0, 0)))


@given(poses(), vectors)
def test_composition_moves_points_as_matrices_do(pose, point):
    moved = geometry.compose(pose, geometry.pose(point)).position_m
    expected = pose.position_m + geometry.matrix_from_quaternion(pose.quaternion_xyzw) @ point
    np.testing.assert_allclose(moved, expected, atol=1e-9)


@given(poses(), poses(), st.floats(0.0, 1.0))
def test_interpolation_covers_the_given_fraction_of_the_shortest_way(start, end, fraction):
    metres, radians = geometry.distance(start, end)
    between = geometry.interpolate(start, end, fraction)
    travelled_m, travelled_rad = geometry.distance(start, between)
    assert travelled_m == pytest.approx(fraction * metres, abs=1e-9)
    assert travelled_rad == pytest.approx(fraction * radians, abs=1e-6)


@given(poses(), poses())
def test_interpolation_ends_at_its_ends(start, end):
    assert_same_pose(geometry.interpolate(start, end, 0.0), start)
    assert_same_pose(geometry.interpolate(start, end, 1.0), end)


@given(poses())
def test_the_two_quaternions_of_one_rotation_are_no_distance_apart(pose):
    other = Pose(pose.position_m, -pose.quaternion_xyzw)
    assert geometry.distance(pose, other)[1] < 1e-6


@pytest.mark.parametrize("broken", [(0.0, 0.0, 0.0, 0.0), (math.nan, 0.0, 0.0, 1.0), (math.inf, 0.0, 0.0, 1.0)])
def test_a_quaternion_without_direction_is_refused(broken):
    with pytest.raises(ValueError, match="describes no rotation"):
        geometry.unit(broken)
