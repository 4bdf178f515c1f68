"""The command line itself: what it accepts, how it ends."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tenon.cli.main import main

Tenon = Callable[..., subprocess.CompletedProcess[str]]

HEAVY = ("torch", "mujoco", "zenoh", "rclpy", "matplotlib", "cv2")


def test_help_lists_every_command_and_succeeds(tenon: Tenon) -> None:
    run = tenon("--help")
    assert run.returncode == 0
    for command in ("session", "evaluate", "launch", "topic", "doctor", "demo"):
        assert command in run.stdout


def test_help_imports_nothing_heavy() -> None:
    code = f"import sys, tenon.cli.main; print([m for m in {HEAVY!r} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("no-such-command",),
        ("session",),
        ("session", "run", "--no-such-option", "1"),
        ("session", "run", "--episodes", "many"),
        ("session", "run", "--controller", "genius"),
        ("evaluate", "--draws", "0"),
        ("evaluate", "--goal-error-mm", "-1"),
        ("evaluate", "--controller", "residual"),
        ("evaluate", "--checkpoint", "a", "--run-directory", "b"),
        ("launch", "no_such_file.yaml"),
        ("topic", "hz", "some_topic", "--window", "1"),
        ("demo", "--seed", "-1"),
    ],
    ids=" ".join,
)
def test_wrong_usage_exits_2_without_traceback(tenon: Tenon, arguments: tuple[str, ...], tmp_path: Path) -> None:
    run = tenon(*arguments, cwd=tmp_path)
    assert run.returncode == 2
    assert run.stderr.strip()
    assert "Traceback" not in run.stderr


@pytest.mark.parametrize("command", [("session", "run"), ("evaluate",), ("record", "--out", "out")], ids=" ".join)
def test_none_is_no_choice(command: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    """Left out is not typed; 'None' among the choices is Python's word, and no reward's."""
    for arguments in (("--reward", "generous"), ("--help",)):
        with pytest.raises(SystemExit):
            main([*command, *arguments])
        told = capsys.readouterr()
        choices = re.search(r"electrical.*?daib|Expected one of.*?\)", told.out + told.err, re.DOTALL)
        assert choices is not None and "None" not in choices.group()
        assert "--reward {None" not in told.out and "--controller {None" not in told.out


@pytest.mark.parametrize(
    ("option", "value"), [("--task", "no_such_task"), ("--robot", "no_such_robot"), ("--session", "no_such_session")]
)
def test_unknown_name_exits_2_and_lists_what_there_is(tenon: Tenon, option: str, value: str, tmp_path: Path) -> None:
    run = tenon("session", "run", option, value, cwd=tmp_path)
    assert run.returncode == 2
    assert value in run.stderr
    assert "There are:" in run.stderr
    assert "Traceback" not in run.stderr


def test_unknown_key_in_a_session_file_exits_2_and_names_it(tenon: Tenon, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("name: mine\nrobot: ur5\ntask: insert_hard\nepisodes: 3\nepisode: 4\n")
    run = tenon("session", "run", "--session", str(file), cwd=tmp_path)
    assert run.returncode == 2
    assert "episode: unknown key" in run.stderr
    assert "did you mean 'episodes'" in run.stderr


def test_wrong_type_in_a_session_file_exits_2_and_shows_the_value(tenon: Tenon, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("name: mine\nrobot: ur5\ntask: insert_hard\nepisodes: several\n")
    run = tenon("session", "run", "--session", str(file), cwd=tmp_path)
    assert run.returncode == 2
    assert "episodes" in run.stderr
    assert "'several'" in run.stderr


def test_launch_refuses_arguments_without_assignment(tenon: Tenon, tmp_path: Path) -> None:
    file = tmp_path / "some.launch.yaml"
    file.write_text("launch: []\n")
    run = tenon("launch", str(file), "robot=ur5")
    assert run.returncode == 2
    assert "name:=value" in run.stderr


LAUNCHER = """
import os, signal, sys
signal.signal(signal.SIGINT, lambda *_: (print("asked to end", flush=True), sys.exit(3)))
print("in a session of its own" if os.getsid(0) == os.getpid() else "in that of the command", flush=True)
print("reads", repr(sys.stdin.read()), flush=True)
while True:
    signal.pause()
"""


@pytest.mark.parametrize("asked", [signal.SIGINT, signal.SIGTERM])
def test_launcher_stands_beside_the_terminal_and_is_asked_once_whichever_signal_comes(asked: signal.Signals) -> None:
    """ros2 launch passes SIGINT on to its nodes only where no terminal can have sent it to them as well."""
    code = f"import sys; from tenon.cli.launch import _run; sys.exit(_run([sys.executable, '-c', {LAUNCHER!r}]))"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as command:
        assert command.stdout is not None
        seen = [command.stdout.readline().strip() for _ in range(2)]
        command.send_signal(asked)
        rest = command.stdout.read().split("\n")
        assert (seen, rest) == (["in a session of its own", "reads ''"], ["asked to end", ""])
        assert command.wait() == 3


def test_used_run_directory_is_refused_with_the_way_to_resume(tenon: Tenon, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "session.yaml").write_text("name: sim\n")
    run = tenon("session", "run", "--run-directory", str(tmp_path / "run"), cwd=tmp_path)
    assert run.returncode == 2
    assert "--resume" in run.stderr


def test_resume_without_a_run_exits_2(tenon: Tenon, tmp_path: Path) -> None:
    run = tenon("session", "run", "--resume", "--run-directory", str(tmp_path / "none"), cwd=tmp_path)
    assert run.returncode == 2
    assert "nothing to resume" in run.stderr


def test_steering_without_a_session_exits_1_and_says_so(tenon: Tenon, router: None) -> None:
    run = tenon("session", "pause")
    assert run.returncode == 1
    assert "no session runs" in run.stderr


def test_output_into_a_closed_pipe_is_no_error() -> None:
    command = f"{sys.executable} -m tenon.cli.main doctor --quick --run-directory . | head -n 1"
    run = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, env=dict(os.environ)
    )
    assert "Traceback" not in run.stderr
