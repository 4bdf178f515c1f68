"""When a person drives, and the references that come of it.

A person takes over by moving the device, and from then on holds the arm: without input it stands at the last target.
They hand back by a button, or where the configuration says so by giving no input for long enough. In an episode that a
person drives from its beginning there is nothing to hand back to. After a hand-back the next take-over begins at rest:
a stick that is still pushed takes nothing over.

The target is moved on by velocity times session time. It never runs further ahead of the measured TCP than the lead,
nor out of the workspace, so that a wall, of metal or of the supervisor's, is met softly.
"""

from __future__ import annotations

import math

import numpy as np

from tenon.configuration.safety import WorkspaceConfig
from tenon.configuration.teleop import TeleopConfig
from tenon.control.geometry import distance, interpolate, multiply, quaternion_from_rotation_vector, unit
from tenon.control.mux import TELEOP
from tenon.control.phase import SessionPhase
from tenon.control.teleop.mapping import TRANSLATIONS, Wish
from tenon.control.types import ControlMode, Pose, Reference, Vector

NS_PER_S = 1_000_000_000
MOVABLE = (SessionPhase.IDLE, SessionPhase.RESETTING, SessionPhase.RUNNING)
NOTHING = Wish(np.zeros(2 * TRANSLATIONS))


class Teleoperator:
    """Feed it the session's phase, every observation and every wish; publish what comes back.

    All times are session time. longest_step_ns: a gap in time moves the target on by no more than this.
    """

    def __init__(
        self, config: TeleopConfig, workspace: WorkspaceConfig, *, validity_ns: int, longest_step_ns: int
    ) -> None:
        self._config = config
        self._lower, self._upper = np.array(workspace.min_m), np.array(workspace.max_m)
        self._validity_ns = validity_ns
        self._longest_step_ns = longest_step_ns
        self._phase = SessionPhase.IDLE
        self._owns = False
        self._seen: tuple[int, Pose] | None = None
        self._wish = NOTHING
        self._target: Pose | None = None
        self._must_rest = False
        self._is_there = True
        self._moved_on_ns = 0
        self._active_ns = 0
        self.takeovers = 0

    @property
    def engaged(self) -> bool:
        """Whether the person drives."""
        return self._target is not None

    def on_session(self, phase: SessionPhase, *, owns: bool) -> None:
        """owns: the person is this run's controller, and drives its episodes from the first step to the last."""
        if phase not in MOVABLE or (phase, owns) != (self._phase, self._owns):
            # A reset has moved the arm, or is about to: whoever still pushes takes over from where it is.
            self._target = None
        self._phase, self._owns = phase, owns

    def driven_by(self, config: TeleopConfig) -> None:
        """Whose lead and patience count from now on, where a person has more than one device; nothing that another one
        still pushes is waited for."""
        self._config, self._must_rest = config, False

    def let_go(self) -> None:
        """The device has gone: nothing more is sent, so that whoever watches for silence finds it."""
        self._target, self._wish, self._is_there = None, NOTHING, False

    def on_observation(self, stamp_ns: int, tcp_in_base: Pose) -> Reference | None:
        """A control tick: while the person drives it is answered at once, as a controller answers it."""
        self._seen = (stamp_ns, tcp_in_base)
        if self._is_owner and self._is_there and self._target is None:
            self._engage(stamp_ns)
        return self._reference(stamp_ns)

    def on_wish(self, wish: Wish, now_ns: int) -> Reference | None:
        """A reading of the device. Returns a reference, or a HOLD that hands back, or nothing."""
        self._must_rest = self._must_rest and wish.moves
        if self._must_rest:
            wish = Wish(NOTHING.velocity, wish.pressed, wish.gripper)
        self._wish, self._is_there = wish, True
        if not self._may_move or self._seen is None:
            return None
        if wish.moves:
            self._active_ns = now_ns
            if self._target is None:
                self._engage(now_ns)
        if self._hands_back(wish, now_ns) and (hold := self.hand_back(now_ns)) is not None:
            return hold
        return self._reference(now_ns)

    def hand_back(self, now_ns: int) -> Reference | None:
        """At the person's word: the HOLD that hands back; None where they have nothing to hand back."""
        if self._target is None or self._is_owner:
            return None
        self._target, self._must_rest = None, self._wish.moves
        return Reference(now_ns, ControlMode.HOLD, TELEOP, self._validity_ns)

    @property
    def _may_move(self) -> bool:
        """The reset of a run that the person drives is left alone: they may still hold a key down as it begins."""
        return self._phase in MOVABLE and not (self._owns and self._phase is SessionPhase.RESETTING)

    @property
    def _is_owner(self) -> bool:
        return self._owns and self._phase is SessionPhase.RUNNING

    def _hands_back(self, wish: Wish, now_ns: int) -> bool:
        patience_s = self._config.hand_back_after_s
        idle = patience_s is not None and now_ns - self._active_ns > patience_s * NS_PER_S
        return "hand_back" in wish.pressed or idle

    def _engage(self, now_ns: int) -> None:
        assert self._seen is not None  # else there is nothing to start from
        self._target = self._seen[1]
        self._moved_on_ns = self._active_ns = now_ns
        self.takeovers += 1

    def _reference(self, now_ns: int) -> Reference | None:
        if self._target is None or self._seen is None:
            return None
        stamp_ns, measured = self._seen
        step_ns = min(max(now_ns - self._moved_on_ns, 0), self._longest_step_ns)
        self._moved_on_ns = max(now_ns, self._moved_on_ns)
        self._target = self._moved(self._target, measured, step_ns / NS_PER_S)
        return Reference(stamp_ns, ControlMode.CARTESIAN, TELEOP, self._validity_ns, tcp_in_base=self._target)

    def _moved(self, target: Pose, measured: Pose, step_s: float) -> Pose:
        velocity = self._wish.velocity
        position_m = target.position_m + velocity[:TRANSLATIONS] * step_s
        ahead_m = position_m - measured.position_m
        too_far = float(np.linalg.norm(ahead_m)) / self._config.lead_m
        if too_far > 1.0:
            position_m = measured.position_m + ahead_m / too_far
        position_m = np.clip(position_m, self._lower, self._upper)
        return Pose(position_m, self._turned(target, measured, velocity[TRANSLATIONS:] * step_s))

    def _turned(self, target: Pose, measured: Pose, rotation_rad: Vector) -> Vector:
        if not rotation_rad.any():
            return target.quaternion_xyzw
        turned = unit(multiply(quaternion_from_rotation_vector(rotation_rad), target.quaternion_xyzw))
        ahead = Pose(measured.position_m, turned)
        angle_rad = distance(measured, ahead)[1]
        if angle_rad <= self._config.lead_rad or math.isclose(angle_rad, 0.0):
            return turned
        return interpolate(measured, ahead, self._config.lead_rad / angle_rad).quaternion_xyzw
