"""Publishers, subscriptions, services and clients over a Zenoh session."""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import zenoh
import zenoh.ext

from embedded_ros2.rmw import api
from embedded_ros2.rmw.common import LocalPublisher, LocalSubscription, Payload
from embedded_ros2.rmw.zenoh.wire import Attachment, WireError, data_key, unpack_attachment

if TYPE_CHECKING:
    from embedded_ros2.rmw.zenoh.context import ZenohNode

_HEARTBEAT_S = 0.5
"""Period of the heartbeats by which subscribers notice that the last sample of a latched topic was lost."""

_NO_TIMEOUT_S = 10 * 365 * 24 * 3600.0
_GET_RESULT = "/_action/get_result"

_log = logging.getLogger(__name__)


class ZenohEndpoint:
    """An endpoint with its liveliness token, until it is closed."""

    def __init__(self, node: ZenohNode, endpoint: api.Endpoint, token: str) -> None:
        self.endpoint = endpoint
        self.gid = endpoint.gid
        self._node = node
        self._context = node.context
        self._session = node.context.session
        self._token = token
        self._key = data_key(node.context.domain_id, endpoint.name, endpoint.interface)
        # Held while Zenoh's object is used: undeclaring it at that time would raise.
        self._lock = threading.RLock()
        self._is_open = True
        self._liveliness: Any = None

    def announce(self) -> None:
        """Puts the endpoint on the graph, once it is ready to work."""
        self._liveliness = self._session.liveliness().declare_token(self._token)
        self._context.graph.add(self._token, self.endpoint)

    def close(self) -> None:
        with self._lock:
            if not self._is_open:
                return
            self._is_open = False
        self._node.forget(self)
        if self._liveliness is not None:
            self._liveliness.undeclare()
        with self._lock:
            self._undeclare()
        self._context.graph.remove(self._token)

    def _undeclare(self) -> None:
        raise NotImplementedError

    def _require_open(self) -> None:
        if not self._is_open:
            raise RuntimeError(f"{self.endpoint.kind.name.lower()} '{self.endpoint.name}' is closed")

    def _guarded(self, callback: Callable[[Any], None], *, on_own_thread: bool = False) -> Any:
        """A handler that logs what ``callback`` raises.

        It runs on Zenoh's network thread, which saves a hop, or on a thread of its own. Advanced subscribers need the
        latter: they call back with a lock held, and undeclaring an advanced publisher of the same session waits for
        that lock with the interpreter's lock held.
        """

        def handle(argument: Any) -> None:
            if not self._is_open:
                return
            try:
                callback(argument)
            except WireError as error:
                _log.warning("'%s': dropped, it is not of rmw_zenoh_cpp: %s", self.endpoint.name, error)
            except Exception:
                _log.exception("'%s': a callback raised", self.endpoint.name)

        return zenoh.handlers.Callback(handle, indirect=on_own_thread)


def _attachment_of(sample: zenoh.Sample | zenoh.Query) -> Attachment:
    if sample.attachment is None:
        raise WireError("there is no attachment")
    return unpack_attachment(sample.attachment.to_bytes())


class ZenohPublisher(ZenohEndpoint):
    """Publishes to the network, and directly to the subscriptions of the same context."""

    def __init__(self, node: ZenohNode, endpoint: api.Endpoint, token: str) -> None:
        super().__init__(node, endpoint, token)
        qos = endpoint.qos
        self._numbers = itertools.count(1)
        self._local = LocalPublisher(self._context.topics.topic(endpoint.name, endpoint.interface), qos, node.context)
        is_reliable = qos.reliability is api.Reliability.RELIABLE
        must_block = is_reliable and qos.history is api.History.KEEP_ALL
        options: dict[str, Any] = {
            "congestion_control": zenoh.CongestionControl.BLOCK if must_block else zenoh.CongestionControl.DROP,
            "reliability": zenoh.Reliability.RELIABLE if is_reliable else zenoh.Reliability.BEST_EFFORT,
            "allowed_destination": zenoh.Locality.REMOTE,
            # A reading goes out with the others of its turn in one packet; a command waits for nothing.
            "express": is_reliable,
        }
        if qos.durability is api.Durability.TRANSIENT_LOCAL:
            options["cache"] = zenoh.ext.CacheConfig(max(qos.depth, 1))
            options["publisher_detection"] = True
            if is_reliable:
                options["sample_miss_detection"] = zenoh.ext.MissDetectionConfig(
                    heartbeat=None, sporadic_heartbeat=_HEARTBEAT_S
                )
            self._publisher: Any = zenoh.ext.declare_advanced_publisher(self._session, self._key, **options)
        else:
            self._publisher = self._session.declare_publisher(self._key, **options)

    def publish(self, payload: Payload) -> None:
        self._require_open()
        number, now = next(self._numbers), time.time_ns()
        if self._local.has_receivers:
            self._local.deliver(payload, api.MessageInfo(now, now, number, self.gid, from_intra_process=True))
        if isinstance(payload, memoryview):
            payload = bytes(payload)
        with self._lock:
            self._require_open()
            self._publisher.put(payload, attachment=Attachment(number, now, self.gid).pack())

    def _undeclare(self) -> None:
        self._local.close()
        self._publisher.undeclare()


