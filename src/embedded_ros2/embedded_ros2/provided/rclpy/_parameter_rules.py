"""What a parameter's descriptor allows: read-only, static type, ranges. Pure functions that say what is wrong."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from .parameter import Parameter

if TYPE_CHECKING:
    from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor

_RELATIVE_TOLERANCE = 1e-9
"""Slack of floating point ranges, as a fraction; decimal steps like 0.1 have no exact binary form."""


def type_problem(parameter: Parameter, descriptor: ParameterDescriptor) -> str | None:
    """Says why a statically typed parameter cannot take the value."""
    if descriptor.dynamic_typing or parameter.type_.value == descriptor.type:
        return None
    expected = Parameter.Type(descriptor.type)
    if parameter.type_ is not Parameter.Type.NOT_SET and expected.check(parameter.value):
        return None  # an empty list fits every array type
    return f"Wrong parameter type, expected '{expected}' got '{parameter.type_}'"


def range_problem(parameter: Parameter, descriptor: ParameterDescriptor) -> str | None:
    """Says why the value is outside of the descriptor's range, or between its steps."""
    if parameter.type_ is Parameter.Type.INTEGER and descriptor.integer_range:
        return _outside_integers(parameter, descriptor.integer_range[0])
    if parameter.type_ is Parameter.Type.DOUBLE and descriptor.floating_point_range:
        return _outside_floats(parameter, descriptor.floating_point_range[0])
    return None


def _outside_integers(parameter: Parameter, limits: IntegerRange) -> str | None:
    value, low, high = parameter.value, limits.from_value, limits.to_value
    if value in (low, high):
        return None
    if not low < value < high:
        return _out_of_range(parameter, low, high)
    if limits.step and (value - low) % limits.step:
        return _off_step(parameter, low, high, limits.step)
    return None


def _outside_floats(parameter: Parameter, limits: FloatingPointRange) -> str | None:
    value, low, high, step = parameter.value, limits.from_value, limits.to_value, limits.step
    if any(math.isclose(value, bound, rel_tol=_RELATIVE_TOLERANCE) for bound in (low, high)):
        return None
    if not low <= value <= high:
        return _out_of_range(parameter, low, high)
    if step:
        steps = (value - low) / step
        if not math.isclose(steps, round(steps), rel_tol=_RELATIVE_TOLERANCE, abs_tol=_RELATIVE_TOLERANCE):
            return _off_step(parameter, low, high, step)
    return None


def _out_of_range(parameter: Parameter, low: Any, high: Any) -> str:
    return f"Parameter {parameter.name} out of range. Min: {low}, Max: {high}, value: {parameter.value}"


def _off_step(parameter: Parameter, low: Any, high: Any, step: Any) -> str:
    return (
        f"The parameter value for {parameter.name} is not a valid step. "
        f"Min: {low}, max: {high}, value: {parameter.value}, step: {step}"
    )
