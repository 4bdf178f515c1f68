"""The subscribing end of a topic: one connection per publisher, each restored for as long as the master lists it."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from tenon_sawyer.ros1.messages import Message, SerializationError, decode
from tenon_sawyer.ros1.wire import (
    WireError,
    describe,
    encode_header,
    hang_up,
    prepare,
    read_frame,
    read_header,
)
from tenon_sawyer.ros1.xmlrpc import CallError, call

LOG = logging.getLogger(__name__)
RETRY_S = 0.2
RETRY_LIMIT_S = 2.0
Callback = Callable[[Any], None]


@dataclass(slots=True)
class SubscriptionCounters:
    """received: messages. connects: connections made, the first one included. garbage: what was no message."""

    received: int = 0
    connects: int = 0
    garbage: int = 0


class Subscription:
    """One type on one topic, for any number of callbacks, which run on the threads that receive."""

    def __init__(self, topic: str, kind: type[Message], caller: str, timeout_s: float) -> None:
        self.topic, self.kind = topic, kind
        self._caller = caller
        self._timeout_s = timeout_s
        self._callbacks: list[Callback] = []
        self._lock = threading.Lock()
        self._readers: dict[str, _Reader] = {}
        self.counters = SubscriptionCounters()
        self.updates = 0
        """How often the master has told of other publishers by itself."""
        self.problem = ""
        """Why a publisher could not be heard, the last time that happened; empty after a message."""

    @property
    def connections(self) -> int:
        """How many publishers are connected."""
        return sum(reader.connected for reader in list(self._readers.values()))

    def add(self, callback: Callback) -> None:
        """It gets what publishers hold for those who come later, also where the connection is there already."""
        with self._lock:
            self._callbacks = [*self._callbacks, callback]
            latched = [reader.latched for reader in self._readers.values() if reader.latched is not None]
        for message in latched:
            self._call(callback, message)

    def remove(self, callback: Callback) -> bool:
        """Whether callbacks are left."""
        with self._lock:
            self._callbacks = [other for other in self._callbacks if other != callback]
            return bool(self._callbacks)

    def update(self, uris: Iterable[str]) -> None:
        """Connects to publishers that are new, hangs up on those that are gone. uris: what the master lists."""
        wanted = set(uris)
        with self._lock:
            gone = [self._readers.pop(uri) for uri in list(self._readers) if uri not in wanted]
            for uri in sorted(wanted - set(self._readers)):
                self._readers[uri] = _Reader(self, uri, self._caller, self._timeout_s)
        for reader in gone:
            reader.close()

    def deliver(self, message: Any) -> None:
        """Hands one message to the callbacks."""
        self.counters.received += 1
        self.problem = ""
        for callback in self._callbacks:
            self._call(callback, message)

    def _call(self, callback: Callback, message: Any) -> None:
        try:
            callback(message)
        except Exception:  # one listener's mistake must not deafen the others
            LOG.exception("a callback for %s failed", self.topic)

    def close(self) -> None:
        self.update(())


class _Reader:
    """The thread that listens to one publisher."""

    def __init__(self, owner: Subscription, uri: str, caller: str, timeout_s: float) -> None:
        self._owner, self._uri, self._caller, self._timeout_s = owner, uri, caller, timeout_s
        self._stopped = threading.Event()
        self._connection: socket.socket | None = None
        self.connected = False
        self.latched: Any = None
        """The last message of a publisher that latches."""
        self._thread = threading.Thread(target=self._run, daemon=True, name=f"sub{owner.topic}")
        self._thread.start()

    def close(self) -> None:
        self._stopped.set()
        connection = self._connection
        if connection is not None:
            hang_up(connection)
        if threading.current_thread() is not self._thread:
            self._thread.join(self._timeout_s)

    def _run(self) -> None:
        wait_s = RETRY_S
        while not self._stopped.is_set():
            before = self._owner.counters.received
            try:
                self._listen()
            except (SerializationError, WireError) as error:
                self._owner.counters.garbage += 1
                self._complain(error)
            except (OSError, CallError) as error:
                self._complain(error)
            wait_s = RETRY_S if self._owner.counters.received > before else min(2 * wait_s, RETRY_LIMIT_S)
            self._stopped.wait(wait_s)

    def _complain(self, error: Exception) -> None:
        if not self._stopped.is_set():
            self._owner.problem = f"{self._owner.topic} from {self._uri}: {error}"
            LOG.debug("%s", self._owner.problem)

    def _listen(self) -> None:
        owner = self._owner
        answer = call(self._uri, "requestTopic", self._caller, owner.topic, [["TCPROS"]], timeout_s=self._timeout_s)
        if not (isinstance(answer, list) and len(answer) == 3 and answer[0] == "TCPROS"):
            raise WireError(f"the publisher offers {answer!r} instead of TCPROS")
        connection = socket.create_connection((answer[1], answer[2]), self._timeout_s)
        try:
            self._connection = connection
            prepare(connection, silence_s=self._timeout_s)
            latches = self._shake_hands(connection).get("latching") == "1"
            connection.settimeout(None)
            self.connected = True
            owner.counters.connects += 1
            while not self._stopped.is_set():
                message = decode(owner.kind, read_frame(connection))
                self.latched = message if latches else None
                owner.deliver(message)
        finally:
            self.connected, self._connection, self.latched = False, None, None
            hang_up(connection)

    def _shake_hands(self, connection: socket.socket) -> dict[str, str]:
        """The publisher's header. Raises WireError, OSError."""
        owner = self._owner
        hello = {"callerid": self._caller, "topic": owner.topic, "tcp_nodelay": "1", **describe(owner.kind)}
        connection.sendall(encode_header(hello))
        answer = read_header(connection)
        if "error" in answer:
            raise WireError(f"the publisher refuses: {answer['error']}")
        if answer.get("md5sum") != owner.kind._md5sum:
            raise WireError(
                f"the publisher sends {answer.get('type')} with md5 {answer.get('md5sum')}, "
                f"{owner.kind._type} has md5 {owner.kind._md5sum}: the robot's software is of another version"
            )
        return answer
