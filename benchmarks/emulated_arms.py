"""Does a session learn on each emulated arm? Before and after, on the same draws, through the vendor's library.

    python benchmarks/emulated_arms.py [--robots ROBOT ...] --directory runs/arms [--json FILE] [--markdown FILE]

An arm gets the demo's task: the hand-written controller alone, and with dither, then a session that trains a residual
policy, then that policy. The claw gets the valve: a scripted gait shows it, a policy is trained on that alone, then by
practice too. All in real time, so run nothing beside it. A part whose report is in --directory already is not run
again.

A position-controlled arm that meets the rim may feel more than its supervisor allows: the session holds until a person
has cleared it. Here that is this program, which counts how often; of any other fault it lets the session go.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tenon.configuration.resolve import ConfigKind, resolve

CLAW = "claw-emulated"
DEFAULT = ("sim", "ur5-emulated", "sawyer-emulated", CLAW)
TASK, SESSION = "hard", "sim"
EVALUATION = "evaluation.json"
FAULT, CLEARED = "FAULT ", "FAULT force:"
"""How a session tells a fault, and one that an emulated arm is free of once it is cleared."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much is done of each. shown: episodes of the gait."""

    episodes: int
    draws: int
    shown: int


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--robots", nargs="+", choices=DEFAULT, default=list(DEFAULT))
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("--episodes", type=int, default=80)
    parser.add_argument("--draws", type=int, default=30)
    parser.add_argument("--shown", type=int, default=10)
    parser.add_argument("--json", type=Path, default=None)
    parser.add_argument("--markdown", type=Path, default=None)
    given = parser.parse_args()
    size = Size(given.episodes, given.draws, given.shown)
    results = {}
    for robot in given.robots:
        folder = given.directory / robot
        results[robot] = valve(folder, size) if robot == CLAW else insertion(robot, folder, size)
        if given.json is not None:
            given.json.write_text(json.dumps(results, indent=1) + "\n")
    page = table(results, size)
    print(page)  # noqa: T201 - what it is for
    if given.markdown is not None:
        given.markdown.write_text(page)
    return 0


def insertion(robot: str, folder: Path, size: Size) -> dict[str, Any]:
    """P-controller, with dither, session, trained residual policy."""
    stand = ["--session", SESSION, "--robot", robot, "--task", TASK]
    run = folder / "session"
    return {
        "before": evaluated(folder / "before", [*stand, "--controller", "p_controller"], size),
        "dither": evaluated(folder / "dither", [*stand, "--controller", "p_dither"], size),
        "session": ran(run, [*stand, "--episodes", str(size.episodes)]),
        "after": evaluated(folder / "after", ["--run-directory", str(run)], size),
    }


def valve(folder: Path, size: Size) -> dict[str, Any]:
    """Gait, policy from its episodes alone, session, trained policy."""
    shown = ran(folder / "shown", ["--task", "valve", "--controller", "gait", "--episodes", str(size.shown)])
    data, clone, run = folder / "shown" / "episodes", folder / "offline", folder / "session"
    algorithm = resolve(ConfigKind.ALGORITHMS, "awac_valve")
    if not clone.exists():
        updates = yaml.safe_load(algorithm.read_text())["offline_updates"]
        settings = ["--config", str(algorithm), "--updates", str(updates)]
        tenon("train", "awac", "--data", str(data), "--out", str(clone), *settings)
    session = folder / "session.yaml"
    stored = yaml.safe_load(resolve(ConfigKind.SESSIONS, "valve").read_text())
    session.write_text(yaml.safe_dump({**stored, "algorithm": str(algorithm), "prior_data": str(data.absolute())}))
    by_policy = ["--session", "valve", "--controller", "policy", "--checkpoint"]
    return {
        "shown": shown,
        "before": evaluated(folder / "before", [*by_policy, str(clone)], size),
        "session": ran(run, ["--session", str(session), "--episodes", str(size.episodes)]),
        "after": evaluated(folder / "after", [*by_policy, str(run / "trainer")], size),
    }


def evaluated(folder: Path, arguments: Sequence[str], size: Size) -> dict[str, Any]:
    """The evaluation's row, made unless it is there."""
    report = folder / EVALUATION
    if not report.exists():
        folder.mkdir(parents=True, exist_ok=True)
        tenon("evaluate", *arguments, "--draws", str(size.draws), "--json", str(report))
    row: dict[str, Any] = json.loads(report.read_text())["evaluations"][0]
    return row


def ran(run: Path, arguments: Sequence[str]) -> dict[str, Any]:
    """The session's report, made unless it is there."""
    report = run.with_name(f"{run.name}.json")
    if not report.exists():
        run.parent.mkdir(parents=True, exist_ok=True)
        faults = attended("session", "run", *arguments, "--run-directory", str(run), "--json", str(report))
        _faults_of(run).write_text(json.dumps(faults))
    loaded: dict[str, Any] = json.loads(report.read_text())
    told = {"stop_reason": loaded["stop_reason"], "wall_s": loaded["wall_s"]}
    return {**loaded["evaluations"][0], **told, "faults": json.loads(_faults_of(run).read_text())}


def _faults_of(run: Path) -> Path:
    return run.with_name(f"{run.name}.faults.json")


def attended(*arguments: str) -> int:
    """A session with somebody beside it who clears the faults of its force and lets it go on; how many these were."""
    faults = 0
    command = [sys.executable, "-m", "tenon.cli.main", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as session:
        assert session.stdout is not None  # it was asked for
        for line in session.stdout:
            print(line, end="", flush=True)  # noqa: T201 - what the session tells
            if line.startswith(CLEARED):
                faults += 1
                try:
                    tenon("session", "clear-fault")
                    tenon("session", "resume")
                except subprocess.CalledProcessError:
                    session.send_signal(signal.SIGINT)  # or its end would be waited for without end
                    raise
            elif line.startswith(FAULT):
                session.send_signal(signal.SIGINT)
    if session.returncode:
        raise subprocess.CalledProcessError(session.returncode, command)
    return faults


def tenon(*arguments: str) -> None:
    """One command of the command line."""
    subprocess.run([sys.executable, "-m", "tenon.cli.main", *arguments], check=True)


def table(results: dict[str, dict[str, Any]], size: Size) -> str:
    """A line per robot and part."""
    lines = [
        f"{size.draws} fixed draws before and after, {size.episodes} episodes between, in real time.",
        "",
        "| robot | part | successes | 95 % interval | steps to success | peak force, N | above limit | force faults |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for robot, parts in results.items():
        for part, row in parts.items():
            interval = row["interval_95"]
            steps = row["mean_steps_to_success"]
            cells = (
                robot,
                f"{part}: {row['controller']}",
                f"{row['successes']} of {row['episodes']}",
                f"{interval['low']:.2f} to {interval['high']:.2f}",
                "-" if steps is None else f"{steps:.1f}",
                f"{row['peak_force_n']:.1f}",
                str(row["force_violations"]),
                str(row.get("faults", "-")),
            )
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
