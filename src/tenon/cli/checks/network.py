"""The router's port and the ROS domain."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping

from tenon.cli.checks.finding import Finding, error, ok, warning

ROUTER_HOST = "127.0.0.1"
ROUTER_PORT = 7447
CONNECT_TIMEOUT_S = 1.0
DOMAIN_MAX = 232
"""Above it DDS has no ports left; rmw_zenoh_cpp keeps to the same range."""


def check_router_port(is_router: Callable[[int], bool], *, host: str = ROUTER_HOST, port: int = ROUTER_PORT) -> Finding:
    """Whether the router's port is free, held by a Zenoh router, or held by something else.

    is_router: asks whoever holds the port whether it speaks Zenoh.
    """
    check = "router port"
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(CONNECT_TIMEOUT_S)
        if probe.connect_ex((host, port)) != 0:
            return ok(check, f"{host}:{port} is free; a session starts the router")
    if is_router(port):
        return ok(check, f"a Zenoh router answers on {host}:{port}; sessions use it")
    return error(
        check,
        f"{host}:{port} is held by a program that is no Zenoh router{_holder(port)}",
        f"stop that program (who it is: sudo ss -ltnp 'sport = :{port}'), or point all nodes elsewhere with "
        "ZENOH_CONFIG_OVERRIDE='connect/endpoints=[\"tcp/localhost:7448\"]'",
    )


def _holder(port: int) -> str:
    import psutil

    try:
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port and connection.pid:
                return f" ({psutil.Process(connection.pid).name()}, process {connection.pid})"
    except psutil.Error:
        return ""  # other people's sockets are shown to root only
    return ""


def check_domain(environment: Mapping[str, str]) -> Finding:
    text = environment.get("ROS_DOMAIN_ID", "0") or "0"
    check = "ROS_DOMAIN_ID"
    if not text.isdecimal() or not 0 <= int(text) <= DOMAIN_MAX:
        return error(check, repr(text), f"set a whole number from 0 to {DOMAIN_MAX}")
    return ok(check, text)


def check_other_sessions(nodes: list[str]) -> Finding:
    """nodes: names of the nodes that are on the graph of this domain now."""
    check = "running session"
    if not nodes:
        return ok(check, "the domain is empty")
    return warning(
        check,
        f"{len(nodes)} nodes are on this domain: {', '.join(sorted(nodes)[:6])}{' ...' if len(nodes) > 6 else ''}",
        "a second session needs a domain of its own: ROS_DOMAIN_ID=1 tenon session run ...",
    )
