"""A recorded episode's references played again, and how far the arm was then from where it had been.

What is played is what had passed the supervisor (``/command/safe``), one reference per control step, and a HOLD where
none had passed in time: else all that follows would come early. It goes through mux and supervisor again, as a person's
commands do.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from tenon.control.geometry import distance
from tenon.control.mux import RESIDUAL, TELEOP
from tenon.control.phase import SessionPhase
from tenon.control.types import ControlMode, Pose, Reference
from tenon.data.decode import stamp_to_ns
from tenon.data.episodes import EpisodeContract, EpisodeError
from tenon.data.store import Episode, EpisodeStore

if TYPE_CHECKING:
    from tenon.session.setup import SessionSetup

SAFE_TOPIC, OBSERVATION_TOPIC = "/command/safe", "/observation"
ROBOT, CALIBRATION, RATE = COMPARED = ("robot", "calibration", "rate")
"""What a recording and the session that plays it must have in common: references are poses in one arm's base, taught
there, one per control period."""
RATE_TOLERANCE = 0.05
"""A real arm's readings are not stamped to the microsecond."""
_STAND = "stand"
_NONE = "none"
_SOURCES = (RESIDUAL, TELEOP)


@dataclass(frozen=True, slots=True, eq=False)
class ReplayStep:
    """One control step of an episode. reference: what the arm was asked to do; HOLD where nothing passed in time.
    tcp_in_base: where it was; None where its observation is missing."""

    reference: Reference
    tcp_in_base: Pose | None

    @property
    def stamp_ns(self) -> int:
        return self.reference.stamp_ns

    @property
    def moves(self) -> bool:
        return self.reference.mode is not ControlMode.HOLD


@dataclass(frozen=True, slots=True)
class Distance:
    """Between poses, over the steps of an episode."""

    mean_m: float
    most_m: float
    mean_rad: float
    most_rad: float


@dataclass(frozen=True, slots=True)
class TrackingReport:
    """steps: that were compared. from_recording: the TCP of the replay from that of the recording at the same step.

    from_reference, recorded_from_reference: the TCP, one step after a reference, from that reference, in the replay and
    in the recording; None where references are joint angles.
    """

    steps: int
    from_recording: Distance
    from_reference: Distance | None
    recorded_from_reference: Distance | None


def read_steps(episode: Episode) -> list[ReplayStep]:
    """The steps of a recorded episode, one per control period, up to the last that moves the arm.

    Raises EpisodeError where none does.
    """
    references: dict[int, Reference] = {}
    poses: dict[int, Pose] = {}
    for message in EpisodeStore(episode.path.parent).decoded(episode, [SAFE_TOPIC, OBSERVATION_TOPIC]):
        content = message.content
        stamp_ns = stamp_to_ns(content.header.stamp)
        if message.topic == OBSERVATION_TOPIC:
            is_own = content.phase == SessionPhase.RUNNING and content.episode == episode.contract.session_episode
            if is_own:
                poses[stamp_ns] = _pose(content.tcp_in_base)
        elif content.mode != ControlMode.HOLD and content.source in _SOURCES:
            references[stamp_ns] = _reference(content, stamp_ns)
    answered = references.keys() & poses.keys()
    if not answered:
        raise EpisodeError(
            f"{episode.path}: holds no step with both an observation and a reference that passed the supervisor: only "
            f"episodes that a session has recorded can be played again"
        )
    begin_ns, end_ns = min(poses), max(answered)
    stamps = (stamp_ns for stamp_ns in sorted(references.keys() | poses.keys()) if begin_ns <= stamp_ns <= end_ns)
    return _filled([ReplayStep(references.get(stamp, _hold(stamp)), poses.get(stamp)) for stamp in stamps])


def control_period_s(steps: Sequence[ReplayStep]) -> float | None:
    """From one step to the next, as recorded; None for a single step."""
    periods_ns = [after.stamp_ns - step.stamp_ns for step, after in pairwise(steps)]
    return median(periods_ns) * 1e-9 if periods_ns else None


