"""What practice came to: before and after, the reward's word beside the detector's, and what it cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tenon.session.practice import Judgement, PracticeRecord, connected_count
from tenon.session.recordings import Trial
from tenon.session.report import wilson_interval

NEWEST_TRIALS = 50
"""Over so many trials at the end the reward is held against the detector once more: by then the policy looks for what
the reward pays."""
CHECKED_BY_HAND = 20
"""Trials that a person looks at where no detector tells (daib.md, pitfall 4)."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Shares of trials that are a success by the reward, and by the detector; None without one."""

    trials: int
    rewarded: float
    connected: float | None

    @property
    def difference(self) -> float | None:
        """By the reward minus by the detector: above 0 it pays for what is none."""
        return None if self.connected is None else self.rewarded - self.connected


@dataclass(frozen=True, slots=True)
class PracticeReport:
    """Everything that a person wants to know of a practice. The detector's word is the truth in a simulation; a stand
    without one leaves it out, and says what a person is to look at instead.

    start: the checkpoint. reward: its name. versions: name -> version of what the practice depends on. why_over: why
    practice ended.
    """

    task: str
    connector: str
    robot: str
    start: str
    reward: str
    trials_at_most: int
    record: PracticeRecord
    trials: tuple[Trial, ...]
    why_over: str
    versions: dict[str, str]

    @property
    def handed_over(self) -> Judgement:
        """The policy in ``best``, on the draws of the report."""
        record = self.record
        assert record.before is not None and record.after is not None  # there is no report of an unfinished practice
        return record.before if record.start_is_handed_over else record.after

    @property
    def detector_told(self) -> bool:
        """Whether a detector spoke of every trial and every evaluation."""
        record = self.record
        seen = [record.before, record.after, *(look.seen for look in record.looks)]
        return self.overall.connected is not None and all(one is None or one.connected is not None for one in seen)

    @property
    def overall(self) -> Agreement:
        return agreement(self.trials)

    @property
    def newest(self) -> Agreement:
        """Over the last trials alone."""
        return agreement(self.trials[-NEWEST_TRIALS:])

    @property
    def exploits(self) -> tuple[Trial, ...]:
        """The trials that the reward calls a success and the detector does not."""
        return tuple(trial for trial in self.trials if trial.exploits)

    def to_json(self) -> dict[str, Any]:
        record = self.record
        return {
            "task": self.task,
            "connector": self.connector,
            "robot": self.robot,
            "start": self.start,
            "reward": self.reward,
            "why_over": self.why_over,
            "handed_over": "start" if record.start_is_handed_over else "practised",
            "handed_over_version": self.handed_over.version,
            "before": _judgement_json(record.before),
            "after": _judgement_json(record.after),
            "looks": [{"trials": look.trials, **_judgement_json(look.seen)} for look in record.looks],
            "trials": len(self.trials),
            "trials_at_most": self.trials_at_most,
            "overall": {**asdict(self.overall), "difference": self.overall.difference},
            "newest": {**asdict(self.newest), "difference": self.newest.difference},
            "false_steps": self._false_steps if self.detector_told else None,
            "exploits": [trial.recording for trial in self.exploits] if self.detector_told else None,
            "wall_s": record.wall_s,
            "versions": self.versions,
        }

    def to_markdown(self) -> str:
        """For people."""
        record, minutes, told = self.record, self.record.wall_s / 60.0, self.detector_told
        handed = "the start policy, unchanged" if record.start_is_handed_over else _practised(record)
        lines = [
            f"# Practice: {self.task}, {self.connector} on {self.robot}",
            "",
            f"Handed over in `best`: {handed}. Practice ended after {len(self.trials)} of at most "
            f"{self.trials_at_most} trials and {minutes:.1f} minutes (stages that were cut off and done again count "
            f"once): {self.why_over}.",
            "",
            *_head(detector=told),
            _row("before", record.before, detector=told),
            *(_row(f"after {look.trials} trials (chooses)", look.seen, detector=told) for look in record.looks),
            _row("after", record.after, detector=told),
            "",
            "The draws of the rows that choose are not those of before and after. Intervals are of 95 %. A draw that a "
            "fault or a person disturbed was run again; one that was disturbed each time is no success.",
            "",
            *(self._agreement_lines() if told else self._by_hand_lines()),
            "",
            "| what | version |",
            "|---|---|",
            f"| start | {self.start} |",
            *(f"| {name} | {version} |" for name, version in self.versions.items()),
        ]
        return "\n".join(lines) + "\n"

    @property
    def _false_steps(self) -> int:
        return sum(trial.summary.false_steps for trial in self.trials)

    def _agreement_lines(self) -> list[str]:
        return [
            "| trials | by the reward | by the detector | difference |",
            "|---|---|---|---|",
            _agreement_row(f"all {self.overall.trials}", self.overall),
            _agreement_row(f"last {self.newest.trials}", self.newest),
            "",
            *self._exploit_lines(),
        ]

    def _by_hand_lines(self) -> list[str]:
        """What a person does where only the reward has a word."""
        paid = [trial.recording for trial in self.trials if trial.summary.success][-CHECKED_BY_HAND:]
        lines = [
            f"Nothing at this stand tells the truth: check {CHECKED_BY_HAND} trials by hand. Look at how each ends, "
            "by `tenon dataset render RUN/episodes/NAME --out NAME.mp4` or frame by frame by `tenon label mark RUN`. "
            "Where the reward pays for what is no success, calibrate or train its classifier anew (docs/labelling.md).",
        ]
        if paid:
            lines += ["", "The newest that the reward calls a success:", "", *(f"- `{name}`" for name in paid)]
        return lines

    def _exploit_lines(self) -> list[str]:
        told = f"{self._false_steps} steps in all were paid without a connection."
        if not self.exploits:
            return [f"No trial is a success by the reward alone. {told}"]
        names = [f"- `{trial.recording}`: {trial.summary.false_steps} such steps" for trial in self.exploits]
        return [f"Successes by the reward alone: {len(names)}. {told}", "", *names]


