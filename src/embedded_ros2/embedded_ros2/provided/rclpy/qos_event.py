"""The former name of ``rclpy.event_handler``, which nodes still import."""

from .event_handler import PublisherEventCallbacks as PublisherEventCallbacks
from .event_handler import SubscriptionEventCallbacks as SubscriptionEventCallbacks
