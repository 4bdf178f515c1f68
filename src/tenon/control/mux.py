"""Which controller's references go on to the safety supervisor: one source at a time, chosen by the session's phase.

A switch sends one HOLD and from then on passes only references of the new source that answer observations measured
after the switch, so no command of the old source, and none that the new one had still under way, can mix in.

While a source that has begun to move the arm is silent, the mux is silent too: a HOLD in its place would disarm the
supervisor and hide that the controller died. Before its first command, and in phases without a source, it sends HOLD.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from tenon.control.phase import SessionPhase
from tenon.control.types import ControlMode, Reference

RESIDUAL: Final = "residual"
SESSION: Final = "session"
TELEOP: Final = "teleop"
MUX: Final = "mux"
"""``source`` of the HOLD references that the mux makes itself."""
SOURCES: Final = (RESIDUAL, SESSION, TELEOP)

_SOURCE_OF_PHASE: Final = {
    SessionPhase.IDLE: SESSION,
    SessionPhase.RESETTING: SESSION,
    SessionPhase.RUNNING: RESIDUAL,
}


@dataclass(slots=True)
class MuxCounters:
    """What became of references. other_source: not chosen. before_switch: older than the choice. expired: too late."""

    passed: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SOURCES, 0))
    other_source: int = 0
    before_switch: int = 0
    expired: int = 0


class CommandMux:
    """Chooses among "residual", "session" and "teleop".

    teleop_timeout_ns: a teleoperator who has been silent for longer hands back. None: teleoperation is off. A fresh
    teleop command takes over wherever a source could move the arm, never in PAUSED, FAULT and FINISHED. A HOLD of the
    teleoperator hands back at once. In a run that a person drives, teleop is RUNNING's own source: nobody to hand
    back to, and silence is for the supervisor to name, as of any controller.
    hold_after_ns: after a switch the HOLD is repeated only once the new source has been silent for this long. Else it
    could come between an observation and the new source's first answer.
    """

    def __init__(self, *, teleop_timeout_ns: int | None, hold_after_ns: int = 0) -> None:
        if teleop_timeout_ns is not None and teleop_timeout_ns <= 0:
            raise ValueError(
                f"teleop_timeout_ns is {teleop_timeout_ns}: it must be positive, or None for no teleoperation"
            )
        self._teleop_timeout_ns = teleop_timeout_ns
        self._hold_after_ns = hold_after_ns
        self._of_phase: str | None = SESSION
        self._active: str | None = SESSION
        self._switched_ns = 0
        self._moving = False
        self._teleop_ns: int | None = None
        self.counters = MuxCounters()

    @property
    def active(self) -> str | None:
        """The source that is listened to; None where the arm must hold."""
        return self._active

    def on_phase(self, phase: SessionPhase, stamp_ns: int, *, teleoperated: bool = False) -> Reference | None:
        """Takes a new phase of the session, in force since stamp_ns. Returns a HOLD to publish if the source changes.

        stamp_ns is the stamp of the SessionState, so that lateness of the mux cannot cost the first command.
        teleoperated: a person is the controller of this run.
        """
        source = _SOURCE_OF_PHASE.get(phase)
        if source == RESIDUAL and teleoperated:
            source = TELEOP
        taken_over, self._of_phase = self._is_taken_over, source
        if source is None:
            self._teleop_ns = None
        elif taken_over:
            return None
        return self._switch(source, stamp_ns)

    def on_reference(self, reference: Reference, now_ns: int) -> Reference | None:
        """Takes a reference of any source. Returns it if it is to be published, else None."""
        if reference.source == TELEOP and self._of_phase != TELEOP:
            if reference.mode is ControlMode.HOLD:
                return self._hand_back(now_ns) if self._is_taken_over else None
            if self._teleop_may_act(reference, now_ns):
                self._teleop_ns = now_ns
                self._switch(TELEOP, reference.stamp_ns)
        if reference.source != self._active:
            self.counters.other_source += 1
            return None
        if reference.stamp_ns < self._switched_ns:
            self.counters.before_switch += 1
            return None
        if _expired(reference, now_ns):
            self.counters.expired += 1
            return None
        self.counters.passed[reference.source] += 1
        self._moving = reference.mode is not ControlMode.HOLD
        return reference

    def tick(self, now_ns: int) -> Reference | None:
        """Call at the control rate or faster. Returns a HOLD to publish while no source has begun to move the arm."""
        if self._is_taken_over and self._teleop_is_silent(now_ns):
            return self._hand_back(now_ns)
        if self._moving or now_ns - self._switched_ns < self._hold_after_ns:
            return None
        return _hold(now_ns)

    @property
    def _is_taken_over(self) -> bool:
        """Whether a teleoperator acts in the place of the phase's own source."""
        return self._active == TELEOP and self._of_phase != TELEOP

    def _hand_back(self, now_ns: int) -> Reference | None:
        self._teleop_ns = None
        return self._switch(self._of_phase, now_ns)

    def _teleop_may_act(self, reference: Reference, now_ns: int) -> bool:
        enabled = self._teleop_timeout_ns is not None and self._of_phase is not None
        return enabled and not _expired(reference, now_ns)

    def _teleop_is_silent(self, now_ns: int) -> bool:
        if self._teleop_ns is None or self._teleop_timeout_ns is None:
            return True
        return now_ns - self._teleop_ns > self._teleop_timeout_ns

    def _switch(self, source: str | None, stamp_ns: int) -> Reference | None:
        if source == self._active:
            return None
        self._active = source
        self._switched_ns = stamp_ns
        self._moving = False
        return _hold(stamp_ns)


def _expired(reference: Reference, now_ns: int) -> bool:
    return now_ns > reference.stamp_ns + reference.valid_for_ns


def _hold(stamp_ns: int) -> Reference:
    return Reference(stamp_ns=stamp_ns, mode=ControlMode.HOLD, source=MUX, valid_for_ns=0)
