"""`tenon calibrate`: what a person teaches and measures at a stand, kept as versions of one file."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tenon.cli.console import OUT, note
from tenon.cli.errors import SUCCESS, CommandError, UsageError
from tenon.cli.teaching import operator, taught_stand

if TYPE_CHECKING:
    from tenon.configuration.calibration import CalibrationConfig, Taken
    from tenon.control.board import BoardConfig, Sighting
    from tenon.control.types import Pose, Vector
    from tenon.session.board_samples import Solved
    from tenon.session.setup import SessionSetup

SESSION = "sim"
CAMERA = "wrist"
PRINTED_PX_PER_SQUARE = 200
FAR_M = 0.05
"""A goal further than this from where the task says is a mistake in one of them."""


@dataclass(frozen=True)
class _Calibrate:
    """What all calibrations share."""

    robot: str
    """Robot at whose stand: a file in config/robots."""
    session: str = SESSION
    """Session that names task and cameras, where they are not typed."""
    task: str | None = None
    """Task, where not the session's."""
    connector: str | None = None
    """Connector, where not the task's: a file in config/connectors, or the path of your own."""
    name: str | None = None
    """Calibration to add to, a file in config/calibrations; left out, it is called after robot, task and connector."""
    by: str | None = None
    """Who does it; left out, who is logged in."""

    def _setup(self) -> SessionSetup:
        from tenon.cli.settings import absolute, typed
        from tenon.session.setup import load_setup

        # An old calibration of the session must not keep a new one from being taken.
        asked = typed(robot=self.robot, task=absolute(self.task), connector=absolute(self.connector))
        return load_setup(self.session, {**asked, "calibration": None})

    def _path(self, setup: SessionSetup) -> Path:
        """Of the calibration that is asked for, else of what the session has for just this stand, else of a new one."""
        from tenon.configuration.resolve import resolve_session
        from tenon.session.calibrations import name_of, path_of

        config, stored = setup.config, resolve_session(self.session)
        of_session = (stored.robot, stored.task, stored.connector)
        named = stored.calibration if of_session == (config.robot, config.task, config.connector) else None
        if self.name is None and named is not None and named != Path(named).stem:
            raise UsageError(
                f"session {stored.name!r} names its calibration by {named!r}, which may be an older version: say which "
                "one is to be added to (--name), a file in config/calibrations"
            )
        return path_of(self.name or named or name_of(config.robot, config.task, config.connector))

    def _open(self) -> tuple[SessionSetup, Path, CalibrationConfig | None]:
        """What is calibrated, where it goes, and what is there: found out before anybody moves an arm."""
        from tenon.session.calibrations import read_or_begin

        setup = self._setup()
        path = self._path(setup)
        return setup, path, read_or_begin(path, setup.config.robot)

    def _keep(self, setup: SessionSetup, path: Path, **parts: Taken) -> int:
        from tenon.session.calibrations import add

        kept = add(path, setup.config.robot, **parts)
        show(kept, path)
        note(f"a session uses it by calibration: {kept.name}")
        return SUCCESS

    def _taken(self, samples: int) -> dict[str, object]:
        return {"by": operator(self.by), "at": datetime.now(UTC).replace(microsecond=0), "samples": samples}


