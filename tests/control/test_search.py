"""Scripted searches: they stay in the action box, cover their disc, and go in where there is a hole."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tenon.control.search import (
    BASELINES,
    BaselineName,
    Search,
    SearchConfig,
    SearchPhase,
    SearchReading,
    advance,
    baseline,
    begin,
    spiral_advanced,
    spiral_point,
)
from tenon.control.types import Vector

HEIGHT_M, DEPTH_M, STIFFNESS_N_M, RESPONSE = 0.02, 0.01, 1600.0, 0.6
AUTHORITY_M = (0.006, 0.006, 0.006)


@dataclasses.dataclass
class Table:
    """A frictionless table at height 0 with a hole of radius ``hole_m`` at ``socket_m``; the plug goes DEPTH_M in.

    The arm does RESPONSE of a sideways command.
    """

    socket_m: Vector
    hole_m: float
    position_m: Vector = dataclasses.field(default_factory=lambda: np.array((0.0, 0.0, HEIGHT_M)))
    press_n: float = 0.0

    def move(self, motion_m: Vector) -> None:
        wanted = self.position_m + motion_m * (RESPONSE, RESPONSE, 1.0)
        inside = self.position_m[2] < 0.0
        over = np.hypot(*(wanted[:2] - self.socket_m)) <= self.hole_m
        floor = -DEPTH_M if inside or over else 0.0
        xy = self.position_m[:2] if inside else wanted[:2]
        self.press_n = STIFFNESS_N_M * max(0.0, floor - wanted[2])
        self.position_m = np.array((*xy, max(wanted[2], floor)))

    @property
    def inserted(self) -> bool:
        return bool(self.position_m[2] < -0.9 * DEPTH_M)


def play(config: SearchConfig, table: Table, steps: int, seed: int = 0) -> list[SearchPhase]:
    state, phases = begin(config, np.random.default_rng(seed)), []
    for _ in range(steps):
        reading = SearchReading(table.position_m, table.press_n, table.socket_m)
        state, motion = advance(config, state, reading)
        assert np.abs(motion).max() <= config.step_m + 1e-12
        table.move(motion)
        phases.append(state.phase)
    return phases


@pytest.mark.parametrize("name", BASELINES)
@pytest.mark.parametrize("far", [False, True])
def test_every_baseline_inserts_where_the_place_is_known(name: BaselineName, far: bool) -> None:
    table = Table(socket_m=np.zeros(2), hole_m=0.0005)
    play(baseline(name, far=far), table, 20)
    assert table.inserted


def test_straight_down_misses_a_socket_that_is_elsewhere() -> None:
    table = Table(socket_m=np.array((0.003, 0.0)), hole_m=0.0005)
    play(baseline("down", far=False), table, 40)
    assert not table.inserted and table.position_m[2] == 0.0


def test_localise_moves_over_the_socket_before_it_goes_down() -> None:
    table = Table(socket_m=np.array((0.012, -0.011)), hole_m=0.0011)
    phases = play(baseline("localise", far=True), table, 20)
    assert phases[:4] == [SearchPhase.APPROACH] * 4
    assert table.inserted


def test_spiral_finds_a_hole_within_its_disc() -> None:
    config = baseline("spiral", far=False)
    angles = np.linspace(0, 2 * np.pi, 8, endpoint=False)
    for radius in (0.002, 0.005, 0.009):
        for angle in angles:
            socket = radius * np.array((np.cos(angle), np.sin(angle)))
            table = Table(socket, hole_m=0.0025)
            play(config, table, 200)
            assert table.inserted, (radius, angle)


def test_spiral_leaves_no_gap_wider_than_its_pitch() -> None:
    config = SearchConfig(pattern="spiral")
    angle, path = 0.0, [np.zeros(2)]
    while len(path) < 10_000 and config.pitch_m * angle / (2 * np.pi) <= config.radius_m + config.pitch_m:
        angle = spiral_advanced(config, angle)
        line = np.linspace(0, 1, 20)[1:, None]
        path.extend(path[-1] + line * (spiral_point(config, angle) - path[-1]))
    points = np.array(path)
    generator = np.random.default_rng(1)
    radius = config.radius_m * np.sqrt(generator.uniform(size=500))
    turn = generator.uniform(0, 2 * np.pi, 500)
    disc = np.stack((radius * np.cos(turn), radius * np.sin(turn)), axis=1)
    gaps = np.sqrt(((disc[:, None] - points[None]) ** 2).sum(axis=2)).min(axis=1)
    # A chord cuts its corner by r (1 - cos(turn / 2)), most where the longest turn is a whole stride.
    cut_m = config.stride_m / config.turn_rad * (1 - np.cos(config.turn_rad / 2))
    assert gaps.max() <= config.pitch_m / 2 + cut_m


def test_spiral_steps_are_no_longer_than_the_stride() -> None:
    config, angle = SearchConfig(pattern="spiral"), 0.0
    for _ in range(300):
        following = spiral_advanced(config, angle)
        step = spiral_point(config, following) - spiral_point(config, angle)
        assert np.hypot(*step) <= 1.02 * config.stride_m and following - angle <= config.turn_rad + 1e-12
        angle = following


def test_random_positions_fill_the_disc_and_follow_from_the_seed() -> None:
    config = SearchConfig(pattern="random", positions=4000)
    offsets = begin(config, np.random.default_rng(3)).offsets_m
    radius = np.hypot(offsets[:, 0], offsets[:, 1])
    assert radius.max() <= config.radius_m
    # Uniform by area: a quarter of them within half of the radius.
    assert np.mean(radius < config.radius_m / 2) == pytest.approx(0.25, abs=0.03)
    assert np.array_equal(offsets, begin(config, np.random.default_rng(3)).offsets_m)


def test_random_search_visits_its_positions_while_pressing() -> None:
    config = SearchConfig(pattern="random")
    state = begin(config, np.random.default_rng(0))
    table = Table(socket_m=np.array((1.0, 1.0)), hole_m=0.0)
    visited = [False] * config.positions
    for _ in range(60):
        state, motion = advance(config, state, SearchReading(table.position_m, table.press_n))
        table.move(motion)
        if state.phase is SearchPhase.SEARCH:
            assert motion[2] < 0
            near = np.hypot(*(state.offsets_m - table.position_m[:2]).T) <= config.aligned_m
            visited = [a or bool(b) for a, b in zip(visited, near, strict=True)]
    assert all(visited)


def test_search_ends_when_the_plug_sinks_in() -> None:
    table = Table(socket_m=np.array((0.0012, 0.0)), hole_m=0.001)
    phases = play(baseline("spiral", far=False), table, 30)
    assert SearchPhase.SEARCH in phases and phases[-1] is SearchPhase.INSERT and table.inserted


def test_localised_search_without_a_position_is_refused() -> None:
    config = baseline("spiral", far=True)
    with pytest.raises(ValueError, match="hand in its position"):
        advance(config, begin(config, np.random.default_rng(0)), SearchReading(np.zeros(3), 0.0))


def test_localised_once_heads_for_what_the_first_picture_showed() -> None:
    config = baseline("down", far=True)
    state = begin(config, np.random.default_rng(0))
    first = SearchReading(np.array((0.0, 0.0, HEIGHT_M)), 0.0, np.array((0.01, 0.0)))
    state, _ = advance(config, state, first)
    later = SearchReading(np.array((0.004, 0.0, HEIGHT_M)), 0.0, np.array((-0.01, 0.0)))
    state, motion = advance(config, state, later)
    assert motion[0] > 0
    always = baseline("localise", far=True)
    state, _ = advance(always, begin(always, np.random.default_rng(0)), first)
    _, motion = advance(always, state, later)
    assert motion[0] < 0


def test_controller_speaks_in_actions_and_begins_anew() -> None:
    search = Search(baseline("random", far=False), AUTHORITY_M)
    reading = SearchReading(np.array((0.0, 0.0, HEIGHT_M)), 0.0)
    assert not search.needs_socket
    action = search.act(reading)
    assert action.dtype == np.float32 and action.tolist() == [0.0, 0.0, -1.0]
    search.act(SearchReading(np.zeros(3), 5.0))
    offsets = search.state.offsets_m
    search.begin(1)
    assert search.state.phase is SearchPhase.APPROACH and not np.array_equal(offsets, search.state.offsets_m)


def test_controller_keeps_within_a_smaller_box_of_actions() -> None:
    search = Search(baseline("localise", far=True), (0.002, 0.002, 0.002))
    assert search.needs_socket
    action = search.act(SearchReading(np.array((0.0, 0.0, HEIGHT_M)), 0.0, np.array((0.02, 0.01))))
    assert np.abs(action).max() <= 1.0 and action[0] == pytest.approx(1.0) and action[1] == pytest.approx(0.5)
