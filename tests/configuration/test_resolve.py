"""From a name to a file: what a person types, mistypes, and brings along."""

from __future__ import annotations

from pathlib import Path

import pytest

from tenon.configuration.base import ConfigurationError
from tenon.configuration.camera import CameraConfig
from tenon.configuration.resolve import ConfigKind, config_root, load_named, names, resolve, resolve_session

WRIST = "name: wrist\nsource: simulation\nwidth: 64\nheight: 48\nrate_hz: 10\n"
SESSION = "name: mine\nrobot: ur5\ntask: hard\nepisodes: 7\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for kind in ConfigKind:
        (tmp_path / kind).mkdir()
    (tmp_path / "cameras" / "wrist.yaml").write_text(WRIST)
    (tmp_path / "cameras" / "overview.yaml").write_text(WRIST.replace("wrist", "overview"))
    (tmp_path / "sessions" / "mine.yaml").write_text(SESSION)
    return tmp_path


def test_name_finds_its_file(root: Path) -> None:
    assert resolve(ConfigKind.CAMERAS, "wrist", root=root) == root / "cameras" / "wrist.yaml"
    assert load_named(CameraConfig, ConfigKind.CAMERAS, "wrist", root=root).height == 48
    assert names(ConfigKind.CAMERAS, root=root) == ["overview", "wrist"]


def test_path_is_taken_as_it_is(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(WRIST)
    assert resolve(ConfigKind.CAMERAS, own, root=root) == own
    monkeypatch.chdir(tmp_path)
    assert resolve(ConfigKind.CAMERAS, "own.yaml", root=root) == Path("own.yaml")


def test_a_name_in_a_folder_is_found_with_and_without_the_folder(root: Path) -> None:
    (root / "cameras" / "lab").mkdir()
    own = root / "cameras" / "lab" / "ceiling.yaml"
    own.write_text(WRIST)
    assert names(ConfigKind.CAMERAS, root=root) == ["overview", "wrist", "lab/ceiling"]
    assert resolve(ConfigKind.CAMERAS, "lab/ceiling", root=root) == own
    assert resolve(ConfigKind.CAMERAS, "ceiling", root=root) == own
    with pytest.raises(ConfigurationError, match=r"overview, wrist, lab/ \(1 files\); did you mean 'ceiling'"):
        resolve(ConfigKind.CAMERAS, "cieling", root=root)
    with pytest.raises(ConfigurationError, match=r"lab/cieling: no such file; did you mean 'lab/ceiling'"):
        resolve(ConfigKind.CAMERAS, "lab/cieling", root=root)


def test_a_name_that_two_folders_have_must_say_which(root: Path) -> None:
    for folder in ("lab", "hall"):
        (root / "cameras" / folder).mkdir()
        (root / "cameras" / folder / "ceiling.yaml").write_text(WRIST)
    with pytest.raises(ConfigurationError, match="could be any of hall/ceiling, lab/ceiling"):
        resolve(ConfigKind.CAMERAS, "ceiling", root=root)


def test_unknown_name_lists_what_exists_and_the_nearest(root: Path) -> None:
    with pytest.raises(
        ConfigurationError, match=r"cameras: 'wirst' is unknown.*overview, wrist; did you mean 'wrist'\?"
    ):
        resolve(ConfigKind.CAMERAS, "wirst", root=root)
    with pytest.raises(ConfigurationError, match=r"There are: none$"):
        resolve(ConfigKind.TASKS, "usb", root=root)


@pytest.mark.parametrize("name", ["nowhere.yaml", "no/where"])
def test_missing_path_says_so(root: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match="no such file"):
        resolve(ConfigKind.CAMERAS, name, root=root)


def test_name_cannot_leave_the_tree(root: Path) -> None:
    (root / "secret.yaml").write_text(WRIST)
    with pytest.raises(ConfigurationError):
        resolve(ConfigKind.CAMERAS, "..", root=root)


def test_environment_variable_moves_the_tree(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TENON_CONFIG", str(root))
    assert config_root() == root
    monkeypatch.setenv("TENON_CONFIG", str(root / "nowhere"))
    with pytest.raises(ConfigurationError, match=r"TENON_CONFIG=.*no such folder"):
        config_root()


def test_session_takes_what_was_typed_over_its_file(root: Path) -> None:
    plain = resolve_session("mine", root=root)
    typed = resolve_session("mine", {"robot": "sawyer", "run_directory": "runs/today", "seed": 3}, root=root)
    assert (plain.robot, plain.episodes) == ("ur5", 7)
    assert (typed.robot, typed.seed) == ("sawyer", 3)
    assert typed.run_directory == Path("runs/today")


def test_wrong_override_names_key_and_file(root: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"mine\.yaml with episods=3: episods: unknown key.*'episodes'"):
        resolve_session("mine", {"episods": 3}, root=root)


def test_a_path_that_is_nearly_right_is_told_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "mine.yml").write_text("name: mine\n")

    def told(name: str) -> str:
        with pytest.raises(ConfigurationError) as refused:
            resolve(ConfigKind.CONNECTORS, tmp_path / name)
        return str(refused.value)

    assert "did you mean" in told("mine.yaml")
    assert "mine.yml" in told("mine.yaml")
    assert "did you mean 'mine.yml'" in told("mien.yml")
    assert "a folder; name one of its files: mine.yml" in told("")
    assert "there is no folder" in told("parts/mine.yaml")
    assert "did you mean 'fifty/nema15_01'" in told("nema15_1.yaml")
