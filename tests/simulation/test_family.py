"""Families of connectors: the same from the same seed, split by series, and every member can be plugged in."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from tenon.configuration.arm import ArmConfig
from tenon.configuration.base import ConfigurationError, load_yaml, parse
from tenon.configuration.resolve import ConfigKind, config_root, load_named, names
from tenon.control.types import Pose
from tenon.simulation.connectors import ConnectorConfig
from tenon.simulation.family import FamilyConfig, connector_text, generate
from tenon.simulation.insertion import InsertionSimulation
from tenon.simulation.tasks import InsertionTaskConfig

FIFTY = load_named(FamilyConfig, ConfigKind.FAMILIES, "fifty")
MEMBERS = generate(FIFTY)
ONE_OF_EACH_SHAPE = list({member.plug.shape: member for member in MEMBERS}.values())
SERIES = {"name": "plain", "shape": {"shape": "round", "diameter_m": [0.005, 0.006]}, "depth_m": [0.006, 0.008]}
PERIOD_STEPS = 50


def family(*series, seed=1):
    return parse(FamilyConfig, {"name": "mine", "seed": seed, "series": list(series)}, where="mine.yaml")


def test_it_has_fifty_connectors_to_train_on_and_twenty_four_held_out():
    held_out = [member for member in MEMBERS if member.series in FIFTY.held_out_series]
    series = Counter(member.series for member in MEMBERS)
    assert len(MEMBERS) - len(held_out) >= 50
    assert len(series) - len(FIFTY.held_out_series) >= 10
    assert len(held_out) >= 24
    assert len(FIFTY.held_out_series) >= 5
    assert len({member.name for member in MEMBERS}) == len(MEMBERS)


def test_what_is_stored_is_what_is_drawn():
    """A changed family file or generator must not pass unnoticed: data and splits name these connectors."""
    folder = config_root() / "connectors" / "fifty"
    assert {path.stem for path in folder.glob("*.yaml")} == {member.name for member in MEMBERS}
    for member in MEMBERS:
        assert (folder / f"{member.name}.yaml").read_text() == connector_text(member), member.name
    stored = load_named(ConnectorConfig, ConfigKind.CONNECTORS, MEMBERS[5].name)
    assert stored == MEMBERS[5], "what is written loads as what was drawn"


def test_another_seed_gives_other_connectors_and_the_same_seed_the_same():
    first, again, other = (generate(family(SERIES, seed=seed)) for seed in (1, 1, 2))
    assert first == again
    assert not set(map(repr, first)) & set(map(repr, other))


def test_another_series_changes_none_of_the_others():
    alone = generate(family(SERIES))
    beside = generate(family({**SERIES, "name": "first"}, {**SERIES, "count": 6}))
    assert [member for member in beside if member.series == "plain"][: len(alone)] == alone


def test_a_shape_that_cannot_be_is_drawn_again():
    """A hundred twin jacks of this seed: some ranges meet with prongs too near to each other."""
    (jack,) = (series for series in FIFTY.series if series.name == "twin_jack")
    many = FIFTY.model_copy(update={"seed": 777, "series": (jack.model_copy(update={"count": 100}),)})
    assert len({member.name for member in generate(many)}) == 100


def test_mounts_shapes_and_textures_are_all_there():
    assert {member.plug.shape for member in MEMBERS} == {"rectangle", "keystone", "round", "oval", "prongs"}
    mounts = Counter(member.surroundings.camera_mount for member in MEMBERS)
    assert min(mounts["front"], mounts["side"]) > len(MEMBERS) / 4
    assert len({member.appearance.texture for member in MEMBERS}) == 5


def test_where_the_plug_stops_is_no_matter_of_the_picture_alone():
    """Collars stop 0 to 5 mm short of the mouth, and housings stand proud, flush or recessed."""
    gaps = np.array([member.shoulder_gap_m for member in MEMBERS])
    proud = {np.sign(member.housing.proud_m) if member.housing else 0.0 for member in MEMBERS}
    assert (gaps < 0.0005).mean() > 0.1
    assert gaps.max() > 0.004
    assert proud == {-1.0, 0.0, 1.0}
    grasps = [member.grasp_m for member in MEMBERS]
    assert max(grasps) - min(grasps) > 0.006


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"depth_m": [0.008, 0.006]}, r"a range is \(lowest, highest\)"),
        ({"dept_m": [0.006, 0.008]}, "unknown key"),
        ({"shape": {"shape": "round", "width_m": [0.005, 0.006]}}, "width_m"),
        ({"clearance_m": [-0.002, -0.001]}, "clearance_m"),
    ],
)
def test_a_family_that_cannot_be_is_refused_with_the_reason(change, reason):
    with pytest.raises(ConfigurationError, match=reason):
        generate(family({**SERIES, **change}))


def test_a_series_that_is_named_twice_is_refused():
    with pytest.raises(ConfigurationError, match="plain occurs more than once"):
        family(SERIES, SERIES)


@pytest.fixture(params=ONE_OF_EACH_SHAPE, ids=lambda member: member.name)
def stand(request):
    task = parse(InsertionTaskConfig, load_yaml(config_root() / "tasks" / "job-near.yaml"), where="job-near")
    simulation = InsertionSimulation(load_named(ArmConfig, ConfigKind.ARMS, "ur5"), request.param, task)
    simulation.reset(0, goal_error_scale=0.0)
    return simulation


def descend(simulation, offset_m, steps=14):
    """Straight down beside the axis by offset_m, 4 mm ahead of the plug."""
    goal = simulation.goal_in_base
    for _ in range(steps):
        below = simulation.tcp_in_base().position_m[2] - 0.004
        place = np.array((*(goal.position_m[:2] + offset_m), max(below, goal.position_m[2] - 0.004)))
        simulation.step(Pose(place, goal.quaternion_xyzw), PERIOD_STEPS)


def test_over_the_hole_it_goes_home(stand):
    descend(stand, np.array((0.0, 0.0)))
    assert stand.electrical()
    assert stand.peak_force_n < stand.task.force_limit_n


def test_beside_the_hole_it_never_counts_as_home(stand):
    for angle in np.linspace(0.0, 2 * np.pi, 5)[:-1]:
        stand.reset(0, goal_error_scale=0.0)
        descend(stand, 0.012 * np.array((np.cos(angle), np.sin(angle))))
        assert not stand.electrical()
        assert stand.depth_m < 0.004, "it stands on the panel, or in the recess"


def test_the_names_of_a_family_are_found_with_and_without_its_folder():
    assert "fifty/usb_a_01" in names(ConfigKind.CONNECTORS)
    plain, full = (load_named(ConnectorConfig, ConfigKind.CONNECTORS, name) for name in ("usb_a_01", "fifty/usb_a_01"))
    assert plain == full
