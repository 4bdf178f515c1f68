"""As much of rospy as scripts for a Sawyer use, where no ROS 1 is installed. What is missing raises AttributeError."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from tenon_sawyer.ros1 import process
from tenon_sawyer.ros1.messages import Message, SerializationError, ServiceType
from tenon_sawyer.ros1.node import resolve
from tenon_sawyer.ros1.service import ServiceError
from tenon_sawyer.ros1.time import Duration
from tenon_sawyer.ros1.time import Time as _Time
from tenon_sawyer.ros1.xmlrpc import CallError

DEBUG, INFO, WARN, ERROR, FATAL = 1, 2, 4, 8, 16
_LEVELS = {DEBUG: logging.DEBUG, INFO: logging.INFO, WARN: logging.WARNING, ERROR: logging.ERROR, FATAL: logging.FATAL}
_LOG = logging.getLogger("rosout")
_UNSET = object()
_SERVICE_TIMEOUT_S = 5.0


class ROSException(Exception):  # noqa: N818 - the name is rospy's
    """Something of ROS went wrong."""


class ROSInterruptException(ROSException, KeyboardInterrupt):
    """The node has ended while the script was waiting."""


class ROSSerializationException(ROSException):
    """A message cannot be sent as it is."""


class ServiceException(Exception):  # noqa: N818
    """A service has failed, or is not there."""


class Time(_Time):
    """A time of the wall clock."""

    @classmethod
    def now(cls) -> Time:
        return cls.from_nsec(time.time_ns())

    @classmethod
    def from_seconds(cls, seconds: float) -> Time:
        return cls.from_sec(seconds)


class Rate:
    """Sleeps so that a loop turns ``hz`` times a second; a turn that was late is not made up for."""

    def __init__(self, hz: float) -> None:
        self.sleep_dur = Duration.from_sec(1.0 / hz)
        self._period_s = 1.0 / hz
        self._next_s = time.monotonic() + self._period_s

    def remaining(self) -> Duration:
        return Duration.from_sec(self._next_s - time.monotonic())

    def sleep(self) -> None:
        """Raises ROSInterruptException when the node ends."""
        now_s = time.monotonic()
        if self._next_s > now_s:
            sleep(self._next_s - now_s)
        self._next_s = max(self._next_s + self._period_s, time.monotonic())


class Publisher:
    """Publishes on a topic."""

    def __init__(
        self,
        name: str,
        data_class: type[Message],
        subscriber_listener: None = None,
        tcp_nodelay: bool = False,
        latch: bool = False,
        headers: None = None,
        queue_size: int | None = None,
    ) -> None:
        self.data_class = data_class
        self._publisher = process.node().advertise(resolve_name(name), data_class, latch=latch)
        self.name = self._publisher.topic

    def publish(self, *args: Any, **kwds: Any) -> None:
        """A message, or the fields of one. Raises ROSSerializationException."""
        whole = len(args) == 1 and not kwds and hasattr(args[0], "_md5sum")
        message = args[0] if whole else self.data_class(*args, **kwds)
        try:
            self._publisher.publish(message)
        except SerializationError as error:
            raise ROSSerializationException(str(error)) from error

    def get_num_connections(self) -> int:
        return self._publisher.connections

    def unregister(self) -> None:
        self._publisher.close()


class Subscriber:
    """Calls back with each message of a topic."""

    def __init__(
        self,
        name: str,
        data_class: type[Message],
        callback: Callable[..., Any] | None = None,
        callback_args: Any = None,
        queue_size: int | None = None,
        buff_size: int = 65536,
        tcp_nodelay: bool = False,
    ) -> None:
        def deliver(message: Any) -> None:
            if callback is not None:
                callback(message) if callback_args is None else callback(message, callback_args)

        self._node, self._callback = process.node(), deliver
        self._subscription = self._node.subscribe(resolve_name(name), data_class, deliver)
        self.name = self._subscription.topic

    def get_num_connections(self) -> int:
        return self._subscription.connections

    def unregister(self) -> None:
        self._node.unsubscribe(self._subscription, self._callback)


class ServiceProxy:
    """Calls a service as a function: with a request, or with its fields."""

    def __init__(self, name: str, service_class: ServiceType, persistent: bool = False, headers: None = None) -> None:
        self.service_class = service_class
        self._client = process.node().client(resolve_name(name), service_class, _SERVICE_TIMEOUT_S)
        self.resolved_name = self._client.name

    def __call__(self, *args: Any, **kwds: Any) -> Any:
        """Raises ServiceException."""
        kind = self.service_class._request_class
        request = args[0] if len(args) == 1 and isinstance(args[0], kind) else kind(*args, **kwds)
        try:
            return self._client.call(request)
        except ServiceError as error:
            raise ServiceException(str(error)) from error

    call = __call__

    def wait_for_service(self, timeout: float | None = None) -> None:
        wait_for_service(self.resolved_name, timeout)


class Service:
    """Answers a service with what the handler returns."""

    def __init__(self, name: str, service_class: ServiceType, handler: Callable[[Any], Any]) -> None:
        def answer(request: Any) -> Message:
            result = handler(request)
            if isinstance(result, service_class._response_class):
                return result
            fields = result if isinstance(result, list | tuple) else (result,)
            return service_class._response_class(*fields)

        self._server = process.node().serve(resolve_name(name), service_class, answer)
        self.resolved_name = self._server.name


def init_node(
    name: str,
    argv: list[str] | None = None,
    anonymous: bool = False,
    log_level: int = INFO,
    disable_rostime: bool = False,
    disable_signals: bool = False,
) -> None:
    """Registers the script with the master, for which it waits."""
    logging.basicConfig(format="[%(levelname)s] [%(created)f]: %(message)s", stream=sys.stderr)
    logging.getLogger().setLevel(_LEVELS[log_level])
    process.start(name, anonymous=anonymous, signals=not disable_signals)


def is_shutdown() -> bool:
    return process.is_shutdown()


def signal_shutdown(reason: str) -> None:
    process.shutdown(reason)


def on_shutdown(h: Callable[[], Any]) -> None:
    process.on_shutdown(h)


def sleep(duration: float | Duration) -> None:
    """Raises ROSInterruptException when the node ends meanwhile."""
    if process.wait(duration.to_sec() if isinstance(duration, Duration) else duration):
        raise ROSInterruptException("the node has ended")


def spin() -> None:
    """Returns when the node ends."""
    while not process.wait(1.0):
        pass


def get_time() -> float:
    return time.time()


def get_rostime() -> Time:
    return Time.now()


def get_name() -> str:
    return process.node().name


def resolve_name(name: str) -> str:
    """In full: ``~name`` lies below the script's own name, all else in the root namespace."""
    return f"{process.node().name}/{name[1:]}" if name.startswith("~") else resolve(name)


