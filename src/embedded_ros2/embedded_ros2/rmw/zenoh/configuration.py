"""Configuration of Zenoh sessions and routers, with the defaults and environment variables of rmw_zenoh_cpp.

``ZENOH_SESSION_CONFIG_URI`` and ``ZENOH_ROUTER_CONFIG_URI`` name JSON5 files that replace the defaults;
``ZENOH_CONFIG_OVERRIDE`` changes single values after that: ``key/path=value;key/path=value``, the values as JSON5.
"""

from __future__ import annotations

import json
import os

import zenoh

DEFAULT_ENDPOINT = "tcp/localhost:7447"
SESSION_FILE_VARIABLE = "ZENOH_SESSION_CONFIG_URI"
ROUTER_FILE_VARIABLE = "ZENOH_ROUTER_CONFIG_URI"
OVERRIDE_VARIABLE = "ZENOH_CONFIG_OVERRIDE"

# DEFAULT_RMW_ZENOH_SESSION_CONFIG.json5, where it differs from Zenoh's own defaults. Shared memory is off there; here
# it is on, and two sessions use it only if both of them offer it.
_COMMON = {
    "scouting/multicast/enabled": False,
    "scouting/delay": 100,
    "scouting/gossip/enabled": True,
    "scouting/gossip/target": {"router": ["router", "peer"], "peer": ["router"]},
    "timestamping/enabled": {"router": True, "peer": True, "client": True},
    "queries_default_timeout": 600_000,
    "transport/unicast/open_timeout": 60_000,
    "transport/unicast/accept_timeout": 60_000,
    "transport/unicast/accept_pending": 10_000,
    "transport/unicast/max_sessions": 10_000,
    "transport/link/tx/lease": 60_000,
    "transport/link/tx/keep_alive": 2,
    "transport/link/tx/queue/congestion_control/block/wait_before_close": 60_000_000,
    # Every express message takes a batch of its own, and two batches overflow at once when a busy machine does not
    # schedule the sending thread: a burst of small messages was lost in 1 ms.
    "transport/link/tx/queue/size/data": 16,
    "transport/link/tx/queue/congestion_control/drop/wait_before_drop": 50_000,
    "transport/shared_memory/enabled": True,
    "transport/shared_memory/transport_optimization/enabled": True,
    "transport/shared_memory/transport_optimization/pool_size": 48 * 1024 * 1024,
    "transport/shared_memory/transport_optimization/message_size_threshold": 16 * 1024,
}
_SESSION = _COMMON | {
    "mode": "peer",
    "connect/endpoints": [DEFAULT_ENDPOINT],
    "listen/endpoints": ["tcp/localhost:0"],
    "scouting/gossip/autoconnect_strategy": {"peer": {"to_router": "always", "to_peer": "greater-zid"}},
}
_ROUTER = _COMMON | {"mode": "router", "routing/router/peers_failover_brokering": False}


class ConfigurationError(ValueError):
    """A configuration that Zenoh does not accept; the message names the variable or file it came from."""


def session_config() -> zenoh.Config:
    """The configuration of a context's session, from the environment. Raises ConfigurationError."""
    config = _base(SESSION_FILE_VARIABLE, _SESSION)
    _override(config)
    return config


def router_config(endpoint: str | None = None) -> zenoh.Config:
    """The configuration of a router that listens on ``endpoint`` (default: tcp/localhost:7447, this machine only).

    The overrides of the environment are made for sessions, whose endpoints are the other way round: a router takes
    all of them but those.
    """
    config = _base(ROUTER_FILE_VARIABLE, _ROUTER)
    if endpoint or ROUTER_FILE_VARIABLE not in os.environ:
        _insert(config, "listen/endpoints", json.dumps([endpoint or DEFAULT_ENDPOINT]), "the endpoint given")
    _override(config, but=("mode", "connect/endpoints", "listen/endpoints"))
    return config


def router_endpoints(config: zenoh.Config) -> list[str]:
    """Where a session with this configuration looks for a router."""
    endpoints = json.loads(config.get_json("connect/endpoints"))
    if isinstance(endpoints, dict):
        endpoints = endpoints.get(json.loads(config.get_json("mode")), [])
    return list(endpoints)


def _base(variable: str, defaults: dict[str, object]) -> zenoh.Config:
    path = os.environ.get(variable)
    if path:
        try:
            return zenoh.Config.from_file(path)
        except (zenoh.ZError, OSError) as error:
            raise ConfigurationError(f"{variable}={path} cannot be used: {error}") from None
    config = zenoh.Config()
    for key, value in defaults.items():
        _insert(config, key, json.dumps(value), "the defaults")
    return config


def _override(config: zenoh.Config, but: tuple[str, ...] = ()) -> None:
    for entry in filter(None, (part.strip() for part in os.environ.get(OVERRIDE_VARIABLE, "").split(";"))):
        key, separator, value = entry.partition("=")
        if not separator:
            raise ConfigurationError(
                f"{OVERRIDE_VARIABLE}: '{entry}' has no '='; it reads key/path=value;key/path=value"
            )
        if key.strip() not in but:
            _insert(config, key.strip(), value.strip(), OVERRIDE_VARIABLE)


def _insert(config: zenoh.Config, key: str, value: str, origin: str) -> None:
    try:
        config.insert_json5(key, value)
    except zenoh.ZError as error:
        raise ConfigurationError(f"{origin}: Zenoh does not accept {key}={value}: {error}") from None
