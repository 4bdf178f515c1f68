"""The graph of a session as child processes: started from its launch file, watched, and gone when this process is."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO

import psutil
from rclpy.node import Node

from tenon_session.introspection import other_nodes, spinning_node, uses_embedded_ros

READY_TIMEOUT_S = 90.0
"""Torch alone takes several seconds to import on a small machine, and all nodes import at once."""
STOP_TIMEOUT_S = 45.0
"""Longer than the launch file gives the recorder."""
KILL_TIMEOUT_S = 5.0
POLL_S = 0.05
TAIL_LINES = 15
LAUNCH_LOG = "launch"
ZENOH = "rmw_zenoh_cpp"
ROUTER_PORT = 7447
ROUTER_TIMEOUT_S = 10.0
RECONNECT_S = 6.0
"""Nodes that have lost their router look for one every four seconds."""

_PR_SET_PDEATHSIG = 1
# What ros2 launch and the embedded launcher write: "[name-1] text" or "[name] text" for a line of a node, and of its
# life "[INFO] [name-1]: process started with pid [7]" or "[launch] process [name] started with pid [7]".
_NODE_LINE = re.compile(r"^\[(?!DEBUG|INFO|WARN|ERROR|CRITICAL)(?P<process>[\w.-]+?)(?:-\d+)?\] ?(?P<text>.*)$")
_NAME = r"\[(?P<process>[\w.-]+?)(?:-\d+)?\]"
_STARTED = re.compile(rf"{_NAME}:? (?:process )?started with pid \[(?P<pid>\d+)\]")
_ENDED = re.compile(
    rf"{_NAME}:? (?:process has finished cleanly|(?:process has died \[pid \d+, exit code |ended with exit code |"
    r"ended with signal )(?P<how>-?\w+))(?P<stopped> after it was stopped)?"
)


class GraphError(RuntimeError):
    """The graph did not come up, or lost a node. The message names the node and shows the end of its log."""


@dataclass(frozen=True, slots=True)
class DeadProcess:
    """A process of the graph that has ended by itself. exit_code: negative for a signal."""

    name: str
    exit_code: int


class SessionGraph:
    """Runs a launch file: ``ros2 launch`` where a real ROS 2 is in use, else the embedded launcher.

    Every line of a node goes to ``<log_directory>/<executable>.log``, the launcher's own to ``launch.log``. The
    launcher is told by the kernel when this process dies, however it dies, and takes its nodes with it. Start it from
    the main thread: the kernel watches the thread that started the child.
    """

    def __init__(self, launch_file: Path, arguments: Mapping[str, str], log_directory: Path) -> None:
        self._command = launch_command(launch_file, arguments)
        self._logs = _Logs(log_directory)
        self._launcher: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None

    def __enter__(self) -> SessionGraph:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def start(self) -> None:
        """Starts the launcher and returns at once. Raises GraphError when it cannot be started."""
        self._logs.open()
        try:
            self._launcher = subprocess.Popen(
                self._command,
                env=_environment(self._logs.directory),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                start_new_session=True,  # Ctrl-C in the terminal is for the command, which stops the session in order
                preexec_fn=die_with_parent(signal.SIGINT),  # ros2 launch leaves its nodes alone at SIGTERM
            )
        except OSError as error:
            raise GraphError(f"cannot start {self._command[0]}: {error}") from error
        assert self._launcher.stdout is not None
        self._reader = threading.Thread(target=self._logs.sort, args=(self._launcher.stdout,), daemon=True)
        self._reader.start()

    def wait_until_ready(
        self,
        expected_nodes: Sequence[str],
        present_nodes: Callable[[], Sequence[str]],
        timeout_s: float = READY_TIMEOUT_S,
        on_progress: Callable[[int, int], None] = lambda present, expected: None,
    ) -> None:
        """Waits until all expected nodes are on the graph.

        present_nodes: full names of the nodes on the graph now. Raises GraphError that names the node that died or did
        not come, with the end of its log.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            present = {name.rsplit("/", 1)[-1] for name in present_nodes()}
            missing = [name for name in expected_nodes if name not in present]
            on_progress(len(expected_nodes) - len(missing), len(expected_nodes))
            if not missing:
                return
            self.check()
            if time.monotonic() > deadline:
                raise GraphError(self._describe_missing(missing, timeout_s))
            time.sleep(POLL_S)

    def check(self) -> None:
        """Raises GraphError when a process of the graph, or the launcher, has ended."""
        dead = self.dead()
        if dead:
            first = dead[0]
            how = signal.Signals(-first.exit_code).name if first.exit_code < 0 else f"exit status {first.exit_code}"
            raise GraphError(f"node {first.name} has died ({how}).{self._logs.tail(first.name)}")
        if self._launcher is None or self._launcher.poll() is not None:
            status = "was not started" if self._launcher is None else f"exit status {self._launcher.returncode}"
            raise GraphError(f"the launcher has ended ({status}).{self._logs.tail(LAUNCH_LOG)}")

    def dead(self) -> list[DeadProcess]:
        """The processes that have ended by themselves, in the order of their death."""
        return list(self._logs.dead)

    def processes(self) -> dict[str, int]:
        """Process ids of the nodes that run, by executable, for measurements and for tests that kill one."""
        return {name: process.pid for name, process in list(self._logs.started.items()) if process.is_running()}

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> None:
        """Ends all processes: asks the launcher, waits, kills what is left. Nothing of the graph runs afterwards."""
        if self._launcher is None:
            return
        if self._launcher.poll() is None:
            self._launcher.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._launcher.wait(timeout_s)
        self.kill()

    def kill(self) -> None:
        """Kills what still runs, at once."""
        if self._launcher is None:
            return
        left = self._children()
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        if self._launcher.poll() is None:
            self._launcher.kill()
        self._launcher.wait()
        psutil.wait_procs(left, timeout=KILL_TIMEOUT_S)
        if self._reader is not None:
            self._reader.join(KILL_TIMEOUT_S)
        self._logs.close()

    def _children(self) -> list[psutil.Process]:
        """The processes below the launcher, also when it is dead and they have another parent."""
        roots = list(self._logs.started.values())
        if self._launcher is not None:
            with contextlib.suppress(psutil.NoSuchProcess):
                roots.append(psutil.Process(self._launcher.pid))
        found: dict[int, psutil.Process] = {}
        for root in roots:
            # psutil compares starting times: a number that was given to another process is not taken for the old one.
            with contextlib.suppress(psutil.NoSuchProcess):
                found |= {process.pid: process for process in (root, *root.children(recursive=True))}
        return [p for p in found.values() if p.is_running() and (self._launcher is None or p.pid != self._launcher.pid)]

    def _describe_missing(self, missing: Sequence[str], timeout_s: float) -> str:
        first = missing[0]
        others = f" (also missing: {', '.join(missing[1:])})" if len(missing) > 1 else ""
        tail = self._logs.tail(first) or self._logs.tail(LAUNCH_LOG)
        return f"node {first} did not come up within {timeout_s:.0f} s{others}.{tail}"


