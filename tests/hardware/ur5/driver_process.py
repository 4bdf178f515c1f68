"""A UR5's driver in a process of its own, as tenon_session.arm_driver has it: ur-rtde may bring its process down.

Where a controller ends a connection and takes a new one at once, the library's receiving thread connects anew while
``disconnect`` waits for that very thread; some of these races end in a segmentation fault.

Run as a program, with the number of its end of the pipe, it is that process.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import subprocess
import sys
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any

from tenon.configuration.arm import ArmConfig
from tenon.control.drivers import ArmFaultError, ArmFaultKind, ArmProcessError, DriverError, DriverState
from tenon.control.loop import SetPoint
from tenon.control.types import Pose, RobotState
from tenon_graph.scheduling import ARM_PRIORITY, prefer_realtime
from tenon_session.arm_driver import CRASHES
from tenon_ur5.config import DriverSettings

ANSWER_S = 60.0


class LibraryCrashError(AssertionError):
    """The library has brought the driver's process down."""


class DriverProcess:
    """The driver's own words; ``recover`` starts another process where the library has ended the last one."""

    def __init__(self, settings: DriverSettings, arm: ArmConfig, tool: Pose) -> None:
        self.settings = settings
        self._made_of = (settings, arm, tool)
        self._start()

    def __enter__(self) -> DriverProcess:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with contextlib.suppress(LibraryCrashError, ArmFaultError):
            self.close()
        self._pipe.close()
        try:
            self._process.wait(ANSWER_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    @property
    def state(self) -> DriverState:
        found: DriverState = self._ask("state")
        return found

    @property
    def description(self) -> str:
        return str(self._ask("description"))

    @property
    def period_s(self) -> float:
        return self.settings.period_s

    def configure(self) -> None:
        self._ask("configure")

    def activate(self) -> None:
        self._ask("activate")

    def deactivate(self) -> None:
        self._ask("deactivate")

    def close(self) -> None:
        self._ask("close")

    def read(self) -> RobotState:
        found: RobotState = self._ask("read")
        return found

    def write(self, set_point: SetPoint) -> None:
        self._ask("write", set_point)

    def detector(self) -> bool | None:
        found: bool | None = self._ask("detector")
        return found

    def guide(self, *, by_hand: bool) -> None:
        self._ask("guide", by_hand=by_hand)

    def grasp(self, *, closed: bool) -> bool:
        return bool(self._ask("grasp", closed=closed))

    def recover(self) -> None:
        if self._process.poll() is None:
            self._ask("recover")
        else:
            self._start()
            self.configure()
            self.activate()

    def _start(self) -> None:
        self._pipe, theirs = multiprocessing.Pipe()
        number = theirs.fileno()
        self._process = subprocess.Popen([sys.executable, __file__, str(number)], pass_fds=(number,))
        theirs.close()
        self._pipe.send(self._made_of)

    def _ask(self, name: str, *arguments: Any, **named: Any) -> Any:
        try:
            self._pipe.send((name, arguments, named))
            assert self._pipe.poll(ANSWER_S), f"the driver's {name} has not ended within {ANSWER_S:g} s"
            error, value = self._pipe.recv()
        except (EOFError, OSError) as ended:
            code = self._process.wait(ANSWER_S)
            assert -code in CRASHES, f"the driver's process has ended with {code}: its error stands above"
            raise LibraryCrashError(f"the library has ended the driver by {signal.Signals(-code).name}") from ended
        if error is not None:
            raise _raised(*error)
        return value


def _raised(name: str, kind: ArmFaultKind | None, words: str) -> Exception:
    if kind is None:
        return DriverError(words)
    return (ArmProcessError if name == ArmProcessError.__name__ else ArmFaultError)(kind, words)


def main(number: int) -> None:
    """The process: does what it is asked until the pipe is closed."""
    from tenon_ur5.driver import Ur5Driver

    prefer_realtime(ARM_PRIORITY)
    pipe: Connection = Connection(number)
    driver = Ur5Driver(*pipe.recv())
    with contextlib.suppress(EOFError, OSError):
        while True:
            name, arguments, named = pipe.recv()
            try:
                found = getattr(driver, name)
                answer = (None, found(*arguments, **named) if callable(found) else found)
            except (ArmFaultError, DriverError) as error:
                answer = ((type(error).__name__, getattr(error, "kind", None), str(error)), None)
                if name == "read":
                    driver.let_go()  # as the node does
            pipe.send(answer)


if __name__ == "__main__":
    main(int(sys.argv[1]))