def get_caller_id() -> str:
    return process.node().name


def get_param(param_name: str, default: Any = _UNSET) -> Any:
    """Raises KeyError where there is neither parameter nor default."""
    try:
        return process.parameter(resolve_name(param_name))
    except KeyError:
        if default is _UNSET:
            raise
        return default


def has_param(param_name: str) -> bool:
    return get_param(param_name, None) is not None


def set_param(param_name: str, param_value: Any) -> None:
    """Raises ROSException."""
    try:
        process.node().set_parameter(resolve_name(param_name), param_value)
    except CallError as error:
        raise ROSException(str(error)) from error


def get_published_topics(namespace: str = "/") -> list[list[str]]:
    return list(process.node().call_master("getPublishedTopics", namespace))


def wait_for_service(service: str, timeout: float | Duration | None = None) -> None:
    """Raises ROSException when it does not come in time, ROSInterruptException when the node ends."""
    seconds = timeout.to_sec() if isinstance(timeout, Duration) else timeout
    deadline_s = None if seconds is None else time.monotonic() + seconds
    # Any type will do for a probe: the md5 of a probe is a wild card.
    kind = ServiceType("*", "*", Message, Message)
    while True:
        try:
            return process.node().client(resolve_name(service), kind).probe()
        except ServiceError as error:
            if deadline_s is not None and time.monotonic() > deadline_s:
                raise ROSException(f"{service} did not come within {seconds:g} s: {error}") from error
        sleep(0.1)


def wait_for_message(topic: str, topic_type: type[Message], timeout: float | None = None) -> Any:
    """The next message of a topic. Raises ROSException when none comes in time."""
    arrived, heard = threading.Event(), []

    def take(message: Any) -> None:
        heard.append(message)
        arrived.set()

    owner = process.node()
    subscription = owner.subscribe(resolve_name(topic), topic_type, take)
    deadline_s = None if timeout is None else time.monotonic() + timeout
    try:
        while not arrived.wait(0.05):
            if process.is_shutdown():
                raise ROSInterruptException("the node has ended")
            if deadline_s is not None and time.monotonic() > deadline_s:
                raise ROSException(f"nothing came on {topic} within {timeout:g} s. {subscription.problem}")
    finally:
        owner.unsubscribe(subscription, take)
    return heard[0]


def myargv(argv: list[str] | None = None) -> list[str]:
    """Without remappings (name:=value)."""
    return [word for word in (sys.argv if argv is None else argv) if ":=" not in word]


def logdebug(msg: Any, *args: Any) -> None:
    _LOG.debug(msg, *args)


def loginfo(msg: Any, *args: Any) -> None:
    _LOG.info(msg, *args)


def logwarn(msg: Any, *args: Any) -> None:
    _LOG.warning(msg, *args)


def logerr(msg: Any, *args: Any) -> None:
    _LOG.error(msg, *args)


def logfatal(msg: Any, *args: Any) -> None:
    _LOG.critical(msg, *args)


_told: dict[tuple[str, int], float] = {}


def _throttled(period: float, level: Callable[..., None], msg: Any, *args: Any) -> None:
    caller = sys._getframe(2)
    place, now_s = (caller.f_code.co_filename, caller.f_lineno), time.monotonic()
    if now_s - _told.get(place, -float("inf")) >= period:
        _told[place] = now_s
        level(msg, *args)


def loginfo_throttle(period: float, msg: Any, *args: Any) -> None:
    _throttled(period, loginfo, msg, *args)


def logwarn_throttle(period: float, msg: Any, *args: Any) -> None:
    _throttled(period, logwarn, msg, *args)


def logerr_throttle(period: float, msg: Any, *args: Any) -> None:
    _throttled(period, logerr, msg, *args)
