"""Scripted searches on the real environment: what they can do where the place is known, and what they need."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from tenon.control.search import BASELINES, BaselineName
from tenon.data.transitions import ImageArray, Observation
from tenon.environments.baselines import BaselinePolicy, evaluate_baseline, evaluate_baselines
from tenon.environments.insertion import InsertionEnv, make_insertion

CONNECTOR = "usb_a_01"
SEEDS = (0, 1, 2)


class TrueLocaliser:
    """Knows the place. off_m: how wrong it is."""

    def __init__(self, env: InsertionEnv, off_m: float = 0.0) -> None:
        self._env, self._off_m = env, off_m
        self.asked = 0

    def offset_m(self, image: ImageArray) -> NDArray[np.float64]:
        assert image.shape == (64, 64, 3)
        self.asked += 1
        place: NDArray[np.float64] = self._env.simulation.lateral_m + self._off_m
        return place


@pytest.fixture
def far() -> Iterator[InsertionEnv]:
    env = make_insertion("ur5", "job-far", connector=CONNECTOR, observation="image")
    yield env
    env.close()


def test_who_knows_the_place_gets_the_plug_in(far: InsertionEnv) -> None:
    localiser = TrueLocaliser(far)
    results = evaluate_baselines(far, SEEDS, far=True, localiser=localiser)
    assert [result.name for result in results] == list(BASELINES)
    assert all(result.draws == len(SEEDS) and result.successes >= 2 for result in results)


def test_searches_localise_once_and_localise_looks_again(far: InsertionEnv) -> None:
    counts = {}
    for name in BASELINES:
        localiser = TrueLocaliser(far)
        evaluate_baseline(far, name, (0,), far=True, localiser=localiser)
        counts[name] = localiser.asked
    assert counts["down"] == counts["random"] == counts["spiral"] == 1 < counts["localise"]


def test_straight_down_from_far_never_succeeds_with_a_wrong_place(far: InsertionEnv) -> None:
    wrong = TrueLocaliser(far, off_m=0.004)
    assert evaluate_baseline(far, "down", SEEDS, far=True, localiser=wrong).successes == 0


@pytest.mark.parametrize(("name", "is_far"), [("localise", False), ("localise", True), ("spiral", True)])
def test_localising_without_a_localiser_is_refused(name: BaselineName, is_far: bool) -> None:
    with pytest.raises(ValueError, match="needs a localiser"):
        BaselinePolicy(name, (0.006, 0.006, 0.006), far=is_far)


def test_localising_without_pictures_is_refused(far: InsertionEnv) -> None:
    policy = BaselinePolicy("localise", (0.006, 0.006, 0.006), far=True, localiser=TrueLocaliser(far))
    with pytest.raises(ValueError, match="observation='image'"):
        policy.act(Observation(np.zeros(4, np.float32)))


@pytest.mark.parametrize("name", ["down", "random", "spiral"])
def test_near_searches_need_no_picture(name: BaselineName) -> None:
    env = make_insertion("ur5", "job-near", connector=CONNECTOR)
    first = evaluate_baseline(env, name, SEEDS, far=False)
    assert first == evaluate_baseline(env, name, SEEDS, far=False)
    env.close()
