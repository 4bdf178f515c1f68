"""Callbacks that may be plain functions or coroutine functions."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from types import CoroutineType
from typing import Any


def as_coroutine(result: Any) -> Coroutine[Any, Any, Any] | None:
    """Returns what a callback returned when that is a coroutine, which still has to run; else None."""
    return result if type(result) is CoroutineType else None


async def await_or_execute(callback: Callable[..., Any] | Coroutine[Any, Any, Any], *args: Any) -> Any:
    """Calls a callback and awaits what it returns when that is a coroutine."""
    result = callback(*args) if callable(callback) else callback
    return await result if type(result) is CoroutineType else result