def agreement(trials: Sequence[Trial]) -> Agreement:
    """Of no trials: 0."""
    count, connected = len(trials), connected_count([trial.summary for trial in trials])
    rewarded = sum(trial.summary.success for trial in trials)
    of_each = max(count, 1)
    return Agreement(count, rewarded / of_each, None if connected is None else connected / of_each)


def _practised(record: PracticeRecord) -> str:
    best = record.best
    return f"the policy after {best.trials} trials (gradient step {best.seen.version})"


def _head(*, detector: bool) -> list[str]:
    columns = ["policy", "gradient steps", "success by the reward", "success by the detector", "reward per episode"]
    if not detector:
        columns.remove("success by the detector")
    return [f"| {' | '.join(columns)} |", "|" + "---|" * len(columns)]


def _row(name: str, seen: Judgement | None, *, detector: bool) -> str:
    assert seen is not None
    name = f"{name}, {seen.disturbed} disturbed" if seen.disturbed else name
    cells = [name, str(seen.version), _share(seen.successes, seen.draws)]
    if detector:
        assert seen.connected is not None  # the detector told of every evaluation
        cells.append(_share(seen.connected, seen.draws))
    return f"| {' | '.join(cells)} | {seen.mean_reward:.2f} |"


def _share(count: int, draws: int) -> str:
    interval = wilson_interval(count, draws)
    return f"{count}/{draws} ({interval.low:.2f} - {interval.high:.2f})"


def _agreement_row(name: str, seen: Agreement) -> str:
    return f"| {name} | {seen.rewarded:.2f} | {seen.connected:.2f} | {seen.difference:+.2f} |"


def _judgement_json(seen: Judgement | None) -> dict[str, Any]:
    assert seen is not None
    connected = None if seen.connected_interval is None else asdict(seen.connected_interval)
    intervals = {"interval_95": asdict(seen.interval), "connected_interval_95": connected}
    return {**seen.model_dump(mode="json"), "rate": seen.rate, **intervals}
