"""The session manager of a graph that came up without `tenon session run`, which says what is missing beforehand."""

from __future__ import annotations

import subprocess
import sys


def test_launched_session_does_not_send_a_real_arm_to_the_goal_of_a_simulation() -> None:
    """Without this node nothing commands the arm; its driver runs alone, for what teaches the goal needs it."""
    given = ["--ros-args", "-p", "session:=sim", "-p", "robot:=ur5", "-p", "task:=usb"]
    command = [sys.executable, "-m", "tenon_session.session_manager", *given]
    ended = subprocess.run(command, timeout=50.0, check=False, capture_output=True, text=True)
    assert ended.returncode == 2, ended.stderr
    assert "error: robot 'ur5' is a real arm, and session 'sim' names no taught goal" in ended.stderr
