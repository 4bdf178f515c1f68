"""What `tenon doctor --robot` looks at on a UR5: is it there, is it the right one, may it move."""

from __future__ import annotations

from tenon.cli.checks.finding import Finding, error, ok
from tenon.control.drivers import ArmFaultError
from tenon_ur5.config import DriverSettings
from tenon_ur5.gripper import GRIPPER_PORT
from tenon_ur5.link import REACH_TIMEOUT_S, ask_dashboard
from tenon_ur5.probe import RTDE_PORT, reachable, sends_readings
from tenon_ur5.stops import refusal_of

MAY_MOVE = ("NORMAL", "REDUCED")
PORTS = {RTDE_PORT: "RTDE", 30003: "scripts", 29999: "dashboard"}


def check(settings: DriverSettings) -> list[Finding]:
    """From the cable up; what cannot be known without what failed before is left out. Nothing moves."""
    host = settings.host
    closed = [f"{port} ({name})" for port, name in PORTS.items() if not reachable(host, port, REACH_TIMEOUT_S)]
    if closed:
        remedy = (
            f"see that it is switched on, that `ping {host}` works, and that host in the robot's file is its address; "
            "where only some are closed, enable them at the pendant: Settings, Security, Services (PolyScope 5.10 and "
            "later; PolyScope X is not supported)"
        )
        return [error("UR5 ports", f"{host} does not answer on {', '.join(closed)}", remedy)]
    findings = [ok("UR5 ports", f"{host} answers on {', '.join(map(str, PORTS))}")]
    if not sends_readings(host, REACH_TIMEOUT_S):
        return [*findings, error("UR5 readings", f"port {RTDE_PORT} sends nothing", "restart the controller")]
    findings.append(ok("UR5 readings", f"RTDE streams, expected at {1 / settings.period_s:g} Hz"))
    findings += _check_state(settings)
    if settings.robotiq and not reachable(host, GRIPPER_PORT, REACH_TIMEOUT_S):
        findings.append(error("gripper", f"{host}:{GRIPPER_PORT} does not answer", "install the Robotiq URCap"))
    return findings


def _check_state(settings: DriverSettings) -> list[Finding]:
    try:
        controller = ask_dashboard(settings.host)
    except ArmFaultError as fault:
        return [error("UR5 dashboard", str(fault), "restart the controller")]
    refusal = refusal_of(controller, settings.software)
    seen = f"{controller.model or 'UR'}, software {controller.version}"
    findings = [error("UR5 software", seen, refusal) if refusal else ok("UR5 software", seen)]
    if controller.safety_mode.upper() not in MAY_MOVE:
        remedy = "find out why, then clear it at the pendant"
        findings.append(error("UR5 safety", f"its safety system says {controller.safety_mode}", remedy))
    elif controller.robot_mode.upper() != "RUNNING":
        remedy = "power on and release the brakes at the pendant"
        findings.append(error("UR5 mode", f"it is {controller.robot_mode}", remedy))
    else:
        findings.append(ok("UR5 mode", "running, no stop"))
    return findings
