"""A ROS package made for the test, and launch files."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

PACKAGE = "launch_test_package"


@pytest.fixture
def add_executable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Adds an executable to the package ``launch_test_package``: a shell script of the given lines."""
    prefix = tmp_path / "prefix"
    marker = prefix / "share/ament_index/resource_index/packages" / PACKAGE
    marker.parent.mkdir(parents=True)
    marker.touch()
    (prefix / "share" / PACKAGE).mkdir()
    (prefix / "lib" / PACKAGE).mkdir(parents=True)
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(prefix))

    def add(name: str, script: str) -> None:
        file = prefix / "lib" / PACKAGE / name
        file.write_text(f"#!/bin/sh\n{textwrap.dedent(script)}")
        file.chmod(0o755)

    add("talker", "echo talking")
    return add


@pytest.fixture
def write(tmp_path: Path, add_executable: object) -> Callable[..., Path]:
    """Writes a launch file and returns its path."""

    def write_file(content: str, name: str = "test.launch.yaml") -> Path:
        file = tmp_path / name
        file.write_text(textwrap.dedent(content))
        return file

    return write_file
