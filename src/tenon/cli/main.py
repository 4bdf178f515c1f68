"""Entry of the `tenon` command: reads the command line, runs one command, turns errors into exit statuses."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import tyro

from tenon.cli import calibrate, claw
from tenon.cli.collect import Collect
from tenon.cli.connectors import CheckConnectors, GenerateConnectors, ListConnectors, ShowConnectors
from tenon.cli.console import ERR
from tenon.cli.contact_sheet import ContactSheet
from tenon.cli.dataset import Info, Repair
from tenon.cli.dataset_edit import Mark, Merge, Split, Trim
from tenon.cli.dataset_exchange import Export, Import
from tenon.cli.dataset_render import Render
from tenon.cli.dataset_verify import Verify
from tenon.cli.demo import Demo
from tenon.cli.doctor import Doctor
from tenon.cli.errors import INTERRUPTED, USAGE, CommandError
from tenon.cli.evaluate import Evaluate
from tenon.cli.goal_image import GoalImage
from tenon.cli.label import Label
from tenon.cli.launch import Launch
from tenon.cli.record import Record
from tenon.cli.replay import Replay
from tenon.cli.reproduce import Reproduce
from tenon.cli.reward import Audit, Relabel, Saliency
from tenon.cli.robot import Sdf, Urdf
from tenon.cli.session import ClearFault, Pause, Resume, Run, Stop
from tenon.cli.topic import Echo, Hz, List
from tenon.cli.train import Train
from tenon.cli.web_console import Console

SessionCommand = (
    Annotated[Run, tyro.conf.subcommand("run")]
    | Annotated[Pause, tyro.conf.subcommand("pause")]
    | Annotated[Resume, tyro.conf.subcommand("resume")]
    | Annotated[Stop, tyro.conf.subcommand("stop")]
    | Annotated[ClearFault, tyro.conf.subcommand("clear-fault")]
)
TopicCommand = (
    Annotated[List, tyro.conf.subcommand("list")]
    | Annotated[Echo, tyro.conf.subcommand("echo")]
    | Annotated[Hz, tyro.conf.subcommand("hz")]
)
DatasetCommand = (
    Annotated[Info, tyro.conf.subcommand("info")]
    | Annotated[Verify, tyro.conf.subcommand("verify")]
    | Annotated[Repair, tyro.conf.subcommand("repair")]
    | Annotated[Split, tyro.conf.subcommand("split")]
    | Annotated[Merge, tyro.conf.subcommand("merge")]
    | Annotated[Trim, tyro.conf.subcommand("trim")]
    | Annotated[Mark, tyro.conf.subcommand("mark")]
    | Annotated[Export, tyro.conf.subcommand("export")]
    | Annotated[Import, tyro.conf.subcommand("import")]
    | Annotated[ContactSheet, tyro.conf.subcommand("contact-sheet")]
    | Annotated[Render, tyro.conf.subcommand("render")]
)

ConnectorsCommand = (
    Annotated[GenerateConnectors, tyro.conf.subcommand("generate")]
    | Annotated[ListConnectors, tyro.conf.subcommand("list")]
    | Annotated[ShowConnectors, tyro.conf.subcommand("show")]
    | Annotated[CheckConnectors, tyro.conf.subcommand("check")]
)
RewardCommand = (
    Annotated[Audit, tyro.conf.subcommand("audit")]
    | Annotated[Saliency, tyro.conf.subcommand("saliency")]
    | Annotated[Relabel, tyro.conf.subcommand("relabel")]
)

CalibrateCommand = (
    Annotated[calibrate.Goal, tyro.conf.subcommand("goal")]
    | Annotated[calibrate.Reset, tyro.conf.subcommand("reset")]
    | Annotated[calibrate.Tare, tyro.conf.subcommand("tare")]
    | Annotated[calibrate.HandEye, tyro.conf.subcommand("hand-eye")]
    | Annotated[calibrate.GoalImage, tyro.conf.subcommand("goal-image")]
)
ClawCommand = (
    Annotated[claw.Setup, tyro.conf.subcommand("setup")]
    | Annotated[claw.Demonstrate, tyro.conf.subcommand("demonstrate")]
)
RobotCommand = Annotated[Urdf, tyro.conf.subcommand("urdf")] | Annotated[Sdf, tyro.conf.subcommand("sdf")]


@dataclass(frozen=True)
class Session:
    """Run a robot session, or steer the one that runs."""

    command: SessionCommand

    def run(self) -> int:
        return self.command.run()


@dataclass(frozen=True)
class Topic:
    """Look at the topics of the graph."""

    command: TopicCommand

    def run(self) -> int:
        return self.command.run()


@dataclass(frozen=True)
class Dataset:
    """Look at recorded episodes, check, recover, edit and exchange them."""

    command: DatasetCommand

    def run(self) -> int:
        return self.command.run()


@dataclass(frozen=True)
class Reward:
    """Look at a reward classifier, and pay old data anew with it. `tenon train daib` makes one."""

    command: RewardCommand

    def run(self) -> int:
        return self.command.run()


@dataclass(frozen=True)
class Connectors:
    """Draw families of connectors, list what there is, and see what they look like."""

    command: ConnectorsCommand

    def run(self) -> int:
        return self.command.run()


@dataclass(frozen=True)
class Calibrate:
    """Teach and measure at a stand: goal, reset posture, force, camera, goal image."""

    command: CalibrateCommand

    def run(self) -> int:
        return self.command.run()


@dataclass(frozen=True)
class Claw:
    """Set up a claw's servos, and record demonstrations by hand."""

    command: ClawCommand

    def run(self) -> int:
        return self.command.run()


