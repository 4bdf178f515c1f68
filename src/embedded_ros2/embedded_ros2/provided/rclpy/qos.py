"""Quality of service, as in rclpy: policies, profiles, presets, and whether two profiles match."""

from __future__ import annotations

from enum import Enum, IntEnum
from typing import Any, TypeVar

from embedded_ros2.rmw import api

from ._unsupported import UnsupportedFeature
from .duration import Duration, Infinite

SYSTEM_DEFAULT_DEPTH = 42
"""Queue depth where a profile leaves it to the system; that of rmw_zenoh_cpp."""

P = TypeVar("P", bound="QoSPolicyEnum")


class QoSPolicyKind(IntEnum):
    """Names a policy; values are those of ``rmw_qos_policy_kind_t``."""

    INVALID = 1
    DURABILITY = 2
    DEADLINE = 4
    LIVELINESS = 8
    RELIABILITY = 16
    HISTORY = 32
    LIFESPAN = 64
    DEPTH = 128
    LIVELINESS_LEASE_DURATION = 256
    AVOID_ROS_NAMESPACE_CONVENTIONS = 512


class InvalidQoSProfileException(Exception):  # noqa: N818 (the name is that of rclpy)
    """A profile contradicts itself."""

    def __init__(self, *args: str) -> None:
        super().__init__("Invalid QoSProfile", *args)


class QoSPolicyEnum(IntEnum):
    """Base of the policies; the short keys are those of the command line tools (``keep_last``)."""

    @classmethod
    def short_keys(cls) -> list[str]:
        return [policy.short_key for policy in cls if policy.name != "UNKNOWN"]

    @classmethod
    def get_from_short_key(cls: type[P], name: str) -> P:
        return cls[name.upper()]

    @property
    def short_key(self) -> str:
        return self.name.lower()


class HistoryPolicy(QoSPolicyEnum):
    SYSTEM_DEFAULT = 0
    KEEP_LAST = 1
    KEEP_ALL = 2
    UNKNOWN = 3


class ReliabilityPolicy(QoSPolicyEnum):
    SYSTEM_DEFAULT = 0
    RELIABLE = 1
    BEST_EFFORT = 2
    UNKNOWN = 3
    BEST_AVAILABLE = 4


class DurabilityPolicy(QoSPolicyEnum):
    SYSTEM_DEFAULT = 0
    TRANSIENT_LOCAL = 1
    VOLATILE = 2
    UNKNOWN = 3
    BEST_AVAILABLE = 4


class LivelinessPolicy(QoSPolicyEnum):
    SYSTEM_DEFAULT = 0
    AUTOMATIC = 1
    MANUAL_BY_TOPIC = 3
    UNKNOWN = 4
    BEST_AVAILABLE = 5


QoSHistoryPolicy = HistoryPolicy
QoSReliabilityPolicy = ReliabilityPolicy
QoSDurabilityPolicy = DurabilityPolicy
QoSLivelinessPolicy = LivelinessPolicy

_DEFAULTS: dict[str, Any] = {
    "history": HistoryPolicy.KEEP_LAST,
    "depth": 0,
    "reliability": ReliabilityPolicy.RELIABLE,
    "durability": DurabilityPolicy.VOLATILE,
    "lifespan": Duration(),
    "deadline": Duration(),
    "liveliness": LivelinessPolicy.SYSTEM_DEFAULT,
    "liveliness_lease_duration": Duration(),
    "avoid_ros_namespace_conventions": False,
}
_TYPES: dict[str, type] = {name: type(value) for name, value in _DEFAULTS.items()}


class QoSProfile:
    """A set of policies; see ``_DEFAULTS`` for those that are not given. A zero duration means "no limit".

    :raises InvalidQoSProfileException: when neither history nor depth is given, or KEEP_LAST without depth.
    :raises TypeError: on an unknown policy.
    """

    __slots__ = tuple(_DEFAULTS)

    history: HistoryPolicy
    depth: int
    reliability: ReliabilityPolicy
    durability: DurabilityPolicy
    lifespan: Duration
    deadline: Duration
    liveliness: LivelinessPolicy
    liveliness_lease_duration: Duration
    avoid_ros_namespace_conventions: bool

    def __init__(self, **policies: Any) -> None:
        if unknown := policies.keys() - _DEFAULTS.keys():
            raise TypeError(f"unknown QoS policies {sorted(unknown)}, allowed are {sorted(_DEFAULTS)}")
        if "history" not in policies and "depth" not in policies:
            raise InvalidQoSProfileException("History and/or depth settings are required.")
        if policies.get("history") == HistoryPolicy.KEEP_LAST and "depth" not in policies:
            raise InvalidQoSProfileException("History set to KEEP_LAST without a depth setting.")
        for name, default in _DEFAULTS.items():
            setattr(self, name, policies.get(name, default))

    def __setattr__(self, name: str, value: Any) -> None:
        expected = _TYPES.get(name)
        if expected is not None:
            value = _converted(name, value, expected)
        object.__setattr__(self, name, value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, QoSProfile):
            return False
        return all(getattr(self, name) == getattr(other, name) for name in _DEFAULTS)

    __hash__ = None  # type: ignore[assignment]  # mutable

    def __str__(self) -> str:
        return f"QoSProfile({', '.join(f'{name}={_shown(getattr(self, name))}' for name in _DEFAULTS)})"

    __repr__ = __str__


