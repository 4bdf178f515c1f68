"""init, shutdown, contexts and signals."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest
import rclpy
from rclpy._rclpy_pybind11 import RCLError, UnknownROSArgsError
from rclpy.context import Context
from rclpy.exceptions import NotInitializedException
from rclpy.signals import SignalHandlerOptions, get_current_signal_handlers_options
from rclpy.utilities import remove_ros_args

PATIENCE_S = 60.0

SPINNING_PROGRAM = """
import sys
import rclpy
from rclpy.executors import ExternalShutdownException

rclpy.init()
node = rclpy.create_node("spinning")
node.create_timer(0.01, lambda: print("ready", flush=True))
try:
    rclpy.spin(node)
    print("returned")
except KeyboardInterrupt:
    print("KeyboardInterrupt", rclpy.ok())
except ExternalShutdownException:
    print("ExternalShutdownException", rclpy.ok())
finally:
    node.destroy_node()
    rclpy.try_shutdown()
"""


@pytest.fixture(autouse=True)
def _shut_down():
    yield
    rclpy.try_shutdown()


def test_ok_follows_init_and_shutdown():
    assert not rclpy.ok()
    rclpy.init(args=[])
    assert rclpy.ok()
    rclpy.shutdown()
    assert not rclpy.ok()


def test_init_can_be_called_again_after_shutdown():
    for _ in range(2):
        rclpy.init(args=[])
        rclpy.create_node("node").destroy_node()
        rclpy.shutdown()


def test_init_twice_raises():
    rclpy.init(args=[])
    with pytest.raises(RuntimeError, match="only be called once"):
        rclpy.init(args=[])


def test_init_as_context_manager_shuts_down():
    with rclpy.init(args=[]):
        assert rclpy.ok()
    assert not rclpy.ok()


def test_shutdown_twice_raises_but_try_shutdown_does_not(context):
    rclpy.shutdown(context=context)
    rclpy.try_shutdown(context=context)
    with pytest.raises(RCLError, match="already called"):
        rclpy.shutdown(context=context)


def test_shutdown_before_init_raises():
    with pytest.raises(RuntimeError, match="initialized"):
        Context().shutdown()


def test_node_without_init_raises():
    with pytest.raises(NotInitializedException):
        rclpy.create_node("node")


def test_unknown_ros_arguments_raise():
    with pytest.raises(UnknownROSArgsError, match="--does-not-exist"):
        rclpy.init(args=["--ros-args", "--does-not-exist"])


def test_arguments_of_the_program_are_left_alone():
    rclpy.init(args=["program", "--flag", "value"])
    arguments = ["program", "--a", "--ros-args", "-r", "x:=y", "--", "--b"]
    assert remove_ros_args(arguments) == ["program", "--a", "--b"]


def test_domain_id_comes_from_environment_or_argument(monkeypatch):
    monkeypatch.setenv("ROS_DOMAIN_ID", "17")
    first, second = Context(), Context()
    first.init([])
    second.init([], domain_id=5)
    assert (first.get_domain_id(), second.get_domain_id()) == (17, 5)


@pytest.mark.parametrize("value", ["abc", "-1", "233"])
def test_invalid_domain_id_raises(monkeypatch, value):
    monkeypatch.setenv("ROS_DOMAIN_ID", value)
    with pytest.raises(RuntimeError, match=value):
        Context().init([])


def test_shutdown_callbacks_are_called_once(context):
    calls = []
    context.on_shutdown(lambda: calls.append(1))
    context.try_shutdown()
    context.try_shutdown()
    assert calls == [1]


def test_shutdown_callback_after_shutdown_is_called_at_once(context):
    context.try_shutdown()
    calls = []
    context.on_shutdown(lambda: calls.append(1))
    assert calls == [1]


def test_bound_methods_are_not_kept_alive_by_on_shutdown(context):
    class Owner:
        calls = 0

        def callback(self):
            Owner.calls += 1

    owner = Owner()
    context.on_shutdown(owner.callback)
    del owner
    context.try_shutdown()
    assert Owner.calls == 0


def test_default_context_handles_signals_and_others_do_not(context):
    assert get_current_signal_handlers_options() == SignalHandlerOptions.NO
    before = signal.getsignal(signal.SIGINT)
    rclpy.init(args=[])
    assert get_current_signal_handlers_options() == SignalHandlerOptions.ALL
    rclpy.shutdown()
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (signal.SIGINT, ["KeyboardInterrupt False\n"]),
        # A signal that comes while no callback runs and nothing is waited for just ends the loop of spin.
        (signal.SIGTERM, ["ExternalShutdownException False\n", "returned\n"]),
    ],
)
def test_signal_ends_spin(number, expected):
    program = subprocess.Popen([sys.executable, "-c", SPINNING_PROGRAM], stdout=subprocess.PIPE, text=True)
    assert program.stdout.readline() == "ready\n"
    program.send_signal(number)
    output, _ = program.communicate(timeout=PATIENCE_S)
    assert output.replace("ready\n", "") in expected
    assert program.returncode == 0