@dataclass(frozen=True)
class Robot:
    """Describe an arm to other tools."""

    command: RobotCommand

    def run(self) -> int:
        return self.command.run()


Command = (
    Annotated[Session, tyro.conf.subcommand("session")]
    | Annotated[Record, tyro.conf.subcommand("record")]
    | Annotated[Evaluate, tyro.conf.subcommand("evaluate")]
    | Annotated[GoalImage, tyro.conf.subcommand("goal-image")]
    | Annotated[Launch, tyro.conf.subcommand("launch")]
    | Annotated[Topic, tyro.conf.subcommand("topic")]
    | Annotated[Dataset, tyro.conf.subcommand("dataset")]
    | Annotated[Connectors, tyro.conf.subcommand("connectors")]
    | Annotated[Collect, tyro.conf.subcommand("collect")]
    | Annotated[Console, tyro.conf.subcommand("console")]
    | Annotated[Doctor, tyro.conf.subcommand("doctor")]
    | Annotated[Demo, tyro.conf.subcommand("demo")]
    | Annotated[Train, tyro.conf.subcommand("train")]
    | Annotated[Replay, tyro.conf.subcommand("replay")]
    | Annotated[Label, tyro.conf.subcommand("label")]
    | Annotated[Reward, tyro.conf.subcommand("reward")]
    | Annotated[Reproduce, tyro.conf.subcommand("reproduce")]
    | Annotated[Calibrate, tyro.conf.subcommand("calibrate")]
    | Annotated[Claw, tyro.conf.subcommand("claw")]
    | Annotated[Robot, tyro.conf.subcommand("robot")]
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs `tenon` with these arguments (by default the command line's) and returns its exit status."""
    # A machine without a screen renders through EGL; whoever wants another library says so.
    os.environ.setdefault("MUJOCO_GL", "egl")
    command = tyro.cli(
        Command,
        args=arguments,
        prog="tenon",
        description="Robot sessions that learn: run them, look into them, measure them.",
        config=(tyro.conf.OmitArgPrefixes, tyro.conf.OmitSubcommandPrefixes),
    )
    try:
        return int(command.run())
    except CommandError as error:
        _complain(str(error))
        return error.exit_status
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader (head, less) has gone; keep the interpreter from complaining about it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        return _configuration_status(error)


def _configuration_status(error: Exception) -> int:
    from embedded_ros2.finder import UnbuiltPackageError
    from tenon.configuration import ConfigurationError

    if not isinstance(error, (ConfigurationError, UnbuiltPackageError)):
        raise error
    _complain(str(error))
    return USAGE


def _complain(message: str) -> None:
    ERR.print("[bold red]error:[/] ", end="")
    ERR.print(message, markup=False, soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main())
