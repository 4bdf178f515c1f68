"""`tenon replay`: play a recorded episode's references again, and say how far off the arm was."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tyro

from tenon.cli.console import OUT, note, write_result
from tenon.cli.errors import SUCCESS, CommandError, UsageError

if TYPE_CHECKING:
    from tenon.data.store import Episode
    from tenon.session.replaying import Distance, ReplayStep, TrackingReport
    from tenon.session.setup import SessionSetup

RUNS = Path("runs")
DEVICE = "console"
"""Whose place the recording takes; no device is opened."""
SIMULATED = "sim"
"""The simulated robot, and its session, whose settings count where an episode lies apart from its run's."""
MM, DEGREES = 1e3, 57.29577951308232


@dataclass(frozen=True)
class Replay:
    """Play an episode's references again, through mux and safety supervisor, and show the tracking error.

    The arm is first reset to the episode's start, and a simulated socket stands where it stood. The replay is recorded.
    Refused where the session is not what the episode was recorded in: arm, calibration of the stand, control rate.
    """

    episode: tyro.conf.Positional[Path]
    """Directory of a finished episode (episode_000123)."""
    robot: str = SIMULATED
    """On which robot: a file in config/robots. A real one moves as it was recorded: clear its way first."""
    session: str | None = None
    """Session whose settings count: a file in config/sessions, or a path. Default: that of the episode's run."""
    allow_different: tuple[str, ...] = ()
    """On a simulated robot: what may be other than in the recording (robot, calibration, rate)."""
    run_directory: Path | None = None
    """Where the replay's recording goes. Default: a new one under runs/."""
    json: Path | None = None
    """File for the figures."""

    def run(self) -> int:
        from tenon.cli import run_directory as runs
        from tenon.cli.dataset_folder import explained, one_episode
        from tenon.data.store import EpisodeStore
        from tenon.session.replaying import compare, read_steps
        from tenon.session.taught import check_goal_is_taught

        episode = one_episode(self.episode)
        with explained():
            steps = read_steps(episode)
        setup = self._setup(episode, steps)
        check_goal_is_taught(setup)
        self._check_same(episode, steps, setup)
        with runs.locked(setup.run_directory):
            self._play(setup, runs.create(setup.run_directory, setup.config), episode, steps)
        made = EpisodeStore(setup.episodes_directory).episodes()
        if not made:
            raise CommandError(f"{setup.run_directory}: the replay was not recorded; its logs say why")
        with explained():
            replayed = read_steps(made[-1])
        moved, asked = (sum(step.moves for step in of) for of in (replayed, steps))
        if moved < asked:
            raise CommandError(
                f"{moved} of {asked} steps passed the supervisor in time, for the others the arm held: "
                f"the logs in {setup.run_directory} say what was late. Replay it again with less beside it"
            )
        report = compare(steps, replayed)
        _show(report, f"{self.episode} on {self.robot}: {episode.outcome.result}, then {made[-1].outcome.result}")
        OUT.print(f"recorded as {made[-1].path}", highlight=False, soft_wrap=True)
        write_result(self.json, asdict(report))
        return SUCCESS

    def _setup(self, episode: Episode, steps: list[ReplayStep]) -> SessionSetup:
        from tenon.cli.run_directory import new_run_directory, session_file_of
        from tenon.configuration.base import load_yaml
        from tenon.configuration.resolve import resolve_session
        from tenon.session.rewards import lacks_detector
        from tenon.session.setup import load_setup

        recorded = session_file_of(episode.path)
        session: str | Path | None = self.session or (recorded if recorded.is_file() else None)
        if session is None and self.robot != SIMULATED:
            raise UsageError(
                f"{recorded} does not exist, which would say at which rates and limits {self.robot} is to replay "
                f"{episode.path.name}: name a session with --session"
            )
        if session is None:
            note(f"settings of the session {SIMULATED!r}: {recorded} does not exist")
            session = SIMULATED
        changes: dict[str, Any] = {
            "robot": self.robot,
            "controller": "teleop",
            "teleop": DEVICE,
            "reward": "electrical",
            "observation": "state",
            "train": False,
            "episodes": 1,
            "seed": episode.contract.seed,
            **dict.fromkeys(("practice", "prior_data", "initial_checkpoint", "reward_checkpoint", "localiser")),
            "run_directory": self.run_directory or new_run_directory(RUNS, "replay", episode.path.name, time.time()),
        }
        if session == SIMULATED:
            changes["task"] = episode.contract.task
        elif session == recorded and load_yaml(recorded).get("robot") != self.robot:
            changes["calibration"] = None  # another robot's says nothing of this one
        period_s = resolve_session(session, changes).control_period_s
        changes["teleop_horizon_s"] = len(steps) * period_s
        setup = load_setup(session, changes)
        return load_setup(session, {**changes, "reward": "dense"}) if lacks_detector(setup) else setup

    def _check_same(self, episode: Episode, steps: list[ReplayStep], setup: SessionSetup) -> None:
        """A plug that was taken to where its socket stood then presses beside it where that stands otherwise now."""
        from tenon.session.frames import is_simulated
        from tenon.session.replaying import COMPARED, find_differences

        simulated = is_simulated(setup.stand)
        if unknown := set(self.allow_different) - set(COMPARED):
            raise UsageError(f"{', '.join(sorted(unknown))} is not compared. Compared are: {', '.join(COMPARED)}")
        if self.allow_different and not simulated:
            raise UsageError(
                f"--allow-different is for simulated robots, {self.robot} is a real one: it plays only what was "
                f"recorded on it as it is set up now"
            )
        found = find_differences(episode.contract, steps, setup)
        refused = {name: text for name, text in found.items() if name not in self.allow_different}
        if refused:
            listed = "\n".join(f"  {name}: {text}" for name, text in refused.items())
            allow = f", or say that this may differ: --allow-different {' '.join(refused)}" if simulated else ""
            raise CommandError(
                f"{self.episode} was not recorded as it would be played on {self.robot}:\n{listed}\nName a session "
                f"that agrees with it (--session; older versions of a calibration are kept, `calibration: "
                f"NAME/v0001`){allow}"
            )
        for name, text in found.items():
            note(f"differs, as allowed: {name}: {text}")

    def _play(self, setup: SessionSetup, session_file: Path, episode: Episode, steps: list[ReplayStep]) -> None:
        from tenon.cli.running import running_session
        from tenon.session.machine import SessionPlan
        from tenon_session.introspection import spinning_node
        from tenon_session.replay_node import ReplayNode

        plan = SessionPlan(
            controller="teleop",
            episodes=1,
            train=False,
            deterministic=True,
            goal_error_m=setup.goal_error_m,
            goal_error_min_m=setup.goal_error_min_m,
            seed=episode.contract.seed,
            stop_at_success=False,
            record=True,
        )
        with ExitStack() as stack:
            session = stack.enter_context(
                running_session(setup, session_file, watched=False, trainer=False, device=False)
            )
            validity_ns = setup.config.command_validity_ns
            node = stack.enter_context(spinning_node(lambda: ReplayNode(steps, validity_ns=validity_ns)))
            outcome = session.run(plan, f"replay of {episode.path.name}")
            if not node.is_done:
                raise CommandError(
                    f"the replay ended before all {len(steps)} steps were played: {outcome.result.stop_reason}. The "
                    f"logs in {setup.run_directory} say more"
                )


def _show(report: TrackingReport, title: str) -> None:
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for column in ("tracking error", "mean mm", "most mm", "mean deg", "most deg"):
        table.add_column(column, justify="left" if column == "tracking error" else "right")
    rows = {
        "from the recorded TCP, step by step": report.from_recording,
        "from the reference, one step later": report.from_reference,
        "the same in the recording": report.recorded_from_reference,
    }
    for name, distance in rows.items():
        if distance is not None:
            table.add_row(name, *_figures(distance))
    OUT.print(table)
    OUT.print(f"{report.steps} steps")


def _figures(distance: Distance) -> list[str]:
    lengths = [f"{value * MM:.2f}" for value in (distance.mean_m, distance.most_m)]
    return lengths + [f"{value * DEGREES:.2f}" for value in (distance.mean_rad, distance.most_rad)]
