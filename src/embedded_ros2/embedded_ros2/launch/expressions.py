"""Evaluates what stands in ``$(eval ...)``: Python expressions of literals, operators and the functions of ``math``.

``ros2 launch`` hands the text to Python's ``eval``. Here the syntax tree is walked instead, so that a launch file
cannot run code; what is allowed gives the same value in both.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable
from typing import Any

_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
_UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.UAdd: operator.pos,
    ast.USub: operator.neg,
    ast.Not: operator.not_,
}
_COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
    ast.In: lambda item, container: item in container,
    ast.NotIn: lambda item, container: item not in container,
}
_FUNCTIONS: dict[str, Any] = {f.__name__: f for f in (abs, bool, float, int, len, max, min, round, str, sum)}
_MATH = {name: value for name, value in vars(math).items() if not name.startswith("_")}


class ExpressionError(ValueError):
    """An expression is no Python, uses what is not allowed, or fails."""


def evaluate(expression: str) -> Any:
    """Returns the value of an expression.

    :raises ExpressionError: when it cannot be evaluated.
    """
    try:
        return _value(ast.parse(expression.strip(), mode="eval").body)
    except SyntaxError as error:
        raise ExpressionError(f"'{expression}' is no Python expression: {error.msg}") from error
    except ExpressionError:
        raise
    except Exception as error:
        raise ExpressionError(f"'{expression}' cannot be evaluated: {error}") from error


def _value(node: ast.expr) -> Any:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name(id=name):
            return _named(name)
        case ast.Attribute(value=ast.Name(id="math"), attr=name) if name in _MATH:
            return _MATH[name]
        case ast.List(elts=items):
            return [_value(item) for item in items]
        case ast.Tuple(elts=items):
            return tuple(_value(item) for item in items)
        case ast.UnaryOp(op=op, operand=operand) if type(op) in _UNARY:
            return _UNARY[type(op)](_value(operand))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            return _BINARY[type(op)](_value(left), _value(right))
        case ast.BoolOp(op=op, values=values):
            return _bool_op(values, stop_at=isinstance(op, ast.Or))
        case ast.IfExp(test=test, body=body, orelse=orelse):
            return _value(body) if _value(test) else _value(orelse)
        case ast.Subscript(value=value, slice=index) if not isinstance(index, ast.Slice):
            return _value(value)[_value(index)]
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            return _compare(_value(left), ops, comparators)
        case ast.Call(func=function, args=arguments, keywords=[]):
            return _value(function)(*(_value(argument) for argument in arguments))
    raise ExpressionError(f"'{ast.unparse(node)}' is not allowed: use literals, operators, math and {_allowed()}")


def _named(name: str) -> Any:
    if name in _FUNCTIONS:
        return _FUNCTIONS[name]
    if name in _MATH:
        return _MATH[name]
    raise ExpressionError(f"'{name}' is not known: quote text, and use math or {_allowed()}")


def _allowed() -> str:
    return ", ".join(sorted(_FUNCTIONS))


def _bool_op(values: list[ast.expr], *, stop_at: bool) -> Any:
    result: Any = None
    for value in values:
        result = _value(value)
        if bool(result) is stop_at:
            break
    return result


def _compare(left: Any, ops: list[ast.cmpop], comparators: list[ast.expr]) -> bool:
    for op, comparator in zip(ops, comparators, strict=True):
        right = _value(comparator)
        if not _COMPARISONS[type(op)](left, right):
            return False
        left = right
    return True
