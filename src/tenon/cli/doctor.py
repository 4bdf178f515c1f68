"""`tenon doctor`: looks at everything that a session needs, and says what to do about what is wrong."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from tenon.cli.checks.finding import Finding, Severity, error, info
from tenon.cli.console import ERR, OUT, write_result
from tenon.cli.errors import FAILURE, SUCCESS

if TYPE_CHECKING:
    from tenon.session.setup import SessionSetup

RUNS = Path("runs")
STYLE = {Severity.OK: "green", Severity.INFO: "dim", Severity.WARNING: "yellow", Severity.ERROR: "bold red"}

Check = Callable[[], Sequence[Finding]]


@dataclass(frozen=True)
class Doctor:
    """Check versions, rendering, ports, disk, configuration and rates; each finding with its remedy.

    With --robot it goes through the first day with that robot (docs/first-day.md): the device, its cameras, what was
    taught at its stand, and the command that is next. Exits 1 when something keeps a session from running.
    """

    robot: str | None = None
    """Also look at this robot and its stand: a file in config/robots."""
    task: str | None = None
    """With --robot: the task that it shall do, where not the session's."""
    connector: str | None = None
    """With --robot: the connector, where not the task's."""
    session: str | None = None
    """With --robot: the session that names task, cameras and calibration. Default: sim; valve for a claw."""

    run_directory: Path = RUNS
    """Where runs go: its disk, its permissions and its cut-off episodes are looked at."""
    json: Path | None = None
    """Also write the findings to this file."""
    quick: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Leave out what takes seconds: the measured rates."""

    def run(self) -> int:
        findings = collect(self._checks())
        show(findings)
        is_well = all(finding.severity is not Severity.ERROR for finding in findings)
        write_result(self.json, {"ok": is_well, "findings": [finding.to_json() for finding in findings]})
        return SUCCESS if is_well else FAILURE

    def _checks(self) -> list[tuple[str, Check]]:
        from tenon.cli.checks import files, graphics, machine, software

        checks: list[tuple[str, Check]] = [
            ("python", lambda: [software.check_python()]),
            ("packages", software.check_packages),
            ("torch device", lambda: [software.check_torch_device()]),
            ("rclpy", lambda: software.check_ros(os.environ, software.find_rclpy())),
            ("rendering", graphics.check_graphics),
            ("ROS graph", check_graph),
            ("disk", lambda: [machine.check_disk(self.run_directory)]),
            ("run directory", lambda: [machine.check_writable(self.run_directory)]),
            ("memory", lambda: [machine.check_memory()]),
            ("cores", machine.check_cores),
            ("configuration", check_configuration),
            ("episodes", lambda: [files.check_partial_episodes(self.run_directory)]),
        ]
        if not self.quick:
            checks.append(("message rate", check_messages))
        if self.robot is not None:
            checks += [("robot", self._check_robot), ("stand", self._check_stand)]
        return checks

    def _check_robot(self) -> Sequence[Finding]:
        from tenon.cli.checks.robot import check_robot

        return check_robot(self._setup())

    def _check_stand(self) -> Sequence[Finding]:
        from tenon.cli.checks.robot import check_stand
        from tenon.configuration.resolve import resolve_session

        session = self._session()
        return check_stand(self._setup(), session, resolve_session(session).calibration)

    def _setup(self) -> SessionSetup:
        """The calibration is looked at by itself: an old one must not hide everything else."""
        from tenon.cli.settings import absolute, typed
        from tenon.session.setup import load_setup

        asked = typed(robot=self.robot, task=absolute(self.task), connector=absolute(self.connector))
        return load_setup(self._session(), {**asked, "calibration": None})

    def _session(self) -> str:
        """As typed, else the one that fits the task or the robot."""
        from tenon.cli.session import SESSION, SESSION_OF_KIND
        from tenon.configuration.resolve import ConfigKind, load_named, names
        from tenon.configuration.robot import RobotConfig
        from tenon.simulation.task_kinds import VALVE_KIND, kind_of_task

        if self.session is not None:
            return self.session
        if self.task is not None:
            return SESSION_OF_KIND.get(kind_of_task(self.task), SESSION)
        assert self.robot is not None  # else no stand is looked at
        is_claw = load_named(RobotConfig, ConfigKind.ROBOTS, self.robot).arm in names(ConfigKind.HANDS)
        return SESSION_OF_KIND[VALVE_KIND] if is_claw else SESSION


def collect(checks: Sequence[tuple[str, Check]]) -> list[Finding]:
    """Runs the checks one after the other, with a progress bar. A check that breaks is a finding itself."""
    from rich.progress import track

    from tenon.configuration import ConfigurationError

    findings: list[Finding] = []
    for name, check in track(checks, description="looking", console=ERR, transient=True):
        try:
            findings.extend(check())
        except ConfigurationError as problem:
            said = error("configuration", str(problem), "mend the file, or name another")
            if said not in findings:
                findings.append(said)
        except Exception as failure:  # a doctor must survive whatever it finds
            seen = f"the check itself failed: {type(failure).__name__}: {failure}"
            findings.append(error(name, seen, "see the other findings first, then report this one"))
    return findings


def show(findings: Sequence[Finding]) -> None:
    """A line per finding, and below it the remedy."""
    width = max(len(finding.check) for finding in findings)
    for finding in findings:
        style = STYLE[finding.severity]
        OUT.print(f"[{style}]{finding.severity.value:>7}[/]  {finding.check:<{width}}  ", end="")
        OUT.print(finding.seen, markup=False, soft_wrap=True)
        if finding.remedy:
            OUT.print(f"{'':9}{'':{width}}  -> {finding.remedy}", markup=False, soft_wrap=True)


def check_configuration() -> list[Finding]:
    """All files of the configuration tree load."""
    from tenon.cli.checks.files import check_configuration as check_files

    return check_files()


def check_graph() -> list[Finding]:
    """The domain, the router's port, and who is on the graph already."""
    from tenon.cli.checks import network

    findings = [network.check_domain(os.environ)]
    from tenon_session import introspection

    endpoint = introspection.router_endpoint()
    if endpoint is None:
        return findings  # a real ROS 2, or a router on another machine
    port = network.check_router_port(introspection.is_router, host=endpoint.host, port=endpoint.port)
    findings.append(port)
    if port.severity is Severity.OK and "answers" in port.seen and findings[0].severity is Severity.OK:
        findings.append(network.check_other_sessions(introspection.nodes_on_graph()))
    return findings


def check_messages() -> list[Finding]:
    """Round trip of a message between two nodes over the wire that sessions use."""
    from tenon_session.round_trip import measure_round_trip

    check = "message rate"
    try:
        trip = measure_round_trip()
    except RuntimeError as failure:
        return [error(check, f"no message came through: {failure}", "see the findings on port and domain")]
    median_us, p99_us = trip.median_s * 1e6, trip.p99_s * 1e6
    seen = f"round trip between two processes: median {median_us:.0f} us, 99 % below {p99_us:.0f} us"
    return [info(check, seen)]
