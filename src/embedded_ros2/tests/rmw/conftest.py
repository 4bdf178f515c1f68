"""A router of its own for each test run, so that runs side by side never meet."""

import itertools
import socket
import time

import pytest

from embedded_ros2.rmw import load_backend
from embedded_ros2.rmw.zenoh.configuration import OVERRIDE_VARIABLE
from embedded_ros2.rmw.zenoh.router import RouterProcess, _accepts, _address

_TIMEOUT_S = 30.0
_domains = itertools.count(1)


@pytest.fixture(scope="session")
def free_endpoint():
    """Gives endpoints on ports that nothing listens on."""

    def pick() -> str:
        with socket.socket() as probe:
            probe.bind(("localhost", 0))
            return f"tcp/localhost:{probe.getsockname()[1]}"

    return pick


@pytest.fixture(scope="session")
def router_endpoint(free_endpoint):
    endpoint = free_endpoint()
    with RouterProcess(endpoint) as router:
        wait_until(lambda: _accepts(_address(endpoint)) or router.has_ended)
        assert not router.has_ended, router.error_output()
        yield endpoint


@pytest.fixture
def zenoh_environment(router_endpoint, monkeypatch):
    """Sessions of this process and its children use the test run's router."""
    monkeypatch.setenv(OVERRIDE_VARIABLE, f'connect/endpoints=["{router_endpoint}"]')
    for variable in ("ZENOH_SESSION_CONFIG_URI", "ZENOH_ROUTER_CONFIG_URI", "ROS_DISTRO"):
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture(params=["rmw_loopback", "rmw_zenoh_cpp"])
def backend(request):
    if request.param == "rmw_zenoh_cpp":
        request.getfixturevalue("zenoh_environment")
    return load_backend(request.param)


@pytest.fixture
def open_context(backend):
    """Opens contexts in a domain that no other test uses, and closes them."""
    domain = next(_domains)
    contexts = []

    def open_one(domain_id=domain):
        contexts.append(backend.open_context(domain_id))
        return contexts[-1]

    yield open_one
    for context in contexts:
        context.close()


def wait_until(condition, timeout_s=_TIMEOUT_S):
    """Waits until ``condition()`` is true; fails after the timeout."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "timed out"
        time.sleep(0.002)


@pytest.fixture(name="wait_until")
def wait_until_fixture():
    return wait_until