def launch_command(launch_file: Path, arguments: Mapping[str, str]) -> list[str]:
    """The command that runs a launch file with the launcher of the ROS 2 that is in use."""
    given = [f"{name}:={value}" for name, value in arguments.items()]
    return [*launcher(), str(launch_file), *given]


def launcher() -> list[str]:
    """The launcher of the ROS 2 whose rclpy would be imported here."""
    if uses_embedded_ros():
        return [sys.executable, "-m", "embedded_ros2.launch"]
    ros2 = shutil.which("ros2")
    if ros2 is None:
        raise GraphError("a real rclpy is in use, but the command ros2 is not on PATH: source the setup.bash of ROS 2")
    return [ros2, "launch"]


def _environment(log_directory: Path) -> dict[str, str]:
    environment = {
        **os.environ,
        "PYTHONUNBUFFERED": "1",
        # Nodes speak through the launcher, which is read here, whatever the launch file says.
        "OVERRIDE_LAUNCH_PROCESS_OUTPUT": "screen",
        "ROS_LOG_DIR": str(log_directory.absolute()),
    }
    # Many small processes: a pool of BLAS threads in each would only fight over the cores.
    environment.setdefault("OMP_NUM_THREADS", "1")
    return environment


class _Logs:
    """Sorts the launcher's output into one file per executable."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._files: dict[str, IO[str]] = {}
        self.started: dict[str, psutil.Process] = {}
        self.dead: list[DeadProcess] = []

    def open(self) -> None:
        """Raises GraphError when the directory cannot be written."""
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            self._file(LAUNCH_LOG)
        except OSError as error:
            raise GraphError(f"logs cannot be written to {self.directory}: {error.strerror}") from error

    def sort(self, lines: IO[str]) -> None:
        """Runs on a thread until the launcher and all of its nodes have closed their output."""
        for line in lines:
            self._read_event(line)
            match = _NODE_LINE.match(line)
            # A full disk must not stop the reading: the nodes would block on their next line.
            with contextlib.suppress(OSError):
                file = self._file(match["process"] if match is not None else LAUNCH_LOG)
                file.write(f"{match['text']}\n" if match is not None else line)
                file.flush()

    def _read_event(self, line: str) -> None:
        started, ended = _STARTED.search(line), _ENDED.search(line)
        if started is not None:
            with contextlib.suppress(psutil.NoSuchProcess):  # it has ended already
                self.started[started["process"]] = psutil.Process(int(started["pid"]))
        if ended is not None and not ended["stopped"]:
            how = ended["how"] or "0"
            status = -signal.Signals[how] if how.startswith("SIG") else int(how)
            self.dead.append(DeadProcess(ended["process"], status))

    def _file(self, process: str) -> IO[str]:
        if process not in self._files:
            self._files[process] = (self.directory / f"{process}.log").open("a", encoding="utf-8")
        return self._files[process]

    def tail(self, process: str) -> str:
        """The end of a log, ready to be appended to a message; empty when there is none."""
        path = self.directory / f"{process}.log"
        lines = path.read_text(encoding="utf-8").splitlines()[-TAIL_LINES:] if path.is_file() else []
        shown = "".join(f"\n    {line}" for line in lines)
        return f" The end of {path}:{shown}" if lines else f" It wrote no log ({path})."

    def close(self) -> None:
        for file in self._files.values():
            file.close()
        self._files.clear()


@contextlib.contextmanager
def joined(create: Callable[[], Node]) -> Iterator[Node]:
    """A spinning node that finds the nodes of this domain, whatever became of the router that they were started with.

    Where its owner has ended (a console that was there first, say), a router is kept up meanwhile, and the nodes that
    live on are waited for until they have found it. Raises as ``router``.
    """
    with router() as is_new, spinning_node(create) as node:
        deadline_s = time.monotonic() + (RECONNECT_S if is_new else 0.0)
        while not other_nodes(node) and time.monotonic() < deadline_s:
            time.sleep(POLL_S)
        yield node


@contextlib.contextmanager
def router() -> Iterator[bool]:
    """Keeps a Zenoh router up while the context lasts, where one is needed; one that runs already is left alone.

    Gives whether it was started here. A real ROS 2 needs one with rmw_zenoh alone, and brings its own. Raises
    embedded_ros2.router.RouterError when something else holds the port, GraphError when ROS's router cannot be started.
    """
    if uses_embedded_ros():
        from embedded_ros2.router import ensure_router

        started = ensure_router()
        with started or contextlib.nullcontext():
            yield started is not None
    elif os.environ.get("RMW_IMPLEMENTATION") == ZENOH and not (_names_a_router(os.environ) or _is_listening()):
        with _router_of_ros():
            yield True
    else:
        yield False


@contextlib.contextmanager
def _router_of_ros() -> Iterator[None]:
    """``rmw_zenohd`` on its port of this machine: without it no node finds another."""
    from ament_index_python.packages import PackageNotFoundError, get_package_prefix

    try:
        process = subprocess.Popen(
            [Path(get_package_prefix(ZENOH)) / "lib" / ZENOH / "rmw_zenohd"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=die_with_parent(),
        )
    except (PackageNotFoundError, OSError) as error:
        raise GraphError(f"the Zenoh router of ROS 2 cannot be started: {error}") from error
    try:
        deadline_s = time.monotonic() + ROUTER_TIMEOUT_S
        while not _is_listening():
            if process.poll() is not None or time.monotonic() > deadline_s:
                raise GraphError(
                    f"no Zenoh router listens on port {ROUTER_PORT}, and none came up: run `ros2 run {ZENOH} "
                    f"rmw_zenohd` in another shell to see why. Without it no node finds another"
                )
            time.sleep(POLL_S)
        yield
    finally:
        process.terminate()
        try:
            process.wait(KILL_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _names_a_router(environment: Mapping[str, str]) -> bool:
    """Whether a person has said where the router is."""
    override = environment.get("ZENOH_CONFIG_OVERRIDE", "")
    return "ZENOH_SESSION_CONFIG_URI" in environment or "connect/endpoints" in override


def _is_listening() -> bool:
    try:
        socket.create_connection(("localhost", ROUTER_PORT), timeout=1.0).close()
    except OSError:
        return False
    return True


def die_with_parent(number: signal.Signals = signal.SIGTERM) -> Callable[[], None]:
    """What the child does before it becomes another program: ask the kernel for a signal when its parent dies."""
    libc = ctypes.CDLL(None)
    parent = os.getpid()

    def prepare() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, number)
        if os.getppid() != parent:  # it died before the kernel was asked
            os._exit(1)

    return prepare
