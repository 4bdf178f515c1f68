"""What recordings say of message types, on the embedded ROS 2 and on a real one."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from sensor_msgs.msg import JointState

from tenon_graph import interfaces


def test_hash_of_the_embedded_ros_is_known() -> None:
    assert interfaces.type_hash(JointState).startswith("RIHS01_")


def test_hash_of_a_real_ros_stands_beside_the_definition(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "embedded_ros2.interfaces", None)
    monkeypatch.setattr(interfaces, "get_package_share_directory", lambda package: str(tmp_path / package))
    assert interfaces.type_hash(JointState) == ""
    description = tmp_path / "sensor_msgs" / "msg" / "JointState.json"
    description.parent.mkdir(parents=True)
    hashes = [{"type_name": "sensor_msgs/msg/JointState", "hash_string": "RIHS01_abc"}]
    description.write_text(json.dumps({"type_hashes": hashes}))
    assert interfaces.type_hash(JointState) == "RIHS01_abc"
