"""`tenon collect`, and what other commands do with its data."""

from __future__ import annotations

from pathlib import Path

import pytest

from tenon.cli import main as entry
from tenon.configuration import ConfigurationError
from tenon.data.domains import INDEX, TASK, read_index, read_task
from tenon.experiments.prior_data import data_folder

CONNECTOR = "usb_a_01"


@pytest.fixture(scope="module")
def collected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One connector, two episodes."""
    folder = tmp_path_factory.mktemp("collected") / "data"
    options = ("--connector", CONNECTOR, "--episodes-per-connector", "2")
    assert entry.main(["collect", "--out", str(folder), *options]) == 0
    return folder


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--connector", "usb_a_99"), "did you mean 'usb_a_"),
        (("--connector", CONNECTOR, "--split", "held-out"), "connectors of --split held-out"),
        (("--episodes-per-connector", "0"), "1 or more"),
        (("--train-per-series", "0"), "1 or more"),
        (("--jobs", "0"), "1 or more"),
        (("--seed", "-1"), "0 or more"),
        (("--family", "sixty"), "fifty"),
        (("--arm", "ur6"), "ur5"),
        (("--arm", "sim"), "'sim' is a robot, its arm is 'ur5'"),
    ],
)
def test_what_cannot_be_collected_is_refused_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], told: str
) -> None:
    assert entry.main(["collect", "--out", str(tmp_path / "data"), *arguments]) == 2
    assert told in capsys.readouterr().err
    assert not (tmp_path / "data").exists()


def test_info_shows_the_balance_per_connector_and_per_series(
    collected: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert entry.main(["dataset", "info", str(collected)]) == 0
    connectors, series = (line.split("│") for line in capsys.readouterr().out.splitlines() if " usb_a " in line)
    mount = read_index(collected).domains[CONNECTOR].mount
    assert [cell.strip() for cell in connectors[1:7]] == [CONNECTOR, "usb_a", "train", mount, "2", "40"]
    assert [cell.strip() for cell in series[1:7]] == ["usb_a", "usb_a", "train", mount, "2", "40"]
    assert 0.0 <= float(connectors[7]) <= 1.0


def test_info_tells_what_is_wrong_with_a_broken_index(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / INDEX).write_text('{"usb": {"series": "usb"}}')
    assert entry.main(["dataset", "info", str(tmp_path)]) == 1
    told = capsys.readouterr().err
    assert "mount: is missing" in told and "same --out" in told


def test_collection_says_itself_what_it_is_of(collected: Path) -> None:
    spec, folder = data_folder(collected, None)
    assert spec == read_task(collected) and folder == collected
    assert spec.observation.image is not None and spec.observation.image.shape == (64, 64, 3)
    with pytest.raises(ConfigurationError, match="another task"):
        data_folder(collected, spec.model_copy(update={"action_size": 2}))


def test_damaged_task_is_refused(tmp_path: Path) -> None:
    (tmp_path / INDEX).write_text("{}")
    (tmp_path / TASK).write_text('{"action_size": 3')
    with pytest.raises(ConfigurationError, match=TASK):
        data_folder(tmp_path, None)


def test_method_trains_on_a_collection(collected: Path, tmp_path: Path) -> None:
    small = ("batch_size=8", "algorithm.hidden_sizes=[8]", "algorithm.encoder.image=conv")
    options = ("--data", str(collected), "--updates", "1", "--out", str(tmp_path / "out"), "--jobs", "1")
    assert entry.main(["train", "bc", *options, "--set", *small]) == 0
