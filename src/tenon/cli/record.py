"""`tenon record`: a person drives, and every episode is kept."""

from __future__ import annotations

import getpass
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from tenon.cli.console import OUT, note
from tenon.cli.errors import FAILURE, SUCCESS, CommandError, UsageError
from tenon.cli.session import ObservationOption, RewardOption, warn

if TYPE_CHECKING:
    from tenon.cli.running import RecorderErrors, RunningSession
    from tenon.session.machine import SessionPlan
    from tenon.session.setup import SessionSetup
    from tenon.session.statistics import EpisodeSummary

SESSION = "sim"
MM = 1e-3
Flag = Annotated[bool, tyro.conf.FlagCreatePairsOff]


@dataclass(frozen=True)
class Record:
    """Record demonstrations: you drive the arm from the start of each episode to the mark that ends it.

    Success and failure end an episode and are kept with it; discard ends it too, and the same start is tried again.
    """

    out: Path
    """Where episodes and logs go."""
    teleop: str = "keyboard"
    """Device: a file in config/teleop (spacemouse, gamepad, keyboard, console)."""
    episodes: int = 10
    """Number of episodes to keep, those before a resume included."""
    session: str = SESSION
    """Name of a file in config/sessions, or a path."""
    robot: str | None = None
    """Robot, where not the session's: a file in config/robots (sim, ur5, ur5-emulated, ...)."""
    task: str | None = None
    """Task, where not the session's: a file in config/tasks."""
    connector: str | None = None
    """Connector, where not the task's: a file in config/connectors, or the path of your own."""
    reward: RewardOption = None
    """What pays where you leave no mark, where not as the session says; dense at a stand without a detector."""
    observation: ObservationOption = None
    """What is kept of each step, where not as the session says: the state, or the wrist camera's picture beside it,
    which labels of success and policies that see need."""
    by: Annotated[str | None, tyro.conf.arg(aliases=["--who"])] = None
    """Who demonstrates, for the recordings. Default: the name that you are logged in by."""
    goal_error_mm: float | None = None
    """The goal is off by up to this on x and y; 0: it is known exactly. Default: as the session or the task says."""
    seed: int = 0
    """Seed of the first episode's draws; each next one counts up."""
    until_success: Flag = False
    """An episode ends as a success by itself, once the session's reward has said so for a while."""
    resume: Flag = False
    """Go on with the recording in --out: the starts whose episode is missing or incomplete are recorded."""

    def run(self) -> int:
        from tenon.cli import run_directory as runs
        from tenon.session.rewards import create_reward
        from tenon.session.setup import load_setup
        from tenon.session.taught import check_goal_is_taught

        if self.episodes < 1:
            raise UsageError(f"--episodes {self.episodes}: 1 or more are needed")
        setup = load_setup(self.session, self._wanted())
        check_goal_is_taught(setup)
        create_reward(setup)  # what it lacks is said here, not by a node while the others come up
        warn(setup)
        path = setup.config.run_directory
        if self.resume:
            runs.stored_session(path, self._fixed(setup), option="--out")
        else:
            runs.require_unused(path, go_on="type the same line with --resume", option="--out")
        with runs.locked(path):
            write = runs.write_session if self.resume else runs.create
            return self._run(setup, write(path, setup.config))

    def _wanted(self) -> dict[str, object]:
        from tenon.cli.settings import absolute, typed

        given = typed(
            robot=self.robot,
            task=absolute(self.task),
            connector=absolute(self.connector),
            reward=self.reward,
            observation=self.observation,
            goal_error_m=None if self.goal_error_mm is None else self.goal_error_mm * MM,
        )
        return {
            **given,
            "controller": "teleop",
            "teleop": absolute(self.teleop),
            "operator": self.by or getpass.getuser(),
            "episodes": self.episodes,
            "train": False,
            "seed": self.seed,
            "run_directory": self.out,
        }

    def _fixed(self, setup: SessionSetup) -> dict[str, object]:
        """What all episodes of one recording have in common; device and operator may change."""
        config = setup.config.model_dump(mode="json")
        keys = ("robot", "task", "connector", "controller", "reward", "observation", "seed", "goal_error_m")
        return {key: config[key] for key in keys}

    def _plan(self, setup: SessionSetup) -> SessionPlan:
        from tenon.session.plans import configured_plan

        return replace(configured_plan(setup), stop_at_success=self.until_success)

    def _run(self, setup: SessionSetup, session_file: Path) -> int:
        from tenon.cli.running import running_session
        from tenon.data.store import EpisodeStore
        from tenon.session.progress import missing_seeds

        plan, path = self._plan(setup), setup.config.run_directory
        store = EpisodeStore(setup.episodes_directory)
        wanted = missing_seeds(store, plan) if self.resume else list(range(plan.seed, plan.seed + plan.episodes))
        if not wanted:
            raise CommandError(f"all {self.episodes} episodes of {path} are recorded: ask for more with --episodes")
        note(f"recording to {path}" + (f" ({len(wanted)} of {self.episodes} are missing)" if self.resume else ""))
        try:
            with running_session(setup, session_file, watched=True, trainer=False) as session:
                title = f"record {setup.config.task} by {setup.config.teleop}"
                heard, reason = _record(session, plan, wanted, title)
        except (KeyboardInterrupt, CommandError):
            note("what was finished is kept. To go on, type the same line with --resume")
            raise
        missing = set(missing_seeds(store, plan))
        lost = [episode for episode in heard if episode.seed in missing]
        return self._report(setup, heard, lost, reason, session.recorder)

    def _report(
        self,
        setup: SessionSetup,
        heard: Sequence[EpisodeSummary],
        lost: Sequence[EpisodeSummary],
        reason: str,
        recorder: RecorderErrors,
    ) -> int:
        """lost: those of ``heard`` that are not whole on the disk."""
        from tenon.session.machine import DONE

        path = setup.config.run_directory
        counts = Counter(episode.mark or episode.outcome.value for episode in heard)
        said = ", ".join(f"{count} {what}" for what, count in sorted(counts.items())) or "none"
        OUT.print(f"{path}: {len(heard)} episodes ({said}): {reason}", markup=False, soft_wrap=True)
        recorder.note_lost(lost, path, "To record them again, type the same line with --resume")
        note(f"to learn from them: tenon train bc --data {path} --out runs/bc")
        return SUCCESS if reason == DONE and not lost else FAILURE


def _record(
    session: RunningSession, plan: SessionPlan, wanted: Sequence[int], title: str
) -> tuple[list[EpisodeSummary], str]:
    """A run for each span of seeds that follow each other. Returns what was heard, and why the last one ended."""
    from tenon.session.machine import DONE

    heard: list[EpisodeSummary] = []
    reason = DONE
    for seeds in spans(wanted):
        if reason == DONE:
            outcome = session.run(replace(plan, seed=seeds.start, episodes=len(seeds)), title)
            heard += outcome.episodes
            reason = outcome.result.stop_reason
    return heard, reason


def spans(seeds: Sequence[int]) -> list[range]:
    """(3, 4, 7) -> 3 to 4, and 7. seeds: ascending."""
    found: list[range] = []
    for seed in seeds:
        if found and found[-1].stop == seed:
            found[-1] = range(found[-1].start, seed + 1)
        else:
            found.append(range(seed, seed + 1))
    return found
