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
