"""The router that sessions find each other through."""

import socket
import subprocess
import sys

import pytest

from embedded_ros2.rmw.zenoh.configuration import OVERRIDE_VARIABLE
from embedded_ros2.rmw.zenoh.router import RouterError, RouterProcess, _accepts, _address, ensure_router

_SHORT_LIVED = """
from embedded_ros2.rmw.zenoh.router import ensure_router
router = ensure_router()
print(router is not None, flush=True)
import os
os.kill(os.getpid(), 9)
"""


@pytest.fixture
def endpoint(free_endpoint, monkeypatch):
    chosen = free_endpoint()
    monkeypatch.setenv(OVERRIDE_VARIABLE, f'connect/endpoints=["{chosen}"]')
    return chosen


def test_router_is_started_once_and_ends_when_closed(endpoint, wait_until):
    router = ensure_router()
    assert router is not None and router.endpoint == endpoint
    assert ensure_router() is None
    router.close()
    router.close()
    wait_until(lambda: not _accepts(_address(endpoint)))


def test_router_ends_with_the_process_that_started_it(endpoint, wait_until):
    result = subprocess.run([sys.executable, "-c", _SHORT_LIVED], stdout=subprocess.PIPE, text=True)
    assert result.stdout.strip() == "True"
    wait_until(lambda: not _accepts(_address(endpoint)))


@pytest.fixture
def foreign_server(endpoint):
    """Something that listens on the router's port and speaks no Zenoh."""
    with socket.create_server(("localhost", _address(endpoint)[1])):
        yield endpoint


def test_port_of_another_program_is_a_clear_error(foreign_server):
    with pytest.raises(RouterError, match="taken by a program that is none") as caught:
        ensure_router()
    assert foreign_server in str(caught.value) and "ss -ltnp" in str(caught.value)


def test_command_exits_with_an_error_where_its_port_is_taken(foreign_server):
    with RouterProcess(foreign_server) as router:
        assert "taken by a program that is none" in router.error_output()
        assert router._process.returncode == 1


def test_no_router_is_started_for_another_machine(monkeypatch):
    monkeypatch.setenv(OVERRIDE_VARIABLE, 'connect/endpoints=["tcp/192.0.2.1:7447"]')
    assert ensure_router() is None