def _converted(name: str, value: Any, expected: type) -> Any:
    if issubclass(expected, QoSPolicyEnum):
        return expected(value)
    if not isinstance(value, expected) or (expected is int and isinstance(value, bool)):
        raise TypeError(f"QoS policy '{name}' must be of type {expected.__name__}, not {type(value).__name__}")
    if isinstance(value, int) and value < 0:
        raise ValueError("QoS depth must not be negative")
    return value


def _shown(value: Any) -> str:
    return value.name if isinstance(value, Enum) else str(value)


def to_rmw(profile: QoSProfile) -> api.Qos:
    """Returns the profile as the middleware takes it, with system defaults resolved.

    :raises UnsupportedFeature: for BEST_AVAILABLE policies and ``avoid_ros_namespace_conventions``.
    :raises InvalidQoSProfileException: for policies that are UNKNOWN.
    """
    if profile.avoid_ros_namespace_conventions:
        raise UnsupportedFeature("the QoS policy 'avoid_ros_namespace_conventions'")
    history = _resolved(profile.history, HistoryPolicy.KEEP_LAST)
    liveliness = _resolved(profile.liveliness, LivelinessPolicy.AUTOMATIC)
    return api.Qos(
        reliability=api.Reliability(_resolved(profile.reliability, ReliabilityPolicy.RELIABLE)),
        durability=api.Durability(_resolved(profile.durability, DurabilityPolicy.VOLATILE)),
        history=api.History(history),
        depth=profile.depth or SYSTEM_DEFAULT_DEPTH,
        deadline_ns=_limit_ns(profile.deadline),
        lifespan_ns=_limit_ns(profile.lifespan),
        liveliness=api.Liveliness(liveliness),
        liveliness_lease_ns=_limit_ns(profile.liveliness_lease_duration),
    )


def _resolved(policy: P, default: P) -> P:
    if policy.name == "UNKNOWN":
        raise InvalidQoSProfileException(f"{type(policy).__name__} is UNKNOWN.")
    if policy.name == "BEST_AVAILABLE":
        raise UnsupportedFeature(f"{type(policy).__name__}.BEST_AVAILABLE", "name the policy that the peers use")
    return default if policy.name == "SYSTEM_DEFAULT" else policy


def _limit_ns(duration: Duration) -> int:
    return api.INFINITE_NS if duration == Infinite else duration.nanoseconds


def from_rmw(qos: api.Qos) -> QoSProfile:
    """Returns what the graph tells about an endpoint as a profile; "no limit" becomes ``Infinite``."""

    def duration(nanoseconds: int) -> Duration:
        return Infinite if nanoseconds == api.INFINITE_NS else Duration(nanoseconds=nanoseconds)

    return QoSProfile(
        history=HistoryPolicy(qos.history),
        depth=qos.depth,
        reliability=ReliabilityPolicy(qos.reliability),
        durability=DurabilityPolicy(qos.durability),
        lifespan=duration(qos.lifespan_ns),
        deadline=duration(qos.deadline_ns),
        liveliness=LivelinessPolicy(qos.liveliness),
        liveliness_lease_duration=duration(qos.liveliness_lease_ns),
    )


def as_profile(qos_profile: QoSProfile | int) -> QoSProfile:
    """Returns the profile itself, or for an integer the default profile with that depth.

    :raises TypeError: on anything else.
    :raises ValueError: on a negative depth.
    """
    if isinstance(qos_profile, QoSProfile):
        return qos_profile
    if not isinstance(qos_profile, int) or isinstance(qos_profile, bool):
        raise TypeError(f"Expected QoSProfile or int, got {type(qos_profile)!r}")
    if qos_profile < 0:
        raise ValueError("history depth must be greater than or equal to zero")
    return QoSProfile(depth=qos_profile)