class ZenohSubscription(ZenohEndpoint):
    """Receives from the network, and directly from the publishers of the same context."""

    def __init__(
        self,
        node: ZenohNode,
        endpoint: api.Endpoint,
        token: str,
        on_message: api.MessageCallback,
        *,
        ignore_local: bool,
    ) -> None:
        super().__init__(node, endpoint, token)
        self._on_message = on_message
        topic = self._context.topics.topic(endpoint.name, endpoint.interface)
        self._local = LocalSubscription(topic, endpoint.qos, on_message, node.context, ignore_owner=ignore_local)
        is_latched = endpoint.qos.durability is api.Durability.TRANSIENT_LOCAL
        handler = self._guarded(self._on_sample, on_own_thread=is_latched)
        options: dict[str, Any] = {"allowed_origin": zenoh.Locality.REMOTE}
        if is_latched:
            options |= self._history_options(endpoint.qos)
            self._subscriber: Any = zenoh.ext.declare_advanced_subscriber(self._session, self._key, handler, **options)
        else:
            self._subscriber = self._session.declare_subscriber(self._key, handler, **options)

    @staticmethod
    def _history_options(qos: api.Qos) -> dict[str, Any]:
        depth = None if qos.history is api.History.KEEP_ALL else max(qos.depth, 1)
        options: dict[str, Any] = {
            "subscriber_detection": True,
            "history": zenoh.ext.HistoryConfig(detect_late_publishers=True, max_samples=depth),
        }
        if qos.reliability is api.Reliability.RELIABLE:
            options["recovery"] = zenoh.ext.RecoveryConfig(periodic_queries=None, heartbeat=True)
        return options

    def _on_sample(self, sample: zenoh.Sample) -> None:
        received_ns = time.time_ns()
        attachment = _attachment_of(sample)
        # The caches of this session's own publishers answer too; their samples have been delivered directly.
        if attachment.gid in self._context.publisher_gids:
            return
        info = api.MessageInfo(attachment.source_timestamp_ns, received_ns, attachment.sequence_number, attachment.gid)
        self._on_message(sample.payload.to_bytes(), info)

    def _undeclare(self) -> None:
        self._local.close()
        self._subscriber.undeclare()


class ZenohService(ZenohEndpoint):
    """Answers requests; a request stays open until its response is sent or its RequestId is dropped."""

    def __init__(self, node: ZenohNode, endpoint: api.Endpoint, token: str, on_request: api.RequestCallback) -> None:
        super().__init__(node, endpoint, token)
        self._on_request = on_request
        self._queryable = self._session.declare_queryable(self._key, self._guarded(self._on_query), complete=True)

    def send_response(self, request: api.RequestId, payload: bytes | bytearray) -> None:
        self._require_open()
        query: Any = request.token
        attachment = Attachment(request.sequence_number, time.time_ns(), request.client_gid)
        try:
            query.reply(self._key, payload, attachment=attachment.pack())
        finally:
            query.drop()

    def _on_query(self, query: zenoh.Query) -> None:
        try:
            attachment = _attachment_of(query)
            if query.payload is None:
                raise WireError("the request has no payload")
            number, timestamp_ns = attachment.sequence_number, attachment.source_timestamp_ns
            request = api.RequestId(attachment.gid, number, timestamp_ns, token=query)
            self._on_request(query.payload.to_bytes(), request)
        except Exception:
            # The client would wait for as long as anything held the query.
            query.drop()  # type: ignore[no-untyped-call]
            raise

    def _undeclare(self) -> None:
        self._queryable.undeclare()  # type: ignore[no-untyped-call]


class ZenohClient(ZenohEndpoint):
    """Sends requests to every server of the service and hands over what they answer."""

    def __init__(self, node: ZenohNode, endpoint: api.Endpoint, token: str, on_response: api.ResponseCallback) -> None:
        super().__init__(node, endpoint, token)
        self._on_response = on_response
        self._numbers = itertools.count(1)
        # An action may run for hours before its result is there.
        timeout: dict[str, Any] = {"timeout": _NO_TIMEOUT_S} if endpoint.name.endswith(_GET_RESULT) else {}
        self._querier = self._session.declare_querier(
            self._key,
            target=zenoh.QueryTarget.ALL_COMPLETE,
            consolidation=zenoh.ConsolidationMode.NONE,
            express=True,
            **timeout,
        )

    def send_request(self, payload: bytes | bytearray) -> int:
        number = next(self._numbers)
        attachment = Attachment(number, time.time_ns(), self.gid)
        with self._lock:
            self._require_open()
            self._querier.get(self._guarded(self._on_reply), payload=payload, attachment=attachment.pack())
        return number

    def _on_reply(self, reply: zenoh.Reply) -> None:
        if reply.ok is None:
            reason = reply.err.payload.to_string() if reply.err else "no reason given"
            _log.warning("'%s': a request failed: %s", self.endpoint.name, reason)
            return
        attachment = _attachment_of(reply.ok)
        if attachment.gid == self.gid:
            self._on_response(reply.ok.payload.to_bytes(), attachment.sequence_number)

    def _undeclare(self) -> None:
        self._querier.undeclare()  # type: ignore[no-untyped-call]
