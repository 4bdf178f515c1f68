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


LEAST = "plug: {shape: rectangle, width_m: 0.012, height_m: 0.0045}\nclearance_m: 0.0005\n"


def test_a_check_says_the_measures_and_writes_nothing(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text(f"name: mine\ndepth_m: 0.0085\n{LEAST}")
    assert run("connectors", "check", "mine.yaml") == 0
    said = capsys.readouterr()
    assert "rectangle, 12 x 4.5 mm, 8.5 mm deep, 0.5 and 0.5 mm of gap per side" in said.out
    assert "warning" not in said.err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.yaml"]


def test_a_check_ends_with_2_where_a_task_cannot_be_practised(tmp_path, capsys):
    deep = tmp_path / "deep.yaml"
    deep.write_text(f"name: deep\ndepth_m: 0.03\n{LEAST}")
    assert run("connectors", "check", deep, "usb") == 2
    said = capsys.readouterr()
    assert "start_height_m of the task is 24 mm" in said.err and "judged by task 'job-far'" in said.err
    assert "usb: rectangle" in said.out, "the others are checked all the same"
    assert run("connectors", "check", deep, "--task", "usb") == 0


def test_a_check_warns_of_a_picture_that_tells_nothing_and_of_another_name(tmp_path, capsys):
    other = tmp_path / "other.yaml"
    other.write_text(f"name: mine\ndepth_m: 0.0085\n{LEAST}handle: {{width_m: 0.02, height_m: 0.012}}\n")
    assert run("connectors", "check", other) == 0
    said = capsys.readouterr().err
    assert "home and 1.5 mm short look alike" in said
    assert "its name is 'mine', its file's 'other'" in said


def test_what_is_wrong_with_a_file_is_said_before_that_a_picture_is_there(tmp_path, capsys):
    out, deep = tmp_path / "sheet.png", tmp_path / "deep.yaml"
    out.write_bytes(b"there")
    deep.write_text(f"name: deep\ndepth_m: 0.03\n{LEAST}")
    assert run("connectors", "show", deep, "--out", out) == 2
    assert "start_height_m of the task is 24 mm" in capsys.readouterr().err