@dataclass(frozen=True)
class Goal(_Calibrate):
    """Teach where the plug is home: the arm gives way, a person plugs in by hand, the pose is taken.

    A simulated or an emulated robot is guided by a simulated hand.
    """

    def run(self) -> int:
        from tenon.configuration.arm import FrameConfig
        from tenon.configuration.calibration import TaughtGoal
        from tenon.session.calibrations import TILT_MAX_RAD, tilt_of

        setup, path, _ = self._open()
        with taught_stand(setup) as stand:
            stand.guide_home()
            taught = stand.pose()
        tcp = taught.tcp_in_base
        off_m = tcp.position_m - setup.nominal_goal_in_base.position_m
        note(f"off from where the task says: {', '.join(f'{1e3 * value:+.2f}' for value in off_m)} mm (x, y, z)")
        if max(abs(off_m)) > FAR_M:
            raise CommandError(
                f"the goal is {1e3 * max(abs(off_m)):.0f} mm from where task {setup.config.task!r} says "
                "(scene.socket_mouth_in_base_m): correct the task, or see that this is its socket"
            )
        tilt = tilt_of(tuple(tcp.quaternion_xyzw))
        if tilt > TILT_MAX_RAD:
            raise CommandError(
                f"the tool leans {tilt:.3f} rad from straight down, allowed are {TILT_MAX_RAD:g}: level the socket, or "
                "hold the plug straight, and try again"
            )
        goal = TaughtGoal.model_validate(
            {
                **self._taken(taught.samples),
                "task": setup.config.task,
                "connector": setup.connector.name,
                "tcp_in_base": FrameConfig(
                    position_m=tuple(tcp.position_m), quaternion_xyzw=tuple(tcp.quaternion_xyzw)
                ),
                "spread_m": taught.spread_m,
            }
        )
        return self._keep(setup, path, goal=goal)


@dataclass(frozen=True)
class Reset(_Calibrate):
    """Teach the posture in which episodes begin: above the socket, elbow and wrist as they shall stay."""

    def run(self) -> int:
        from tenon.configuration.calibration import TaughtReset
        from tenon.control.kinematics import frame_pose
        from tenon.session.reset import start_pose

        setup, path, known = self._open()
        taught_goal = None if known is None else known.goal
        goal = setup.nominal_goal_in_base if taught_goal is None else frame_pose(taught_goal.tcp_in_base)
        start = start_pose(goal, setup.task.start_height_m)
        with taught_stand(setup) as stand:
            height_mm = 1e3 * setup.task.start_height_m
            words = f"bring the plug about {height_mm:.0f} mm above the socket, elbow and wrist bent well"
            stand.guide_to(start, words)
            taught = stand.pose()
        self._check(setup, goal, taught.joint_position_rad)
        reset = TaughtReset.model_validate(
            {
                **self._taken(taught.samples),
                "joint_position_rad": tuple(taught.joint_position_rad),
                "spread_rad": taught.spread_rad,
            }
        )
        return self._keep(setup, path, reset=reset)

    @staticmethod
    def _check(setup: SessionSetup, goal: Pose, joints: Vector) -> None:
        """From there the whole way down must be reachable, away from singular postures."""
        from tenon.control.kinematics import InverseKinematicsConfig, Kinematics
        from tenon.simulation.insertion import tcp_in_flange

        kinematics = Kinematics(setup.arm, tcp_in_flange(setup.connector))
        found = kinematics.inverse(goal, joints)
        if not found.converged:
            raise CommandError(
                f"from this posture the goal cannot be reached ({1e3 * found.position_error_m:.1f} mm remain; at their "
                f"limits: {', '.join(found.at_limit) or 'none'}): bring the arm round the other way and try again"
            )
        least = InverseKinematicsConfig().singular_value_min
        if found.smallest_singular_value < least:
            raise CommandError(
                f"on the way to the goal the arm comes to a singular posture (smallest singular value "
                f"{found.smallest_singular_value:.3f}, {least:g} are needed): bend elbow and wrist more and try again"
            )


@dataclass(frozen=True)
class Tare(_Calibrate):
    """Measure what the force sensor says with nothing touching the tool."""

    def run(self) -> int:
        from tenon.configuration.calibration import MeasuredTare
        from tenon.control.tare import TareError, WrenchTare

        setup, path, _ = self._open()
        tare = WrenchTare(setup.config.tare)
        with taught_stand(setup) as stand:
            if not stand.simulated:
                note("keep hands and parts off the tool")
            try:
                stand.node.collect(tare)
                bias, spread_n = tare.bias(), tare.spread_n
            except TareError as error:
                raise CommandError(str(error)) from error
            taught = stand.pose()
        measured = MeasuredTare.model_validate(
            {
                **self._taken(tare.samples),
                "wrench": tuple(float(value) for value in bias),
                "joint_position_rad": tuple(taught.joint_position_rad),
                "spread_n": spread_n,
            }
        )
        return self._keep(setup, path, tare=measured)


