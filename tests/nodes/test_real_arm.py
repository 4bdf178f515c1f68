"""The process of a physical arm, where the device or its library is in trouble."""

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


STOPPED = """
import os, sys
from tenon.control.drivers import ArmFaultError, ArmFaultKind
from tenon_control import real_arm

class Stopped:
    period_s, joint_names, description = 0.008, (), "a device that stops"
    def configure(self): pass
    def activate(self): pass
    def detector(self): return None
    def read(self): raise ArmFaultError(ArmFaultKind.PROTECTIVE_STOP, "it touches something")
    def let_go(self): print("let go", flush=True)
    def recover(self): os._exit(0)

real_arm.RealArm._tell = lambda arm: print("fault" if arm._fault else "well", flush=True)
real_arm.run_arm(lambda _setup: Stopped(), ["--ros-args", "-p", "robot:=ur5"])
"""


def test_fault_is_told_before_a_connection_that_takes_long_to_end_is_let_go() -> None:
    """The other way round the supervisor would latch stale_state, and send a person to look at the cable."""
    ended = subprocess.run([sys.executable, "-c", STOPPED], timeout=50.0, check=False, capture_output=True, text=True)
    assert ended.stdout.split("\n") == ["well", "fault", "let go", ""], ended.stderr
