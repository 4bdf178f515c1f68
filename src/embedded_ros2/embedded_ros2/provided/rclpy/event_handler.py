"""QoS events, as in rclpy. The embedded middleware raises none, so that no callback for one can be set."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ._unsupported import UnsupportedFeature


class _EventCallbacks:
    """Holds what rclpy's class of the same purpose holds; each callback that is given is refused by name."""

    def __init__(self, *, use_default_callbacks: bool, **callbacks: Callable[[Any], None] | None) -> None:
        self.use_default_callbacks = use_default_callbacks
        for name, callback in callbacks.items():
            if callback is not None:
                raise UnsupportedFeature(f"the QoS event callback '{name}' of {type(self).__name__}")


class PublisherEventCallbacks(_EventCallbacks):
    """Callbacks for QoS events of a publisher.

    :raises UnsupportedFeature: when one is given.
    """

    def __init__(
        self,
        *,
        deadline: Callable[[Any], None] | None = None,
        liveliness: Callable[[Any], None] | None = None,
        incompatible_qos: Callable[[Any], None] | None = None,
        incompatible_type: Callable[[Any], None] | None = None,
        matched: Callable[[Any], None] | None = None,
        use_default_callbacks: bool = True,
    ) -> None:
        super().__init__(
            use_default_callbacks=use_default_callbacks,
            deadline=deadline,
            liveliness=liveliness,
            incompatible_qos=incompatible_qos,
            incompatible_type=incompatible_type,
            matched=matched,
        )


class SubscriptionEventCallbacks(_EventCallbacks):
    """Callbacks for QoS events of a subscription.

    :raises UnsupportedFeature: when one is given.
    """

    def __init__(
        self,
        *,
        deadline: Callable[[Any], None] | None = None,
        incompatible_qos: Callable[[Any], None] | None = None,
        incompatible_type: Callable[[Any], None] | None = None,
        liveliness: Callable[[Any], None] | None = None,
        message_lost: Callable[[Any], None] | None = None,
        matched: Callable[[Any], None] | None = None,
        use_default_callbacks: bool = True,
    ) -> None:
        super().__init__(
            use_default_callbacks=use_default_callbacks,
            deadline=deadline,
            incompatible_qos=incompatible_qos,
            incompatible_type=incompatible_type,
            liveliness=liveliness,
            message_lost=message_lost,
            matched=matched,
        )