@dataclass(frozen=True)
class HandEye(_Calibrate):
    """Find where the wrist camera sits on the arm, from pictures of a ChArUco board that lies still.

    The arm gives way; bring it to postures that differ in tilt and turn, all with the board in the picture. What was
    taken is kept, so that it can be solved anew. At a simulated stand the board and the postures are simulated too.
    """

    postures: int = 12
    """How many pictures to take."""
    columns: int = 7
    """Squares of the board along its longer side."""
    rows: int = 5
    """Squares along the shorter side."""
    square_mm: float = 12.0
    """Edge of a square; measure the print."""
    marker_mm: float = 9.0
    """Edge of the marker inside."""
    samples: Path | None = None
    """Solve from this folder of pictures instead of taking new ones."""
    print_board: Path | None = None
    """Write the board as a picture to print (.png), and end."""

    def run(self) -> int:
        from tenon.configuration.arm import FrameConfig
        from tenon.configuration.calibration import HandEye as Measured
        from tenon.control.hand_eye import HandEyeError
        from tenon.session.board_samples import solve_folder

        if self.print_board is not None:
            return self._print()
        setup, path, _ = self._open()
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
        folder = self.samples or path.with_suffix("") / f"hand_eye_{stamp}"
        if self.samples is None:
            self._collect(setup, folder)
        try:
            solved = solve_folder(folder)
        except HandEyeError as error:
            raise CommandError(f"{error}\nThe pictures are in {folder}") from error
        self._tell(solved)
        camera = solved.result.camera_in_flange
        measured = Measured.model_validate(
            {
                **self._taken(solved.seen),
                "camera": solved.camera,
                "camera_in_flange": FrameConfig(
                    position_m=tuple(camera.position_m), quaternion_xyzw=tuple(camera.quaternion_xyzw)
                ),
                "position_residual_m": solved.result.position_residual_m,
                "rotation_residual_rad": solved.result.rotation_residual_rad,
                "reprojection_px": solved.reprojection_px,
            }
        )
        return self._keep(setup, path, hand_eye=measured)

    def _board(self) -> BoardConfig:
        from tenon.configuration.base import parse
        from tenon.control.board import BoardConfig

        keys = {"columns": self.columns, "rows": self.rows}
        sizes = {"square_m": 1e-3 * self.square_mm, "marker_m": 1e-3 * self.marker_mm}
        return parse(BoardConfig, {**keys, **sizes}, where="the board")

    def _print(self) -> int:
        from tenon.cli.goal_image import write_picture
        from tenon.control.board import Board

        assert self.print_board is not None
        board = self._board()
        grey = Board(board).draw(PRINTED_PX_PER_SQUARE)
        write_picture(self.print_board, grey[:, :, None].repeat(3, axis=2))
        width_m, height_m = board.size_m
        note(f"{self.print_board}: print it {1e3 * width_m:g} x {1e3 * height_m:g} mm on stiff paper, with a white rim")
        return SUCCESS

    def _collect(self, setup: SessionSetup, folder: Path) -> None:
        from tenon.session.frames import is_simulated

        if is_simulated(setup.insertion_stand):
            self._simulate(setup, folder)
        else:
            self._take(setup, folder)

    def _simulate(self, setup: SessionSetup, folder: Path) -> None:
        import numpy as np

        from tenon.control.board import Board
        from tenon.control.frames import optical_frame
        from tenon.session.board_samples import SampleFolder
        from tenon.session.frames import mounted_cameras
        from tenon.simulation.board import BoardStand

        mounts = mounted_cameras(setup.insertion_stand)
        if optical_frame(CAMERA) not in mounts:
            raise UsageError(f"session {setup.config.name!r} has no camera {CAMERA!r}: name a session that has")
        note("simulated: board, postures and pictures are simulated, with the camera where the simulation mounts it")
        board = self._board()
        stand = BoardStand(setup.arm, Board(board), mounts[optical_frame(CAMERA)])
        kept = SampleFolder(folder, CAMERA, stand.lens, board)
        for number, picture in enumerate(stand.pictures(self.postures, np.random.default_rng(0)), start=1):
            self._say(number, kept.add(picture.flange_in_base, picture.rgb))

    def _take(self, setup: SessionSetup, folder: Path) -> None:
        from tenon.control.kinematics import Kinematics
        from tenon.session.board_samples import SampleFolder

        flange, kept = Kinematics(setup.arm), None
        with taught_stand(setup) as stand:
            for number in range(1, self.postures + 1):
                stand.by_hand(f"posture {number} of {self.postures}: look at the board from another side")
                taught, picture = stand.pose(), stand.node.picture()
                if picture.lens is None:
                    raise CommandError(
                        "the camera does not say what its lens is: give intrinsics in its file in config/cameras"
                    )
                kept = kept or SampleFolder(folder, CAMERA, picture.lens, self._board())
                self._say(number, kept.add(flange.forward(taught.joint_position_rad), picture.rgb))

    @staticmethod
    def _say(number: int, sighting: Sighting | None) -> None:
        if sighting is None:
            note(f"{number}: the board is not seen; the picture does not count")
        else:
            note(f"{number}: {sighting.corners} corners, {sighting.reprojection_px:.2f} px")

    @staticmethod
    def _tell(solved: Solved) -> None:
        result = solved.result
        note(
            f"the board seems to move by {1e3 * result.position_residual_m:.3f} mm and "
            f"{1e3 * result.rotation_residual_rad:.2f} mrad (root mean square of {solved.seen} pictures), worst "
            f"{1e3 * max(result.position_residuals_m):.3f} mm"
        )


