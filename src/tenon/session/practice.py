"""Practice on a new part: when to look at the policy, which weights to keep, when it is over, what is handed over.

Nothing is decided by what only a simulation knows: success is the word of the session's own reward. What the stand's
detector says is carried along for people.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from pydantic import NonNegativeInt, PositiveInt

from tenon.configuration.base import Config, ConfigurationError, differences, parse
from tenon.configuration.session import PracticeConfig
from tenon.control.checks import Check
from tenon.data.checkpoint import MANIFEST
from tenon.data.mapped_array import write_beside
from tenon.session.report import Interval, wilson_interval
from tenon.session.statistics import EpisodeSummary, Outcome

RECORD_FILE, BEST_FOLDER = "practice.json", "best"
"""In the run directory."""
FAULTS_OF_MOTION = frozenset(
    (
        Check.NOT_FINITE,
        Check.WORKSPACE,
        Check.JUMP,
        Check.TCP_SPEED,
        Check.TCP_ACCELERATION,
        Check.JOINT_LIMIT,
        Check.JOINT_SPEED,
        Check.FORCE,
        Check.TORQUE,
        Check.ARM,
    )
)
"""What a policy itself may cause; the arm's own (a protective stop) among them, though a cable may be the cause."""
TARGET_MET, TRIALS_SPENT = "the target is met", "all trials are spent"


class Judgement(Config):
    """A policy over an evaluation's draws. successes: by the reward. connected: by the stand's detector; None without.

    version: gradient steps of the policy. disturbed: draws that are not ``undisturbed``, though they were run again; no
    success of the policy's. mean_reward: per episode of the others.
    """

    draws: PositiveInt
    successes: NonNegativeInt
    connected: NonNegativeInt | None
    mean_reward: float
    version: NonNegativeInt
    disturbed: NonNegativeInt = 0

    @property
    def rate(self) -> float:
        return self.successes / self.draws

    @property
    def interval(self) -> Interval:
        """95 %, of the success by the reward."""
        return wilson_interval(self.successes, self.draws)

    @property
    def connected_interval(self) -> Interval | None:
        """95 %, of the success by the detector; None without one."""
        return None if self.connected is None else wilson_interval(self.connected, self.draws)


def undisturbed(episode: EpisodeSummary) -> bool:
    """Whether an episode is the policy's own: no person drove in it or had a word on it, and no fault of another ended
    it. One that presses too hard or leaves the workspace has failed, and is not given another try."""
    broken_off = episode.outcome is Outcome.FAULT and episode.detail not in FAULTS_OF_MOTION
    return not broken_off and not episode.mark and not episode.human_steps


def judge(episodes: Sequence[EpisodeSummary], version: int) -> Judgement:
    """Counts the episodes of one evaluation, in which the policy of this version acted."""
    own = [episode for episode in episodes if undisturbed(episode)]
    return Judgement(
        draws=len(episodes),
        successes=sum(episode.success for episode in own),
        connected=connected_count(own),
        mean_reward=sum(episode.total_reward for episode in own) / max(1, len(own)),
        version=version,
        disturbed=len(episodes) - len(own),
    )


def connected_count(episodes: Sequence[EpisodeSummary]) -> int | None:
    """How many are a success by the detector; None where it did not speak of all of them."""
    told = [episode.connected for episode in episodes if episode.connected is not None]
    return sum(told) if len(told) == len(episodes) else None


class Look(Config):
    """An evaluation on the way, after so many trials; 0: the policy that practice starts from."""

    trials: NonNegativeInt
    seen: Judgement


class Basis(Config):
    """What a practice rests on from its first evaluation to its last: its numbers cannot be compared otherwise.

    configuration: hash of each part, by its name. reward: the classifier's version; empty for a formula.
    """

    configuration: dict[str, str]
    reward: str


class PracticeRecord(Config):
    """How far a practice has come: all that a resumed one must know beside the recorded episodes.

    looks: on draws of their own, which choose the weights. before, after: of the start policy and of the chosen one, on
    the draws of the report, which choose nothing. lost: trials of the looks whose weights are not there any more.
    wall_s: real time of the stages that are finished. basis: None in records of before it was noted.
    """

    basis: Basis | None = None
    before: Judgement | None = None
    looks: tuple[Look, ...] = ()
    after: Judgement | None = None
    lost: tuple[NonNegativeInt, ...] = ()
    wall_s: float = 0.0

    @property
    def ranked(self) -> list[Look]:
        """The best look first: with the most successes; among equals, with the most reward: it is there sooner."""
        there = [look for look in self.looks if look.trials not in self.lost]
        return sorted(there, key=lambda look: (look.seen.successes, look.seen.mean_reward), reverse=True)

    @property
    def best(self) -> Look:
        """The best look of those whose weights are there. There must be one."""
        return self.ranked[0]

    @property
    def start_is_handed_over(self) -> bool:
        """Whether practice is thrown away: nothing beat the start, or the report's draws say that it became worse."""
        if self.best.trials == 0:
            return True
        return self.before is not None and self.after is not None and self.after.successes < self.before.successes

    def why_over(self, config: PracticeConfig, trials: int) -> str:
        """Empty while practice goes on. trials: how many there are at most."""
        last = self.looks[-config.target_times :]
        if len(last) == config.target_times and all(look.seen.rate >= config.target for look in last):
            return TARGET_MET
        return TRIALS_SPENT if self.looks and self.looks[-1].trials >= trials else ""

    def next_look(self, config: PracticeConfig, trials: int) -> int | None:
        """After how many trials in all to look next; None when practice is over."""
        if not self.looks:
            return 0
        if self.why_over(config, trials):
            return None
        return min(self.looks[-1].trials + config.evaluate_every, trials)


def check_basis(record: PracticeRecord, basis: Basis, path: Path) -> None:
    """Raises ConfigurationError where the record in ``path`` is of a practice that rests on something else."""
    if record.basis is None or record.basis == basis:
        return
    raise ConfigurationError(
        f"{path}: this practice rests on something else ({differences(record.basis, basis)}): what is named "
        f"there was changed since, in its file or by another version of Tenon. Undo that, or practise anew in another "
        f"run directory. Who knows that the change is of no matter takes 'basis' out of the file"
    )


def handed_over(run_directory: Path) -> Path | None:
    """The policy that a practice in this run directory has handed over, or would as it stands; None: there is none."""
    best = run_directory / BEST_FOLDER
    return best if (run_directory / RECORD_FILE).is_file() and (best / MANIFEST).is_file() else None


def read_record(path: Path) -> PracticeRecord:
    """An empty one where there is no file. Raises ConfigurationError for a damaged one."""
    if not path.exists():
        return PracticeRecord()
    try:
        return parse(PracticeRecord, json.loads(path.read_bytes()), where=str(path))
    except ValueError as error:
        raise ConfigurationError(f"{path}: is damaged: {error}. Practise anew in another run directory") from error


def write_record(path: Path, record: PracticeRecord) -> None:
    """Replaces the file as a whole. Raises StorageError."""
    write_beside(path, record.model_dump_json(indent=2).encode())