def find_differences(contract: EpisodeContract, steps: Sequence[ReplayStep], setup: SessionSetup) -> dict[str, str]:
    """Where a session is not what the episode was recorded in; empty where it is in all that is compared."""
    found: dict[str, str] = {}
    robot = setup.job.robot_name
    if contract.robot != robot:
        found[ROBOT] = f"recorded on {contract.robot!r}, this is {robot!r}"
    taught, known = (labels.get(_STAND, _NONE) for labels in (contract.calibration, setup.calibration_labels))
    if taught != known:
        found[CALIBRATION] = f"recorded with {taught}, this session has {known}"
    recorded_s, period_s = control_period_s(steps), setup.config.control_period_s
    if recorded_s is not None and not math.isclose(recorded_s, period_s, rel_tol=RATE_TOLERANCE):
        found[RATE] = f"recorded at {1.0 / recorded_s:.3g} Hz, this session runs at {1.0 / period_s:.3g} Hz"
    return found


def _filled(steps: Sequence[ReplayStep]) -> list[ReplayStep]:
    """With a HOLD for each control period of which nothing was recorded."""
    period_ns = round((control_period_s(steps) or 0.0) * 1e9)
    filled = list(steps[:1])
    for before, step in pairwise(steps):
        lost = round((step.stamp_ns - before.stamp_ns) / period_ns) - 1
        filled += [ReplayStep(_hold(before.stamp_ns + period_ns * (k + 1)), None) for k in range(lost)]
        filled.append(step)
    return filled


def _hold(stamp_ns: int) -> Reference:
    return Reference(stamp_ns, ControlMode.HOLD, TELEOP, valid_for_ns=0)


class Replayer:
    """Answers every observation of a running episode with the reference of the same step of the recording.

    After the last step its reference is repeated: a silent controller would be a fault.
    """

    def __init__(self, steps: Sequence[ReplayStep], *, validity_ns: int) -> None:
        self._steps = steps
        self._validity_ns = validity_ns
        self._answered = 0

    @property
    def is_done(self) -> bool:
        """Whether all references have been played."""
        return self._answered >= len(self._steps)

    def on_observation(self, phase: SessionPhase, stamp_ns: int) -> Reference | None:
        """phase: as the observation has it. Returns what is to be published, None while no episode runs."""
        if phase is not SessionPhase.RUNNING:
            return None
        step = self._steps[min(self._answered, len(self._steps) - 1)]
        self._answered += 1
        return replace(step.reference, stamp_ns=stamp_ns, source=TELEOP, valid_for_ns=self._validity_ns)


def compare(recorded: Sequence[ReplayStep], replayed: Sequence[ReplayStep]) -> TrackingReport:
    """Step by step, as far as both go. Both begin with a step whose observation is there, as ``read_steps`` has it."""
    count = min(len(recorded), len(replayed))
    both = zip(recorded[:count], replayed[:count], strict=True)
    seen = [(one.tcp_in_base, other.tcp_in_base) for one, other in both]
    return TrackingReport(
        steps=count,
        from_recording=_distance([(one, other) for one, other in seen if one is not None and other is not None]),
        from_reference=_following(replayed[:count]),
        recorded_from_reference=_following(recorded[:count]),
    )


def _following(steps: Sequence[ReplayStep]) -> Distance | None:
    pairs = [
        (step.reference.tcp_in_base, after.tcp_in_base)
        for step, after in pairwise(steps)
        if step.reference.tcp_in_base is not None and after.tcp_in_base is not None
    ]
    return _distance(pairs) if pairs else None


def _distance(pairs: Sequence[tuple[Pose, Pose]]) -> Distance:
    both = np.array([distance(one, other) for one, other in pairs])
    (mean_m, mean_rad), (most_m, most_rad) = both.mean(axis=0).tolist(), both.max(axis=0).tolist()
    return Distance(mean_m, most_m, mean_rad, most_rad)


def _pose(message: Any) -> Pose:
    position, turn = message.position, message.orientation
    return Pose(np.array((position.x, position.y, position.z)), np.array((turn.x, turn.y, turn.z, turn.w)))


def _reference(message: Any, stamp_ns: int) -> Reference:
    mode = ControlMode(message.mode)
    is_cartesian = mode is ControlMode.CARTESIAN
    return Reference(
        stamp_ns=stamp_ns,
        mode=mode,
        source=str(message.source),
        valid_for_ns=stamp_to_ns(message.valid_for),
        tcp_in_base=_pose(message.tcp_in_base) if is_cartesian else None,
        joint_position_rad=None if is_cartesian else np.array(message.joint_position_rad, np.float64),
    )
