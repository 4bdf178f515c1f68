"""Running processes: output, exit codes, stopping, respawning, no orphans."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from embedded_ros2.launch import Launcher, load
from embedded_ros2.launch.__main__ import main

PATIENCE_S = 60.0
PRINT_PID = 'echo "pid $$"'
RUN_FOREVER = f"{PRINT_PID}; while true; do sleep 0.02; done"


class Screen(io.StringIO):
    """What the launcher shows; other threads can wait for lines."""

    def wait_for(self, text: str, count: int = 1) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while self.getvalue().count(text) < count:
            assert time.monotonic() < deadline, f"{text!r} is not in {self.getvalue()!r}"
            time.sleep(0.005)


@pytest.fixture
def start(write, add_executable):
    """Launches scripts on another thread; ends them with the test."""
    running = []

    def start_file(content: str, **scripts: str):
        for name, script in scripts.items():
            add_executable(name, script)
        screen = Screen()
        launcher = Launcher(load(write(content)), screen=screen)
        results = []
        thread = threading.Thread(target=lambda: results.append(launcher.run()))
        thread.start()

        def result():
            thread.join(PATIENCE_S)
            assert results, f"the launcher does not end: {screen.getvalue()}"
            return results[0]

        running.append((launcher, thread))
        return launcher, screen, result

    yield start_file
    for launcher, thread in running:
        while thread.is_alive():
            launcher.stop()
            thread.join(0.05)


def node(name: str, options: str = "") -> str:
    return f"  - node: {{pkg: launch_test_package, exec: {name}, output: screen{options}}}\n"


def pid_on(screen: Screen, name: str) -> int:
    screen.wait_for(f"[{name}] pid ")
    return int(screen.getvalue().partition(f"[{name}] pid ")[2].split()[0])


def is_alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while is_alive(pid):
        assert time.monotonic() < deadline, f"process {pid} is still there"
        time.sleep(0.005)


def test_output_is_prefixed_and_exit_codes_are_reported(start):
    launch = "launch:\n" + node("good") + node("bad")
    _, screen, result = start(launch, good="echo one; printf two", bad="echo oops >&2; exit 3")
    assert {(e.name, e.status, e.is_failure) for e in result().exits} == {("good-1", 0, False), ("bad-2", 3, True)}
    lines = screen.getvalue().splitlines()
    assert {"[good-1] one", "[good-1] two", "[bad-2] oops", "[launch] process [bad-2] ended with exit code 3"} <= set(
        lines
    )


def test_stdout_of_output_log_goes_to_the_log_file_only(write, add_executable, tmp_path):
    add_executable("both_streams", "echo quiet; echo loud >&2")
    file = write("launch: [node: {pkg: launch_test_package, exec: both_streams}]")
    screen, log_file = Screen(), tmp_path / "logs" / "launch.log"
    Launcher(load(file), screen=screen, log_file=log_file).run()
    assert "quiet" not in screen.getvalue()
    assert "[both_streams-1] loud" in screen.getvalue()
    assert {"[both_streams-1] quiet", "[both_streams-1] loud"} <= set(log_file.read_text().splitlines())


def test_long_output_arrives_complete(start):
    _, screen, result = start(
        "launch:\n" + node("many"), many="i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done"
    )
    assert result().failures == []
    assert [line for line in screen.getvalue().splitlines() if "] line" in line][-1] == "[many-1] line 2999"
    assert screen.getvalue().count("] line") == 3000


def test_parameters_reach_the_process_in_a_file_that_is_removed(start):
    options = ", name: n, param: [{name: a, value: 1}, {name: b, param: [{name: c, value: text}]}]"
    show = 'for last; do true; done; echo "file $last"; cat "$last"'
    _, screen, result = start("launch:\n" + node("show", options), show=show)
    assert result().failures == []
    assert "[show-1] /n:\n[show-1]   ros__parameters:\n[show-1]     a: 1\n" in screen.getvalue()
    file = screen.getvalue().partition("[show-1] file ")[2].split()[0]
    assert not Path(file).exists()


def test_stop_interrupts_every_process(start):
    script = f"trap 'echo interrupted; exit 0' INT; {RUN_FOREVER}"
    launcher, screen, result = start("launch:\n" + node("a") + node("b"), a=script, b=script)
    pid_on(screen, "a-1"), pid_on(screen, "b-2")
    launcher.stop()
    assert [(e.status, e.was_stopped, e.is_failure) for e in result().exits] == [(0, True, False)] * 2
    assert screen.getvalue().count("interrupted") == 2


def test_stop_escalates_to_sigterm_and_sigkill(start):
    patient, impatient = (f", sigterm_timeout: 0.05, sigkill_timeout: {seconds}" for seconds in (60.0, 0.05))
    launch = "launch:\n" + node("polite", patient) + node("stubborn", impatient)
    polite = f"trap '' INT; trap 'exit 5' TERM; {RUN_FOREVER}"
    launcher, screen, result = start(launch, polite=polite, stubborn=f"trap '' INT TERM; {RUN_FOREVER}")
    pid_on(screen, "polite-1"), pid_on(screen, "stubborn-2")
    launcher.stop()
    assert {e.name: e.status for e in result().exits} == {"polite-1": 5, "stubborn-2": -signal.SIGKILL}
    assert result().failures == []


def test_second_stop_goes_on_at_once(start):
    launcher, screen, result = start(
        "launch:\n" + node("a"), a=f"trap 'echo int' INT; trap 'exit 5' TERM; {RUN_FOREVER}"
    )
    pid_on(screen, "a-1")
    launcher.stop()
    screen.wait_for("[a-1] int")
    launcher.stop()
    assert [e.status for e in result().exits] == [5]


def test_descendants_are_stopped_too(start):
    script = f"sh -c '{RUN_FOREVER}' & trap 'exit 0' INT; while true; do sleep 0.02; done"
    launcher, screen, result = start("launch:\n" + node("parent"), parent=script)
    pid = pid_on(screen, "parent-1")
    launcher.stop()
    result()
    wait_until_gone(pid)


def test_descendants_that_are_left_behind_are_killed(start):
    _, screen, result = start("launch:\n" + node("parent"), parent=f"sh -c '{RUN_FOREVER}' & sleep 0.1")
    pid = pid_on(screen, "parent-1")
    assert result().failures == []
    wait_until_gone(pid)


def test_on_exit_shutdown_stops_the_others(start):
    launch = "launch:\n" + node("main", ", on_exit: shutdown") + node("other")
    _, screen, result = start(launch, main="sleep 0.1; exit 4", other=RUN_FOREVER)
    exits = {e.name: e for e in result().exits}
    assert exits["main-1"].is_failure
    assert exits["other-2"].was_stopped
    assert "stopping all processes: [main-1] has ended" in screen.getvalue()


def test_respawn_until_the_limit(start):
    launch = "launch:\n" + node("again", ", respawn: true, respawn_delay: 0.01, respawn_max_retries: 2")
    _, _, result = start(launch, again="exit 1")
    assert [e.status for e in result().exits] == [1, 1, 1]


def test_stop_ends_respawning(start):
    launcher, screen, result = start("launch:\n" + node("again", ", respawn: true"), again="echo run")
    screen.wait_for("] run", count=3)
    launcher.stop()
    result()


def test_stop_cancels_delayed_processes(start):
    launch = "launch:\n" + node("now") + f"  - timer: {{period: 3600, children: [{node('later')[4:].strip()}]}}\n"
    launcher, screen, result = start(launch, now=RUN_FOREVER, later="echo late")
    pid_on(screen, "now-1")
    launcher.stop()
    assert [e.name for e in result().exits] == ["now-1"]


def test_timer_delays_the_start(start):
    launch = "launch:\n" + node("now") + f"  - timer: {{period: 0.2, children: [{node('later')[4:].strip()}]}}\n"
    _, screen, result = start(launch, now="echo now", later="echo late")
    assert result().failures == []
    assert screen.getvalue().index("ended with exit code 0") < screen.getvalue().index("[later-2] late")


def test_process_that_cannot_be_started_is_a_failure(start):
    _, screen, result = start(
        "launch:\n  - executable: {cmd: /nowhere/program}\n  - executable: {cmd: ls, cwd: /nowhere}\n"
    )
    assert {e.name: e.is_failure for e in result().exits} == {"program-1": True, "ls-2": True}
    assert "cannot start '/nowhere/program': No such file" in screen.getvalue()
    assert "[ls-2] cannot be started" in screen.getvalue()


def run_command(file: Path, *arguments: str, log_directory: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "embedded_ros2.launch", str(file), *arguments]
    environment = {**os.environ, "ROS_LOG_DIR": str(log_directory)}
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment, start_new_session=True
    )


def read_pid(process: subprocess.Popen[str]) -> int:
    for line in process.stdout:
        if "] pid " in line:
            return int(line.split()[-1])
    raise AssertionError("the process did not start")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_to_the_command_stop_its_processes(write, add_executable, tmp_path, number):
    add_executable("forever", RUN_FOREVER)
    command = run_command(write("launch:\n" + node("forever")), log_directory=tmp_path)
    pid = read_pid(command)
    command.send_signal(number)
    output, _ = command.communicate(timeout=PATIENCE_S)
    assert command.returncode == 0, output
    wait_until_gone(pid)
    assert len(list(tmp_path.glob("*/launch.log"))) == 1


def test_processes_die_with_a_killed_launcher(write, add_executable, tmp_path):
    add_executable("forever", f"trap '' INT TERM; {RUN_FOREVER}")
    command = run_command(write("launch:\n" + node("forever")), log_directory=tmp_path)
    pid = read_pid(command)
    command.kill()
    command.wait(PATIENCE_S)
    wait_until_gone(pid)
    command.stdout.close()


def test_exit_status_of_the_command(write, add_executable, tmp_path, capfd, monkeypatch):
    monkeypatch.setenv("ROS_LOG_DIR", str(tmp_path))
    add_executable("fails", "exit 3")
    assert main([str(write("launch:\n" + node("talker")))]) == 0
    assert main([str(write("launch:\n" + node("fails")))]) == 1
    assert main([str(write("launch: [nod: {}]"))]) == 2
    assert main([str(write("launch: []")), "no_value"]) == 2
    assert "test.launch.yaml:1: unknown or unsupported action 'nod'" in capfd.readouterr().err


def test_log_directory_that_cannot_be_made_is_named(write, tmp_path, capfd, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("ROS_LOG_DIR", str(tmp_path / "file"))
    assert main([str(write("launch: []"))]) == 2
    assert "set ROS_LOG_DIR" in capfd.readouterr().err


def test_show_args(write, capfd):
    file = write('launch: [arg: {name: a, default: "1", description: the first}, arg: {name: b}]')
    assert main([str(file), "--show-args"]) == 0
    output = capfd.readouterr().out
    assert "'a':\n        the first\n        (default: '1')" in output
    assert "'b':\n        no description given\n        (required)" in output
