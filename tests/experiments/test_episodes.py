"""Episodes on fixed draws: what is counted as success, as steps and as force."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tenon.data.transitions import Observation
from tenon.experiments import episodes
from tenon.session.draws import EVALUATION_SEED


class Script:
    """Plays (success, force) per step; remembers the seeds and options that it was reset with."""

    def __init__(self, *steps: tuple[bool, float]) -> None:
        self._steps = steps
        self.resets: list[tuple[int | None, Any]] = []

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        self.resets.append((seed, options))
        self._step = 0
        return np.zeros(2, np.float32), {"in_air": True}

    def step(self, action: Any, /) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        success, force = self._steps[self._step]
        self._step += 1
        info = {"success": success, "peak_force_n": force, "vertical_force_n": -force / 2}
        return np.zeros(2, np.float32), 0.5, False, self._step == len(self._steps), info


def still(observation: Observation) -> Any:
    return np.zeros(1, np.float32)


def test_success_is_judged_on_the_last_step() -> None:
    (slipped,) = episodes.roll_out(Script((True, 1.0), (False, 3.0)), still, [7])
    (seated,) = episodes.roll_out(Script((False, 1.0), (True, 3.0)), still, [7])
    assert (slipped.at_end, slipped.first_success) == (False, 1)
    assert (seated.at_end, seated.first_success) == (True, 2)
    assert episodes.success_rate([slipped, seated]) == 0.5


def test_numbers_of_an_episode_are_sums_and_peaks() -> None:
    (episode,) = episodes.roll_out(Script((False, 1.0), (True, 3.0), (True, 2.0)), still, [7])
    assert (episode.steps, episode.total_reward) == (3, 1.5)
    assert (episode.peak_force_n, episode.peak_vertical_force_n) == (3.0, 1.5)
    assert (episode.seed, episode.start_info) == (7, {"in_air": True})


def test_steps_are_the_mean_over_episodes_with_success() -> None:
    seen = episodes.roll_out(Script((False, 0.0), (True, 0.0)), still, [0])
    seen += episodes.roll_out(Script((False, 0.0)), still, [0])
    assert episodes.mean_steps(seen) == 2.0
    assert episodes.mean_steps(seen[1:]) is None


def test_every_reset_has_its_seed_and_the_options() -> None:
    env = Script((True, 0.0))
    episodes.roll_out(env, still, episodes.evaluation_seeds(2), options={"goal_error_scale": 0.0})
    assert env.resets == [(EVALUATION_SEED + i, {"goal_error_scale": 0.0}) for i in range(2)]


def test_dither_fills_the_box_and_repeats_with_its_seed() -> None:
    observation = Observation(np.zeros(2, np.float32))
    first, second = (episodes.uniform(3, np.random.default_rng(0)) for _ in range(2))
    drawn = np.array([first(observation) for _ in range(200)])
    assert np.array_equal(drawn, [second(observation) for _ in range(200)])
    assert np.abs(drawn).max() <= 1.0
    assert drawn.mean() == pytest.approx(0.0, abs=0.1)
