"""As a new user: record demonstrations by typing in a terminal, clone them, evaluate the clone: the README's lines.

The person is a script (tenon_session.testing.typist) that looks at the observation and types the keys of
config/teleop/keyboard.yaml into a pseudo-terminal. Everything lies in --directory, which must be new.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

from tenon.data.store import EpisodeStore
from tenon_session.introspection import spinning_node
from tenon_session.testing.probe import Probe
from tenon_session.testing.stage import private_network
from tenon_session.testing.typist import in_a_terminal, play

SECONDS_PER_EPISODE = 180.0
START_S = 180.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("--episodes", type=int, default=5)
    parser.add_argument("--goal-error-mm", type=float, default=None, help="not as the task says")
    parser.add_argument("--json", type=Path, default=None)
    given = parser.parse_args()
    demos, policy, report = (given.directory / name for name in ("demos", "bc", "evaluation.json"))
    given.directory.mkdir(parents=True)
    error = [] if given.goal_error_mm is None else ["--goal-error-mm", str(given.goal_error_mm)]
    with private_network():
        started_s = time.monotonic()
        record(["--episodes", str(given.episodes), "--out", str(demos), *error], given.directory, given.episodes)
        recorded_s = time.monotonic() - started_s
        tenon("train", "bc", "--data", str(demos), "--out", str(policy))
        clone = ["--controller", "policy", "--checkpoint", str(policy), "--deterministic"]
        tenon("evaluate", "--task", "usb", *clone, "--json", str(report), *error)
    outcomes = [episode.outcome for episode in EpisodeStore(demos / "episodes").episodes()]
    result = {
        "demonstrations": [{"result": outcome.result, "mark": outcome.mark} for outcome in outcomes],
        "recording_s": round(recorded_s, 1),
        "evaluation": json.loads(report.read_text())["evaluations"][0],
    }
    print(json.dumps(result, indent=2))  # noqa: T201 - what it is for
    if given.json is not None:
        given.json.write_text(json.dumps(result, indent=2))
    return 0


def record(arguments: list[str], directory: Path, episodes: int) -> None:
    """`tenon record`, with somebody at the keyboard."""
    line = ["record", "--robot", "sim", "--task", "usb", "--teleop", "keyboard", "--by", "script", *arguments]
    said = directory / "record.log"
    with spinning_node(Probe) as probe, said.open("wb") as log, in_a_terminal(line, log.fileno()) as (process, keys):
        status = play(probe, process, keys, START_S + SECONDS_PER_EPISODE * episodes)
    if status:
        raise SystemExit(f"tenon record ended with {status}:\n{said.read_text()}")


def tenon(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "tenon.cli.main", *arguments], check=True)


if __name__ == "__main__":
    sys.exit(main())
