"""The expressions of $(eval)."""

from __future__ import annotations

import pytest

from embedded_ros2.launch.expressions import ExpressionError, evaluate


@pytest.mark.parametrize(
    "expression",
    [
        "1 + 2 * 3",
        "2 ** 3 // 3 % 2",
        "-1.5 / +2",
        "'a' == 'a'",
        "1 < 2 <= 2 != 3",
        "'usb' in ('usb', 'dsub')",
        "'x' not in ['y']",
        "True and not False or 1",
        "0 or 'default'",
        "3 if 1 > 2 else 4",
        "max(1, 2) + len('abc') + int('4') + abs(-1)",
        "[1, 2, 3][1]",
        "'text' + str(round(1.26, 1))",
        "None is None",
    ],
)
def test_same_value_as_python(expression):
    assert evaluate(expression) == eval(expression)


def test_functions_of_math_with_and_without_the_module():
    assert evaluate("math.cos(0) + sqrt(4) + floor(pi)") == 6.0


@pytest.mark.parametrize(
    "expression",
    [
        "__import__('os')",
        "open('/etc/passwd')",
        "().__class__",
        "'a'.upper()",
        "math.__dict__",
        "(lambda: 1)()",
        "[x for x in (1, 2)]",
        "unquoted",
        "1 +",
        "1 / 0",
        "int('x')",
        "f'{1}'",
        "print(1)",
        "max(1, 2, key=abs)",
    ],
)
def test_everything_else_raises(expression):
    with pytest.raises(ExpressionError):
        evaluate(expression)