qos_profile_unknown = QoSProfile(
    history=HistoryPolicy.UNKNOWN,
    reliability=ReliabilityPolicy.UNKNOWN,
    durability=DurabilityPolicy.UNKNOWN,
    liveliness=LivelinessPolicy.UNKNOWN,
)
qos_profile_system_default = QoSProfile(
    history=HistoryPolicy.SYSTEM_DEFAULT,
    reliability=ReliabilityPolicy.SYSTEM_DEFAULT,
    durability=DurabilityPolicy.SYSTEM_DEFAULT,
)
qos_profile_sensor_data = QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)
qos_profile_services_default = QoSProfile(depth=10)
qos_profile_parameters = QoSProfile(depth=1000)
qos_profile_parameter_events = QoSProfile(depth=1000)
qos_profile_rosout_default = QoSProfile(
    depth=1000, durability=DurabilityPolicy.TRANSIENT_LOCAL, lifespan=Duration(seconds=10)
)
qos_profile_action_status_default = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
qos_profile_best_available = QoSProfile(
    depth=10,
    reliability=ReliabilityPolicy.BEST_AVAILABLE,
    durability=DurabilityPolicy.BEST_AVAILABLE,
    liveliness=LivelinessPolicy.BEST_AVAILABLE,
)


class QoSPresetProfiles(Enum):
    """The presets by name."""

    UNKNOWN = qos_profile_unknown
    SYSTEM_DEFAULT = qos_profile_system_default
    SENSOR_DATA = qos_profile_sensor_data
    SERVICES_DEFAULT = qos_profile_services_default
    PARAMETERS = qos_profile_parameters
    PARAMETER_EVENTS = qos_profile_parameter_events
    ROSOUT_DEFAULT = qos_profile_rosout_default
    ACTION_STATUS_DEFAULT = qos_profile_action_status_default
    BEST_AVAILABLE = qos_profile_best_available

    @classmethod
    def short_keys(cls) -> list[str]:
        return [preset.name.lower() for preset in cls if preset.name != "UNKNOWN"]

    @classmethod
    def get_from_short_key(cls, name: str) -> QoSProfile:
        return cls[name.upper()].value


class QoSCompatibility(IntEnum):
    """Whether a publisher and a subscription match."""

    OK = 0
    WARNING = 1
    ERROR = 2


def qos_check_compatible(publisher_qos: QoSProfile, subscription_qos: QoSProfile) -> tuple[QoSCompatibility, str]:
    """Says whether a subscription would get a publisher's messages under the rules of DDS, and why not."""
    errors = [text for is_broken, text in _rules(publisher_qos, subscription_qos) if is_broken]
    if errors:
        return QoSCompatibility.ERROR, "".join(f"ERROR: {text};" for text in errors)
    open_policies = [
        f"WARNING: {side} {name} is {getattr(profile, name).name};"
        for side, profile in (("publisher", publisher_qos), ("subscription", subscription_qos))
        for name in ("reliability", "durability")
        if getattr(profile, name).name in ("UNKNOWN", "SYSTEM_DEFAULT")
    ]
    return (QoSCompatibility.WARNING, "".join(open_policies)) if open_policies else (QoSCompatibility.OK, "")


def _rules(pub: QoSProfile, sub: QoSProfile) -> list[tuple[bool, str]]:
    def is_weaker(offered: Duration, asked: Duration) -> bool:
        return (_limit_ns(offered) or Infinite.nanoseconds) > (_limit_ns(asked) or Infinite.nanoseconds)

    return [
        (
            pub.reliability is ReliabilityPolicy.BEST_EFFORT and sub.reliability is ReliabilityPolicy.RELIABLE,
            "Best effort publisher and reliable subscription",
        ),
        (
            pub.durability is DurabilityPolicy.VOLATILE and sub.durability is DurabilityPolicy.TRANSIENT_LOCAL,
            "Volatile publisher and transient local subscription",
        ),
        (is_weaker(pub.deadline, sub.deadline), "Subscription deadline is less than publisher deadline"),
        (
            sub.liveliness is LivelinessPolicy.MANUAL_BY_TOPIC and pub.liveliness is not sub.liveliness,
            "Publisher's liveliness is automatic and subscription's is manual by topic",
        ),
        (
            is_weaker(pub.liveliness_lease_duration, sub.liveliness_lease_duration),
            "Subscription liveliness lease duration is less than publisher liveliness lease duration",
        ),
    ]
