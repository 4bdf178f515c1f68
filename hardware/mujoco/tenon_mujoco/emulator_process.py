"""An emulated stand in a process of its own without a graph: for tests, benchmarks and trying a device's manual.

Vendors' libraries hold the interpreter while they wait for their device, so a device that lives in the same process
would never answer.
"""

from __future__ import annotations

import functools
import multiprocessing
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any

from tenon.configuration.arm import ArmConfig
from tenon.configuration.resolve import ConfigKind, load_named
from tenon.configuration.robot import RobotConfig
from tenon.simulation.connectors import ConnectorConfig
from tenon.simulation.tasks import InsertionTaskConfig
from tenon_graph.scheduling import ARM_PRIORITY, prefer_realtime
from tenon_mujoco.emulation import EmulatedTime, EmulatorError, create_emulator
from tenon_mujoco.plant import Plant

START_TIMEOUT_S = 60.0
CALL_TIMEOUT_S = 20.0


class EmulatorProcess:
    """Runs the emulator of a robot; ``call``, ``get`` and ``put`` reach into it by dotted names ("plant.push")."""

    def __init__(self, robot: RobotConfig, task: str = "easy", *, seed: int = 0) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_live, args=(theirs, robot.model_dump(), task, seed), daemon=True)

    def __enter__(self) -> EmulatorProcess:
        """Raises EmulatorError where it does not come up."""
        self._process.start()
        self._answer(START_TIMEOUT_S)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._pipe.close()
        self._process.join(CALL_TIMEOUT_S)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    @property
    def pid(self) -> int | None:
        return self._process.pid

    def call(self, name: str, *arguments: Any, **named: Any) -> Any:
        """Calls a method; between two periods of the device, which sees nothing half done."""
        self._pipe.send(("call", name, arguments, named))
        return self._answer(CALL_TIMEOUT_S)

    def get(self, name: str) -> Any:
        self._pipe.send(("get", name, (), {}))
        return self._answer(CALL_TIMEOUT_S)

    def put(self, name: str, value: Any) -> None:
        self._pipe.send(("put", name, (value,), {}))
        self._answer(CALL_TIMEOUT_S)

    def _answer(self, timeout_s: float) -> Any:
        if not self._pipe.poll(timeout_s):
            raise EmulatorError(f"the emulator's process has not answered for {timeout_s:g} s")
        try:
            failed, value = self._pipe.recv()
        except EOFError as error:
            raise EmulatorError("the emulator's process has ended: its error stands above") from error
        if failed:
            raise EmulatorError(str(value))
        return value


def _live(pipe: Connection, robot: dict[str, Any], task_name: str, seed: int) -> None:
    """The process: time passes on its thread, requests are answered here until the pipe is closed."""
    try:
        prefer_realtime(ARM_PRIORITY)
        config = RobotConfig.model_validate(robot)
        task = load_named(InsertionTaskConfig, ConfigKind.TASKS, task_name)
        connector = load_named(ConnectorConfig, ConfigKind.CONNECTORS, task.connector)
        arm = load_named(ArmConfig, ConfigKind.ARMS, config.arm)
        emulator = create_emulator(config, Plant(arm, connector, task, seed=seed))
        time = EmulatedTime(emulator.plant, emulator)
        time.__enter__()
    except Exception as error:  # whatever it is, the process that waits must hear of it
        pipe.send((True, f"{type(error).__name__}: {error}"))
        return
    pipe.send((False, None))
    try:
        _serve(pipe, emulator, time)
    except (EOFError, OSError):
        pass
    finally:
        time.__exit__(None, None, None)


def _do(emulator: Any, kind: str, name: str, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
    owner, _, last = name.rpartition(".")
    holder = functools.reduce(getattr, owner.split("."), emulator) if owner else emulator
    if kind == "put":
        return setattr(holder, last, *arguments)
    found = getattr(holder, last)
    return found(*arguments, **named) if kind == "call" else found


def _serve(pipe: Connection, emulator: Any, time: EmulatedTime) -> None:
    while True:
        request = pipe.recv()
        try:
            answer = (False, time.between_turns(functools.partial(_do, emulator, *request)))
        except Exception as error:  # of whatever was called: it belongs to the caller
            answer = (True, f"{type(error).__name__}: {error}")
        pipe.send(answer)
