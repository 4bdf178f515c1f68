"""Choice of the backend by RMW_IMPLEMENTATION."""

import pytest

from embedded_ros2.rmw import load_backend


def test_environment_chooses_the_backend(monkeypatch):
    monkeypatch.setenv("RMW_IMPLEMENTATION", "rmw_loopback")
    assert load_backend().identifier == "rmw_loopback"
    monkeypatch.delenv("RMW_IMPLEMENTATION")
    assert load_backend().identifier == "rmw_zenoh_cpp"


def test_backend_is_one_object_per_process():
    assert load_backend("rmw_loopback") is load_backend("rmw_loopback")


def test_unknown_backend_is_refused_with_the_way_out(monkeypatch):
    monkeypatch.setenv("RMW_IMPLEMENTATION", "rmw_fastrtps_cpp")
    with pytest.raises(LookupError, match="rmw_fastrtps_cpp") as caught:
        load_backend()
    assert "rmw_zenoh_cpp" in str(caught.value) and "on the robot" in str(caught.value)
