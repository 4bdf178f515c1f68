"""`tenon claw`: sets up a claw's servos, and records demonstrations by hand."""

from __future__ import annotations

import select
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tenon.cli.console import OUT, note
from tenon.cli.errors import FAILURE, SUCCESS, CommandError, UsageError
from tenon.cli.teaching import ask

if TYPE_CHECKING:
    from tenon.data.transitions import Transition
    from tenon.session.setup import SessionSetup
    from tenon_claw.driver import ClawDriver

SESSION = "valve"


@dataclass(frozen=True)
class Setup:
    """Look for a claw's servos, show what their EEPROM must be changed to, and write it once you agree."""

    robot: str = "claw"
    """A file in config/robots."""
    assign_id: int | None = None
    """Give the only servo that is connected this ID instead, as each new one needs once."""

    def run(self) -> int:
        from tenon_claw import commissioning
        from tenon_claw.bus import BusError
        from tenon_claw.config import SERVO_ID_MAX

        if self.assign_id is not None and not 0 <= self.assign_id <= SERVO_ID_MAX:
            raise UsageError(f"--assign-id {self.assign_id}: a servo's ID is a number from 0 to {SERVO_ID_MAX}")
        settings = _settings(_setup(self.robot))
        try:
            if self.assign_id is not None:
                if not _agreed(f"give the servo on {settings.port} the ID {self.assign_id}"):
                    return FAILURE
                before = commissioning.assign_id(settings, self.assign_id)
                note(f"servo {before} is {self.assign_id} now")
                return SUCCESS
            return self._commission(commissioning, settings)
        except BusError as error:
            raise CommandError(str(error)) from error

    def _commission(self, commissioning: Any, settings: Any) -> int:
        found = commissioning.survey(settings)
        if found.missing:
            raise CommandError(
                f"no answer from servo {', '.join(map(str, found.missing))} at any baud rate: look at cable and "
                "supply, or give a new one its ID with --assign-id"
            )
        if not found.changes:
            note(f"all servos answer at {settings.baud_rate} baud and are as they must be")
            return SUCCESS
        for change in found.changes:
            OUT.print(str(change), markup=False)
        if not _agreed(f"write these {len(found.changes)} entries"):
            return FAILURE
        commissioning.carry_out(settings, found)
        left = commissioning.survey(settings).changes
        if left:
            raise CommandError(f"{len(left)} entries are not as they were written, first: {left[0]}")
        note("done")
        return SUCCESS


@dataclass(frozen=True)
class Demonstrate:
    """Record demonstrations by hand: the fingers have no torque, you move them; the folder is for `--data`.

    What was shown before a fault or Ctrl-C is kept.
    """

    out: Path
    """Folder for the demonstrations."""
    robot: str = "claw"
    """A file in config/robots."""
    episodes: int = 10
    """How many (awac.md: 10)."""
    seed: int = 0
    """Of the first episode's start."""

    def run(self) -> int:
        from tenon.control.drivers import ArmFaultError, DriverError

        setup = _setup(self.robot)
        if setup.robot.emulator is not None:
            raise UsageError(
                f"--robot {self.robot}: nobody can touch an emulated claw; `--data scripted` has its script"
            )
        if self.out.exists():
            raise UsageError(f"--out {self.out}: is there already, demonstrations are not overwritten")
        try:
            return self._record(setup)
        except (ArmFaultError, DriverError) as error:
            raise CommandError(str(error)) from error

    def _record(self, setup: SessionSetup) -> int:
        from tenon.data.prior import write_prior
        from tenon_claw.setup import create_driver

        driver = create_driver(setup)
        shown: list[Transition] = []
        driver.configure()
        try:
            for episode in range(self.episodes):
                shown += self._demonstration(driver, setup, episode)
        finally:
            driver.close()
            if shown:
                count = write_prior(self.out, setup.environment_spec, shown)
                note(f"{count} steps in {self.out}: tenon train awac --env claw-valve --data {self.out} --out ...")
        return SUCCESS

    def _demonstration(self, driver: ClawDriver, setup: SessionSetup, episode: int) -> tuple[Transition, ...]:
        """Without torque before and after it, so that a person has all the time in the world."""
        from tenon.session.valve_job import ValveJob
        from tenon_claw.guiding import go_to_start, record

        job = setup.job
        assert isinstance(job, ValveJob)  # _setup has seen to it
        draw = job.task.draw(self.seed + episode)
        ask(f"demonstration {episode + 1} of {self.episodes}: hands out of the claw, then Enter: it goes to its start")
        driver.activate()
        go_to_start(driver, job.task, draw)
        note("the fingers let go: turn the valve with them; Enter ends it early")
        shown: tuple[Transition, ...] = record(
            driver, job.task, draw, session="by-hand", episode=episode, enough=_enter_was_pressed
        )
        driver.deactivate()
        note("turned" if shown[-1].success else "not turned; it is kept as well")
        return shown


def _setup(robot: str) -> SessionSetup:
    from tenon.session.setup import load_setup

    return load_setup(SESSION, {"robot": robot})


def _settings(setup: SessionSetup) -> Any:
    from tenon_claw.setup import settings_of

    return settings_of(setup)


def _agreed(what: str) -> bool:
    """Whether the person says yes; nobody at a terminal means no."""
    note(f"{what}? Type yes")
    return sys.stdin.readline().strip().lower() == "yes"


def _enter_was_pressed() -> bool:
    if not sys.stdin.isatty() or not select.select([sys.stdin], [], [], 0.0)[0]:
        return False
    sys.stdin.readline()
    return True
