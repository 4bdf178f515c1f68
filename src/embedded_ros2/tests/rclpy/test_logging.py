"""Loggers, their levels and filters, the console and /rosout."""

from __future__ import annotations

import itertools

import pytest
from rcl_interfaces.msg import Log
from rclpy import logging
from rclpy.clock import ROSClock
from rclpy.clock_type import ClockType
from rclpy.logging import LoggingSeverity
from rclpy.qos import qos_profile_rosout_default
from rclpy.time import Time

_names = itertools.count()


@pytest.fixture
def logger(monkeypatch):
    """A logger that no other test has used."""
    monkeypatch.setenv("RCUTILS_COLORIZED_OUTPUT", "0")
    return logging.get_logger(f"logger_{next(_names)}")


def test_console_format(logger, capsys, monkeypatch):
    monkeypatch.delenv("RCUTILS_CONSOLE_OUTPUT_FORMAT", raising=False)
    logger.warning("careful")
    line = capsys.readouterr().err
    prefix, _, rest = line.partition("] [")
    assert prefix == "[WARN"
    stamp, _, rest = rest.partition("] ")
    seconds, nanoseconds = stamp.split(".")
    assert (len(seconds), len(nanoseconds)) == (10, 9)
    assert rest == f"[{logger.name}]: careful\n"


def test_console_format_is_configurable(logger, capsys, monkeypatch):
    monkeypatch.setenv("RCUTILS_CONSOLE_OUTPUT_FORMAT", "{severity}|{message}|{function_name}|{unknown}")
    monkeypatch.setenv("RCUTILS_LOGGING_USE_STDOUT", "1")
    logger.error("text with {braces}")
    assert capsys.readouterr().out == "ERROR|text with {braces}|test_console_format_is_configurable|{unknown}\n"


def test_colours(logger, capsys, monkeypatch):
    monkeypatch.setenv("RCUTILS_COLORIZED_OUTPUT", "1")
    logger.error("red")
    assert capsys.readouterr().err.startswith("\033[31m[ERROR]")


def test_levels(logger, capsys):
    assert logger.get_effective_level() == LoggingSeverity.INFO
    assert logger.debug("hidden") is False
    logger.set_level(LoggingSeverity.DEBUG)
    assert logger.is_enabled_for(LoggingSeverity.DEBUG)
    assert logger.debug("shown") is True
    assert "shown" in capsys.readouterr().err
    assert logging.get_logger_level(logger.name) == LoggingSeverity.DEBUG


def test_children_inherit_levels(logger):
    child = logger.get_child("part")
    assert child.name == f"{logger.name}.part"
    logging.set_logger_level(logger.name, LoggingSeverity.ERROR)
    assert child.get_effective_level() == LoggingSeverity.ERROR
    child.set_level(LoggingSeverity.WARN)
    assert child.get_effective_level() == LoggingSeverity.WARN
    child.set_level(LoggingSeverity.UNSET)
    assert child.get_effective_level() == LoggingSeverity.ERROR


def test_names_must_not_be_empty(logger):
    with pytest.raises(ValueError, match="empty"):
        logging.get_logger("")
    with pytest.raises(ValueError, match="empty"):
        logger.get_child("")


def test_all_severities_have_a_method(logger, capsys):
    logger.set_level(LoggingSeverity.DEBUG)
    for name in ("debug", "info", "warning", "warn", "error", "fatal"):
        assert getattr(logger, name)(name)
    assert logger.log("by number", 30)
    severities = [line.split("]")[0][1:] for line in capsys.readouterr().err.splitlines()]
    assert severities == ["DEBUG", "INFO", "WARN", "WARN", "ERROR", "FATAL", "WARN"]


def test_once(logger):
    assert [logger.info("x", once=True) for _ in range(3)] == [True, False, False]


def test_filters_are_per_call_site(logger):
    first = [logger.info("x", once=True) for _ in range(2)]
    second = [logger.info("x", once=True) for _ in range(2)]
    assert first == second == [True, False]


def test_skip_first(logger):
    assert [logger.info("x", skip_first=True) for _ in range(3)] == [False, True, True]


def test_skip_first_and_once(logger):
    assert [logger.info("x", skip_first=True, once=True) for _ in range(3)] == [False, True, False]


def test_throttle(logger):
    clock = ROSClock()
    clock._set_ros_time_is_active(True)
    logged = []
    for seconds in (10, 10.5, 10.9, 11, 11.5, 12.5):
        clock.set_ros_time_override(Time(seconds=seconds, clock_type=ClockType.ROS_TIME))
        if logger.info("x", throttle_duration_sec=1.0, throttle_time_source_type=clock):
            logged.append(seconds)
    assert logged == [10, 11, 12.5]


def test_invalid_filters_raise(logger):
    with pytest.raises(TypeError, match="every"):
        logger.info("x", every=2)
    with pytest.raises(ValueError, match="clock"):
        logger.info("x", throttle_duration_sec=1.0, throttle_time_source_type="sundial")
    with pytest.raises(TypeError, match="throttle_duration_sec"):
        logger.info("x", throttle_time_source_type=ROSClock())


def test_severity_of_a_filtered_call_site_is_fixed(logger):
    with pytest.raises(ValueError, match="severity cannot be changed"):
        for severity in (LoggingSeverity.INFO, LoggingSeverity.WARN):
            logger.log("x", severity, once=True)


def test_rosout(node, make_node, executor, spin_until):
    received = []
    executor.add_node(make_node("listener"))
    node.create_subscription(Log, "/rosout", received.append, qos_profile_rosout_default)
    node.get_logger().error("on the topic")
    node.get_logger().get_child("part").warning("from a child")
    node.get_logger().debug("below the level")
    spin_until(executor, lambda: len(received) == 2)
    assert [(log.name, log.level, log.msg) for log in received] == [
        ("node", 40, "on the topic"),
        ("node.part", 30, "from a child"),
    ]
    assert received[0].function == "test_rosout"
    assert received[0].file.endswith("test_logging.py")
    assert received[0].line > 0


def test_rosout_reaches_late_listeners(node, make_node, executor, spin_until):
    node.get_logger().info("earlier")
    received = []
    listener = make_node("listener")
    executor.add_node(listener)
    listener.create_subscription(Log, "/rosout", received.append, qos_profile_rosout_default)
    spin_until(executor, lambda: received)
    assert received[0].msg == "earlier"


def test_rosout_can_be_switched_off(make_node, make_context):
    make_node("silent", enable_rosout=False)
    quiet = make_node("quiet", context=make_context("--ros-args", "--disable-rosout-logs"))
    assert quiet.count_publishers("/rosout") == 0


def test_console_can_be_switched_off(make_context, logger, capsys):
    make_context("--ros-args", "--disable-stdout-logs")
    logger.info("silent")
    make_context()
    logger.info("loud")
    assert [line.endswith("loud") for line in capsys.readouterr().err.splitlines()] == [True]


def test_severity_from_string():
    assert logging.get_logging_severity_from_string("warn") == LoggingSeverity.WARN
    with pytest.raises(RuntimeError, match="loud"):
        logging.get_logging_severity_from_string("loud")
