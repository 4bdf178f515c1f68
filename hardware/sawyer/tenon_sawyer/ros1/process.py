"""The one ROS 1 node that a script has, as rospy scripts expect it: made once, found from anywhere, ended in order."""

from __future__ import annotations

import atexit
import errno
import logging
import os
import signal
import sys
import threading
import time
import uuid
from collections.abc import Callable
from types import FrameType
from typing import Any

from tenon_sawyer.ros1.node import DEFAULT_MASTER, Node, read_parameter
from tenon_sawyer.ros1.xmlrpc import UnreachableError

LOG = logging.getLogger(__name__)
MASTER_VARIABLE, HOST_VARIABLES = "ROS_MASTER_URI", ("ROS_HOSTNAME", "ROS_IP")
RETRY_S = 1.0

_lock = threading.RLock()
_node: Node | None = None
_hooks: list[Callable[[], Any]] = []
_shutdown = threading.Event()
_hooking: threading.Thread | None = None
"""Runs the hooks: for this thread alone the node has not ended yet, so that they can wait and command."""


def start(name: str, *, anonymous: bool = False, signals: bool = True, wait: bool = True) -> Node:
    """Makes the node, from ROS_MASTER_URI, ROS_HOSTNAME or ROS_IP. A second call gives the node there is.

    It ends with the interpreter, if nothing else ends it. signals: Ctrl-C and SIGTERM do. wait: until the master
    answers, as rospy does; otherwise UnreachableError.
    """
    global _node
    with _lock:
        if _node is None:
            _shutdown.clear()
            if anonymous:
                name = f"{name}_{os.getpid()}_{uuid.uuid4().hex[:8]}"
            _node = _connect(name, wait=wait)
            atexit.register(shutdown, "the script has ended")
        if signals and threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, _on_signal)
        return _node


def node() -> Node:
    """The script's node. Makes an anonymous one where nobody has made one yet. Raises OSError once it has ended."""
    if is_shutdown():  # a new one would bring a script to life again that was told to end
        raise OSError(errno.ESHUTDOWN, "the node has ended")
    return _node or start("intera_interface", anonymous=True, signals=False)


def parameter(key: str) -> Any:
    """A value of the parameter server, also before there is a node, as scripts ask for the robot's limbs first.

    Raises KeyError, UnreachableError.
    """
    owner = _node
    if owner is not None:
        return owner.parameter(key)
    return read_parameter(_master_uri(), "/script", key)


def is_shutdown() -> bool:
    """Whether the node has ended or is ending, by a signal or by the master's wish. False for the hooks."""
    if threading.current_thread() is _hooking:
        return False
    return _shutdown.is_set() or (_node is not None and _node.is_closed)


def on_shutdown(hook: Callable[[], Any]) -> None:
    """hook: called once before the node ends, while it can still publish."""
    _hooks.append(hook)


def wait(seconds: float) -> bool:
    """Sleeps. Returns True as soon as the node ends."""
    if threading.current_thread() is _hooking:
        time.sleep(max(0.0, seconds))
        return False
    deadline_s = time.monotonic() + seconds
    if _shutdown.wait(max(0.0, seconds)):
        return True
    remaining_s = deadline_s - time.monotonic()
    return is_shutdown() if remaining_s <= 0 else wait(remaining_s)


def shutdown(reason: str = "") -> None:
    """Runs the hooks, then ends the node. Safe to call twice, also while the hooks run: nothing cuts them short."""
    global _node, _hooking
    with _lock:
        if _shutdown.is_set():
            return
        _shutdown.set()
        _hooking = threading.current_thread()
        hooks, _hooks[:] = list(_hooks), []
    for hook in hooks:
        try:
            hook()
        except (Exception, SystemExit):  # the others still have to run: one of them may disable the arm
            LOG.exception("a shutdown hook failed")
    with _lock:
        ending, _node, _hooking = _node, None, None
    if ending is not None:
        ending.close(reason)


def _master_uri() -> str:
    return os.environ.get(MASTER_VARIABLE, DEFAULT_MASTER)


def _connect(name: str, *, wait: bool) -> Node:
    master = _master_uri()
    host = next((os.environ[key] for key in HOST_VARIABLES if os.environ.get(key)), None)
    told = False
    while True:
        try:
            return Node(name, master, host=host, on_shutdown=shutdown)
        except (UnreachableError, OSError) as error:
            if not wait:
                raise
            if not told:
                print(f"no answer from the ROS master at {master}: {error}. Waiting for it", file=sys.stderr)  # noqa: T201
                told = True
            time.sleep(RETRY_S)


def _on_signal(number: int, frame: FrameType | None) -> None:
    """On a thread: hooks may wait for what only the main thread releases."""
    if _shutdown.is_set():
        return
    threading.Thread(target=shutdown, args=(f"signal {number}",)).start()
