"""Wheels of both kinds carry the .pth file that installs the finder."""

import base64
import hashlib
import importlib.util
import zipfile
from pathlib import Path

import embedded_ros2

ROOT = Path(embedded_ros2.__file__).resolve().parents[1]


def load_backend():
    spec = importlib.util.spec_from_file_location("build_backend", ROOT / "build_backend.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_pth_is_added_with_its_line_in_record(tmp_path):
    wheel = tmp_path / "demo-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("demo/__init__.py", "")
        archive.writestr("demo-1.0.dist-info/RECORD", "demo/__init__.py,,\n")
    load_backend()._add_pth(wheel)
    with zipfile.ZipFile(wheel) as archive:
        line = archive.read("embedded_ros2.pth")
        record = archive.read("demo-1.0.dist-info/RECORD").decode()
        assert sorted(archive.namelist()) == ["demo-1.0.dist-info/RECORD", "demo/__init__.py", "embedded_ros2.pth"]
    digest = base64.urlsafe_b64encode(hashlib.sha256(line).digest()).rstrip(b"=").decode()
    assert f"embedded_ros2.pth,sha256={digest},{len(line)}\n" in record and "demo/__init__.py,,\n" in record
    assert line.decode() == "import embedded_ros2.finder; embedded_ros2.finder.install()\n"
