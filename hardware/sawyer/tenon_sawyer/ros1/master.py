"""A ROS 1 master with parameter server, for the emulator: what a robot's own computer runs."""

from __future__ import annotations

import logging
import os
import threading
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from tenon_sawyer.ros1.xmlrpc import FAILURE, SUCCESS, CallError, Server, call

LOG = logging.getLogger(__name__)
UPDATE_TIMEOUT_S = 2.0
UNTYPED = "*"
Answer = tuple[int, str, Any]


class Master:
    """Keeps who publishes, subscribes and serves what, and tells subscribers of their publishers."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0, *, parameters: dict[str, Any] | None = None) -> None:
        """parameters: by full name. Raises OSError where the port is taken."""
        self._lock = threading.RLock()
        self._nodes: dict[str, str] = {}
        self._publishers: dict[str, dict[str, str]] = defaultdict(dict)
        self._subscribers: dict[str, dict[str, str]] = defaultdict(dict)
        self._services: dict[str, tuple[str, str]] = {}
        self._types: dict[str, str] = {}
        self._parameters = dict(parameters or {})
        self._server = Server(host, self._methods(), port=port)
        self.uri, self.port = self._server.uri, self._server.port

    def close(self) -> None:
        self._server.close()

    def _methods(self) -> dict[str, Callable[..., Answer]]:
        return {
            "registerPublisher": self._register_publisher,
            "registerSubscriber": self._register_subscriber,
            "registerService": self._register_service,
            "unregisterPublisher": self._unregister_publisher,
            "unregisterSubscriber": self._unregister_subscriber,
            "unregisterService": self._unregister_service,
            "lookupNode": self._lookup_node,
            "lookupService": self._lookup_service,
            "getPublishedTopics": self._published_topics,
            "getTopicTypes": lambda caller: (SUCCESS, "", [[t, kind] for t, kind in list(self._types.items())]),
            "getSystemState": self._system_state,
            "getUri": lambda caller: (SUCCESS, "", self.uri),
            "getPid": lambda caller: (SUCCESS, "", os.getpid()),
            "getParam": self._get_parameter,
            "setParam": self._set_parameter,
            "hasParam": lambda caller, key: (SUCCESS, "", self._find(key) is not None),
            "getParamNames": lambda caller: (SUCCESS, "", sorted(self._parameters)),
            "searchParam": lambda caller, key: (SUCCESS, "", f"/{key.strip('/')}"),
            "deleteParam": self._delete_parameter,
        }

    def _register_publisher(self, caller: str, topic: str, kind: str, uri: str) -> Answer:
        with self._lock:
            self._nodes[caller] = uri
            self._publishers[topic][caller] = uri
            self._types[topic] = kind
            subscribers = list(self._subscribers[topic].values())
            self._tell_subscribers(topic)
        return SUCCESS, "", subscribers

    def _register_subscriber(self, caller: str, topic: str, kind: str, uri: str) -> Answer:
        with self._lock:
            self._nodes[caller] = uri
            self._subscribers[topic][caller] = uri
            if kind != UNTYPED:
                self._types.setdefault(topic, kind)
            return SUCCESS, "", list(self._publishers[topic].values())

    def _register_service(self, caller: str, name: str, service_uri: str, uri: str) -> Answer:
        with self._lock:
            self._nodes[caller] = uri
            self._services[name] = (caller, service_uri)
        return SUCCESS, "", 1

    def _unregister_publisher(self, caller: str, topic: str, uri: str) -> Answer:
        with self._lock:
            known = self._publishers[topic].pop(caller, None) is not None
            if known:
                self._tell_subscribers(topic)
        return SUCCESS, "", int(known)

    def _unregister_subscriber(self, caller: str, topic: str, uri: str) -> Answer:
        with self._lock:
            return SUCCESS, "", int(self._subscribers[topic].pop(caller, None) is not None)

    def _unregister_service(self, caller: str, name: str, service_uri: str) -> Answer:
        with self._lock:
            known = self._services.get(name) == (caller, service_uri)
            if known:
                del self._services[name]
        return SUCCESS, "", int(known)

    def _lookup_node(self, caller: str, name: str) -> Answer:
        uri = self._nodes.get(name)
        return (FAILURE, f"no node {name}", "") if uri is None else (SUCCESS, "", uri)

    def _lookup_service(self, caller: str, name: str) -> Answer:
        found = self._services.get(name)
        return (FAILURE, f"no service {name}", "") if found is None else (SUCCESS, "", found[1])

    def _published_topics(self, caller: str, below: str) -> Answer:
        with self._lock:
            topics = [t for t, nodes in self._publishers.items() if nodes and t.startswith(below)]
            return SUCCESS, "", [[topic, self._types[topic]] for topic in topics]

    def _system_state(self, caller: str) -> Answer:
        with self._lock:
            publishers = [[t, sorted(nodes)] for t, nodes in self._publishers.items() if nodes]
            subscribers = [[t, sorted(nodes)] for t, nodes in self._subscribers.items() if nodes]
            services = [[name, [node]] for name, (node, _) in self._services.items()]
        return SUCCESS, "", [publishers, subscribers, services]

    def _find(self, key: str) -> Any:
        """A parameter, or a dictionary of all below it."""
        key = f"/{key.strip('/')}"
        if key in self._parameters:
            return self._parameters[key]
        tree: dict[str, Any] = {}
        for name, value in self._parameters.items():
            if name.startswith(key.rstrip("/") + "/"):
                *folders, leaf = name[len(key.rstrip("/")) + 1 :].split("/")
                branch = tree
                for folder in folders:
                    branch = branch.setdefault(folder, {})
                branch[leaf] = value
        return tree or None

    def _get_parameter(self, caller: str, key: str) -> Answer:
        value = self._find(key)
        return (FAILURE, f"parameter {key} is not set", 0) if value is None else (SUCCESS, "", value)

    def _set_parameter(self, caller: str, key: str, value: Any) -> Answer:
        self._parameters[f"/{key.strip('/')}"] = value
        return SUCCESS, "", 0

    def _delete_parameter(self, caller: str, key: str) -> Answer:
        known = self._parameters.pop(f"/{key.strip('/')}", None) is not None
        return (SUCCESS, "", 0) if known else (FAILURE, f"parameter {key} is not set", 0)

    def _tell_subscribers(self, topic: str) -> None:
        """On threads of their own: a subscriber that is gone must not hold the others up."""
        for node, uri in list(self._subscribers[topic].items()):
            threading.Thread(target=self._tell, args=(node, uri, topic), daemon=True).start()

    def _tell(self, node: str, uri: str, topic: str) -> None:
        with self._lock:
            uris = list(self._publishers[topic].values())
        try:
            call(uri, "publisherUpdate", "/master", topic, uris, timeout_s=UPDATE_TIMEOUT_S)
        except CallError as error:
            LOG.debug("%s is not told of %s: %s", node, topic, error)
