"""`tenon connectors`: files that are what was drawn, a list, a picture; nothing that is there is overwritten."""

from __future__ import annotations

import cv2
import pytest

from tenon.cli.main import main

FAMILY = """
name: mine
seed: 3
series:
  - {name: plain, count: 2, shape: {shape: round, diameter_m: [0.005, 0.006]}, depth_m: [0.006, 0.008]}
  - {name: kept, count: 1, held_out: true, shape: {shape: oval, width_m: [0.010, 0.012], aspect: [0.3, 0.4]},
     depth_m: [0.006, 0.008]}
"""


@pytest.fixture
def family(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(FAMILY)
    return path


def run(*arguments):
    return main([str(argument) for argument in arguments])


def test_generating_twice_gives_the_same_files(family, tmp_path):
    out = tmp_path / "drawn"
    assert run("connectors", "generate", family, "--out", out) == 0
    first = {path.name: path.read_bytes() for path in out.iterdir()}
    assert sorted(first) == ["kept_01.yaml", "plain_01.yaml", "plain_02.yaml"]
    assert run("connectors", "generate", family, "--out", out) == 0
    assert {path.name: path.read_bytes() for path in out.iterdir()} == first


def test_a_file_that_was_changed_is_kept_and_named(family, tmp_path, capsys):
    out = tmp_path / "drawn"
    run("connectors", "generate", family, "--out", out)
    changed = out / "plain_01.yaml"
    changed.write_text(changed.read_text() + "# mine\n")
    assert run("connectors", "generate", family, "--out", out) == 2
    assert changed.read_text().endswith("# mine\n")
    assert "plain_01.yaml" in capsys.readouterr().err


def test_the_list_tells_series_and_use(capsys):
    assert run("connectors", "list", "--series", "nema15") == 0
    listed = capsys.readouterr().out
    assert "fifty/nema15_01" in listed
    assert "held out" in listed
    assert "usb_a" not in listed


def test_an_unknown_series_is_refused_with_those_that_exist(capsys):
    assert run("connectors", "list", "--series", "nema16") == 2
    assert "nema15" in capsys.readouterr().err


def test_a_sheet_shows_a_connector_above_its_socket_and_home(family, tmp_path):
    run("connectors", "generate", family, "--out", tmp_path / "drawn")
    out = tmp_path / "sheet.png"
    assert run("connectors", "show", tmp_path / "drawn" / "plain_01.yaml", "usb", "--out", out) == 0
    picture = cv2.imread(str(out))
    assert picture.shape[1] == 2 * 2 * 64
    assert abs(picture[:60, :64].astype(int) - picture[:60, 64:128]).max() > 30
    assert run("connectors", "show", "usb", "--out", out) == 2, "what is there is kept"


def test_a_malformed_connector_is_refused_with_the_reason(family, tmp_path, capsys):
    run("connectors", "generate", family, "--out", tmp_path / "drawn")
    file = tmp_path / "drawn" / "plain_01.yaml"
    lines = [line for line in file.read_text().splitlines() if not line.startswith("clearance_m")]
    file.write_text("\n".join([*lines, "clearance_m: -0.0002"]))
    assert run("connectors", "show", file, "--out", tmp_path / "sheet.png") == 2
    assert "clearance_m: Input should be greater than or equal to 0.00001" in capsys.readouterr().err
