"""What is wrong with a file is said in its own words: the key, the line, what is allowed there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tenon.configuration.base import ConfigurationError, load, load_yaml, parse
from tenon.configuration.resolve import config_root
from tenon.simulation.connectors import ConnectorConfig

LEAST: dict[str, Any] = {
    "name": "mine",
    "plug": {"shape": "rectangle", "width_m": 0.012, "height_m": 0.0045},
    "depth_m": 0.0085,
    "clearance_m": 0.0005,
}


def refusal(**changes: Any) -> str:
    with pytest.raises(ConfigurationError) as refused:
        parse(ConnectorConfig, {**LEAST, **changes}, where="mine.yaml")
    return str(refused.value)


def test_a_key_that_stands_twice_is_refused_with_its_lines(tmp_path: Path) -> None:
    file = tmp_path / "twice.yaml"
    file.write_text("depth_m: 0.0085\nplug: {a: 1, b: 2}\ndepth_m: 0.002\n")
    with pytest.raises(ConfigurationError, match=r"twice\.yaml.*'depth_m' stands in line 1 and again in line 3"):
        load_yaml(file)
    file.write_text("plug:\n  width_m: 1\n  width_m: 2\n")
    with pytest.raises(ConfigurationError, match="'width_m' stands in line 2 and again in line 3"):
        load_yaml(file)


def test_merged_keys_may_be_overridden_and_items_may_repeat_keys(tmp_path: Path) -> None:
    file = tmp_path / "merged.yaml"
    file.write_text("a: &a {x: 1, y: 2}\nb: {<<: *a, x: 3}\nc: [{x: 1}, {x: 2}]\n")
    assert load_yaml(file)["b"] == {"x": 3, "y": 2}


def test_no_shipped_file_has_a_key_twice() -> None:
    for path in config_root().rglob("*.yaml"):
        load_yaml(path)


PIN = {"shape": "round", "diameter_m": 0.004}


@pytest.mark.parametrize(
    ("plug", "told"),
    [
        ({"shape": "round", "diameter": 0.01}, "Allowed here: shape, diameter_m, key; did you mean 'diameter_m'?"),
        ({"shape": "round", "diameter_m": 0.01, "key": {"width": 1}}, "Allowed here: width_m, height_m; did you"),
        ({"shape": "keystone", "side_angle": 0.2}, "Allowed here: shape, width_m, height_m, side_angle_rad; did you"),
        (
            {"shape": "prongs", "prongs": [{"x_m": 0.005, "profile": {"shape": "round", "diamter_m": 0.004}}]},
            "plug.prongs.prongs.0.profile.round.diamter_m: unknown key. Allowed here: shape, diameter_m, key; did",
        ),
    ],
)
def test_an_unknown_key_of_a_shape_is_told_the_keys_of_that_shape(plug: dict[str, Any], told: str) -> None:
    assert told in refusal(plug=plug)


def test_a_bad_prong_is_not_called_a_missing_one() -> None:
    said = refusal(plug={"shape": "prongs", "prongs": [{"x": 0.005, "profile": PIN}, {"x_m": -0.005, "profile": PIN}]})
    assert "prongs.0.x: unknown key" in said
    assert "at least 2" not in said
    assert "List should have at least 2 items" in refusal(plug={"shape": "prongs", "prongs": []})


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"plug": {"width_m": 0.012}}, "plug: 'shape' is missing: one of 'rectangle', 'keystone', 'round', 'oval',"),
        ({"pins": [{"x_m": 0.001}]}, "pins: a mapping is needed, with the keys rows, columns, pitch_m,"),
        ({"retention": 3}, "retention: a mapping is needed, with the keys minimum_n, maximum_n, begins_at (got 3)"),
        ({"plug": "rectangle"}, "plug: a mapping is needed, with the keys shape, width_m"),
        (
            {"plug": {"shape": "keystone", "width_m": 0.017, "height_m": 0.008, "side_angle_rad": 10}},
            "angles are in radians: 10 degrees are 0.1745",
        ),
        ({"handle": {"width_m": 20}}, "(got 20); lengths are in metres, 12 mm is 0.012"),
    ],
)
def test_a_message_says_what_is_needed_there(changes: dict[str, Any], told: str) -> None:
    assert told in refusal(**changes)


def test_an_empty_file_is_called_empty(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("# nothing yet\n")
    with pytest.raises(ConfigurationError, match=r"mine\.yaml: the file is empty: name: is missing"):
        load(ConnectorConfig, tmp_path / "mine.yaml")
