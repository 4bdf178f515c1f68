"""Threads on which pages wait and work, apart from each other: a long look at files never delays a call to the robot.

What is short and touches files alone may use ``asyncio.to_thread``: it has the pool of the event loop to itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")
ROBOT_THREADS = 8
"""Calls wait for an answer, up to a time-out, and cost nothing meanwhile: presses of several pages must not queue."""
PICTURE_THREADS = 2
_robot = ThreadPoolExecutor(ROBOT_THREADS, thread_name_prefix="robot")
_pictures = ThreadPoolExecutor(PICTURE_THREADS, thread_name_prefix="pictures")
_heavy = ThreadPoolExecutor(1, thread_name_prefix="heavy")


async def ask_robot(call: Callable[[], Result]) -> Result:
    """For calls that wait for a node's answer. Raises what ``call`` raises."""
    return await asyncio.get_running_loop().run_in_executor(_robot, call)


async def encode(call: Callable[[], Result]) -> Result:
    """For pictures on their way to a browser. Raises what ``call`` raises."""
    return await asyncio.get_running_loop().run_in_executor(_pictures, call)


async def do_heavy(call: Callable[[], Result]) -> Result:
    """For what reads whole recordings: one at a time, for all pages together. Raises what ``call`` raises."""
    return await asyncio.get_running_loop().run_in_executor(_heavy, call)