@dataclass(frozen=True)
class GoalImage(_Calibrate):
    """Take the picture of the finished state, for `reward: goal_image`; the plug is guided home first."""

    out: Path | None = None
    """Picture to write (.png); left out, it lies beside the calibration. One that is there already is kept."""

    def run(self) -> int:
        from tenon.cli.goal_image import CAMERA_NAME, write_picture
        from tenon.configuration.calibration import GoalPicture
        from tenon.session.calibrations import sha256_of

        setup, path, _ = self._open()
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
        out = (self.out or path.with_suffix("") / f"goal_{stamp}.png").absolute()
        if out.suffix != ".png" or out.exists():
            raise UsageError(f"--out {out}: name a .png file that is not there yet")
        with taught_stand(setup) as stand:
            stand.guide_home()
            picture = stand.node.picture()
        out.parent.mkdir(parents=True, exist_ok=True)
        write_picture(out, picture.rgb)
        taken = GoalPicture.model_validate(
            {
                **self._taken(1),
                "camera": CAMERA_NAME,
                "task": setup.config.task,
                "file": out,
                "sha256": sha256_of(out),
            }
        )
        return self._keep(setup, path, goal_image=taken)


def show(calibration: CalibrationConfig, path: Path) -> None:
    """What a calibration holds, with what tells how good it is."""
    from rich.table import Table

    table = Table(title=f"{path}: version {calibration.version}, {calibration.identity}", title_justify="left")
    for column in ("part", "taken", "by", "how well"):
        table.add_column(column)
    for name, part in calibration.parts.items():
        figures = {
            key: value
            for key, value in part.model_dump().items()
            if key.startswith("spread") or "residual" in key or key in ("reprojection_px", "samples")
        }
        shown = ", ".join(f"{key} {value:.3g}" for key, value in figures.items())
        table.add_row(name, f"{part.at:%Y-%m-%d %H:%M}", part.by, shown)
    OUT.print(table)
