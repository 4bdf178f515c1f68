"""The process of a physical arm whose library hangs while the arm is made ready."""

from __future__ import annotations

import signal
import subprocess
import sys

PROGRAM = """
import sys, time
from tenon_control import real_arm

class Silent:
    period_s, joint_names, description = 0.008, (), "a device that falls silent"
    def configure(self): real_arm.HANG_S = 0.5
    def activate(self): time.sleep(60.0)
    def detector(self): return None

sys.exit(real_arm.run_arm(lambda _setup: Silent(), ["--ros-args", "-p", "robot:=ur5"]))
"""


def test_library_that_hangs_while_the_arm_is_made_ready_is_ended() -> None:
    """As the arm's launcher expects it: tenon_session.arm_driver starts another one."""
    ended = subprocess.run([sys.executable, "-c", PROGRAM], timeout=50.0, check=False, capture_output=True, text=True)
    assert ended.returncode == -signal.SIGALRM, ended.stderr
