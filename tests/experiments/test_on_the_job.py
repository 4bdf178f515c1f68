"""On the job: practice as a Gymnasium loop keeps the best policy, and the bars and tables say what was measured."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from tenon.configuration.session import PracticeConfig
from tenon.data.domains import set_task
from tenon.data.transitions import EnvironmentSpec, ImageSpec, Observation, ObservationSpec, Transition
from tenon.experiments.experiment import ExperimentError
from tenon.experiments.on_the_job import OFFLINE, OURS, SUCCESSES, OnTheJob, OnTheJobFar, OnTheJobNear, OnTheJobSize
from tenon.experiments.on_the_job_ablation import BOTH, COMBINATIONS, NEITHER, POLICY_ALONE, REWARD_ALONE, DAIBAblation
from tenon.experiments.on_the_job_folder import JobFolder, policy_config
from tenon.experiments.on_the_job_practice import JudgedInsertion, Practised, practise
from tenon.experiments.results import Results, Row
from tenon.rewards import RewardObservation, RewardResult
from tenon.session.draws import CHOICE_SEED
from tenon.session.finetune import StartPoint, find_start
from tenon.session.practice import Look
from tenon.training.config import TrainerConfig
from tenon.training.trainer import Trainer

SIZE = 8
SPEC = EnvironmentSpec(
    observation=ObservationSpec(state_size=1, image=ImageSpec(height=SIZE, width=SIZE, channels=3)), action_size=2
)
TINY = {
    "channels": [4],
    "specific_channels": [4],
    "kernels_px": [3],
    "strides_px": [2],
    "dense_size": 8,
    "invariant_size": 4,
    "specific_size": 2,
}
CONFIG = TrainerConfig(
    method="iql_daib",
    algorithm={"hidden_sizes": [16], "bottleneck": TINY, "domains": 2, "encoder_updates": 4},
    batch_size=16,
    offline_updates=4,
)
PRACTICE = PracticeConfig(evaluate_every=4, draws=3, warmup_transitions=10)
STEPS = 4


class TwoPlaces:
    """Stands in for an insertion: the plug is in after an action to the right; red pictures are shown from then on."""

    spec = SPEC

    def __init__(self) -> None:
        self.seeds: list[int | None] = []

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        self.seeds.append(seed)
        self._steps, self._right = 0, False
        return self._seen(), {}

    def step(self, action: np.ndarray, /) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self._steps += 1
        self._right = bool(action[0] > 0.0)
        info = {"success": self._right, "vertical_force_n": 3.0 if self._steps > 1 else 0.0}
        return self._seen(), float(self._right), False, self._steps == STEPS, info

    def _seen(self) -> dict[str, np.ndarray]:
        image = np.zeros((SIZE, SIZE, 3), np.uint8)
        image[..., 0] = 200 if self._right else 0
        return {"state": np.zeros(1, np.float32), "image": image}


class RedPays:
    """A reward by the picture that is fooled ``always``, or not."""

    name: ClassVar[str] = "red"

    def __init__(self, *, always: bool = False) -> None:
        self._always = always
        self.begun = 0

    def begin_episode(self) -> None:
        self.begun += 1

    def reward(self, observation: RewardObservation) -> RewardResult:
        assert observation.image is not None and observation.electrical is None
        success = self._always or bool(observation.image[0, 0, 0] > 100)
        return RewardResult(float(success), success, logit=3.0 if success else -3.0, version="r1")


def _logs() -> list[Transition]:
    rng = np.random.default_rng(0)

    def observation(*, right: bool) -> Observation:
        image = np.zeros((SIZE, SIZE, 3), np.uint8)
        image[..., 0] = 200 if right else 0
        return Observation(np.zeros(1, np.float32), image)

    rows = []
    for number in range(40):
        action = rng.uniform(-1, 1, 2).astype(np.float32)
        right = bool(action[0] > 0)
        where = (f"domain{number % 2}", number // 2, 0)
        before, after = observation(right=False), observation(right=right)
        rows.append(Transition(*where, before, action, float(right), after, terminated=False, truncated=True))
    return rows


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> StartPoint:
    folder = tmp_path_factory.mktemp("offline")
    trainer = Trainer.create(CONFIG, SPEC, folder, seed=0, prior=_logs())
    trainer.train_offline()
    trainer.close()
    return find_start(folder)


def _practised(start: StartPoint, env: TwoPlaces, folder: Path, reward: Any, **changes: Any) -> Practised:
    config = PRACTICE.model_copy(update=changes)
    return practise(start, env, reward, folder, config, trials=10, seed=2)  # type: ignore[arg-type]


def test_reward_sees_pictures_alone_and_the_truth_is_counted_beside_it() -> None:
    env = JudgedInsertion(TwoPlaces(), RedPays(always=True))  # type: ignore[arg-type]
    env.reset(seed=0)
    for action in ([-1.0, 0.0], [-1.0, 0.0], [-1.0, 0.0], [-1.0, 0.0]):
        _, value, _, _, info = env.step(np.array(action))
        told = {"success": True, "reward_logit": 3.0, "reward_version": "r1", "tcp_in_base_m": None}
        assert (value, info) == (1.0, told)
    (outcome,) = env.outcomes
    assert outcome.rewarded.success and not outcome.connected.success and outcome.exploits
    assert outcome.total_reward == 4.0 and outcome.touched


def test_practice_looks_when_the_session_would_and_on_draws_of_their_own(start: StartPoint, tmp_path: Path) -> None:
    env, reward = TwoPlaces(), RedPays()
    done = _practised(start, env, tmp_path, reward, target=1.0, target_times=9)
    assert [look.trials for look in done.record.looks] == [0, 4, 8, 10]
    assert len(done.trials) == 10 and reward.begun == len(env.seeds)
    draws = range(CHOICE_SEED, CHOICE_SEED + 3)
    assert [seed for seed in env.seeds if seed in draws] == [*draws] * 4
    with_trials = Trainer.resume(tmp_path)
    row = with_trials.replay.rows(torch.tensor([0]))[0]
    assert with_trials.replay.transitions == 10 * STEPS
    assert with_trials.replay.reward_version(int(row["reward_version"])) == "r1"
    assert with_trials.updates == 2 * (10 * STEPS - 10)
    with_trials.close()


def test_same_seed_gives_the_same_practice(start: StartPoint, tmp_path: Path) -> None:
    one, other = (_practised(start, TwoPlaces(), tmp_path / name, RedPays()).record for name in "ab")
    assert one == other


def test_target_ends_practice(start: StartPoint, tmp_path: Path) -> None:
    done = _practised(start, TwoPlaces(), tmp_path, RedPays(always=True), target=0.9, target_times=2)
    assert [look.trials for look in done.record.looks] == [0, 4]
    assert len(done.trials) == 4


def test_a_start_that_nothing_beats_is_handed_over(start: StartPoint, tmp_path: Path) -> None:
    seen: list[Look] = []
    done = practise(
        start,
        TwoPlaces(),  # type: ignore[arg-type]
        RedPays(always=True),
        tmp_path,
        PRACTICE,
        trials=10,
        seed=2,
        on_look=seen.append,
    )
    assert tuple(seen) == done.record.looks
    assert done.record.start_is_handed_over and done.handed_over == done.record.before


def test_policy_config_is_the_shipped_one_with_the_variant_asked_for() -> None:
    config = policy_config("erm", 77)
    assert (config.offline_updates, config.algorithm["encoder_updates"]) == (77, 77)
    assert (config.algorithm["policy_variant"], config.sampling.prior_share) == ("erm", 0.75)


def test_policy_of_another_configuration_is_not_taken_silently(start: StartPoint, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "domains.json").write_text("{}")
    shutil.copytree(start.prior.parent, tmp_path / "job" / "policy-erm-seed0")
    (tmp_path / "job" / "cost.json").write_text('{"policy-erm-seed0": 1.0}')
    with pytest.raises(ExperimentError, match=r"policy-erm-seed0: was trained with another configuration .*remove it"):
        JobFolder(tmp_path / "job", tmp_path / "data").policy("erm", 0, 77)


def test_policy_whose_making_was_killed_while_its_data_were_copied_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def begin(*_: Any, **__: Any) -> Trainer:
        raise InterruptedError("made anew")

    monkeypatch.setattr(Trainer, "open", begin)
    set_task(tmp_path / "data", SPEC)
    (tmp_path / "data" / "domains.json").write_text("{}")
    begun = tmp_path / "job" / "policy-erm-seed0"
    (begun / "prior.new").mkdir(parents=True)
    with pytest.raises(InterruptedError, match="made anew"):
        JobFolder(tmp_path / "job", tmp_path / "data").policy("erm", 0, 77)
    shutil.rmtree(begun)  # as the refusal of one with another configuration tells a person to do
    (tmp_path / "job" / "cost.json").write_text('{"policy-erm-seed0": 1.0}')
    with pytest.raises(InterruptedError, match="made anew"):
        JobFolder(tmp_path / "job", tmp_path / "data").policy("erm", 0, 77)


@pytest.mark.parametrize("kind", [OnTheJobNear, OnTheJobFar, DAIBAblation])
def test_without_data_it_says_how_to_get_them(kind: Any, tmp_path: Path) -> None:
    size = OnTheJobSize(data=str(tmp_path / "none"), folder=str(tmp_path))
    with pytest.raises(ExperimentError, match="tenon collect --out"):
        kind(size).size.shared()


CONNECTORS = OnTheJobSize().connectors
GOOD = {
    OFFLINE: 2.0,
    SUCCESSES: 18.0,
    "rewarded_newest": 0.9,
    "connected_newest": 0.92,
    "exploits": 0.0,
}


def _results(values: dict[str, float], **special: dict[str, float]) -> Results:
    """special: connector -> other values."""
    rows = [
        Row(OURS, connector, 0, metric, value)
        for connector in CONNECTORS
        for metric, value in {**values, **special.get(connector, {})}.items()
    ]
    return Results(rows, [])


def _missed(experiment: OnTheJob, results: Results) -> list[str]:
    return [c.condition for c in experiment.conditions(results, finished=1, wanted=1) if not c.met]


@pytest.mark.parametrize("kind", [OnTheJobNear, OnTheJobFar])
def test_good_figures_pass_and_none_pass_nothing(kind: type[OnTheJob]) -> None:
    assert _missed(kind.small(), _results(GOOD)) == []
    assert not any(condition.met for condition in kind.small().bar(Results([], [])))


@pytest.mark.parametrize(
    ("values", "missed"),
    [
        ({SUCCESSES: 14.0}, "least successes of 20"),
        ({OFFLINE: 25.0}, "successes of 80 before"),
        ({"rewarded_newest": 0.98}, "classifier against truth"),
        ({"exploits": 1.0}, "the classifier alone"),
    ],
)
def test_one_connector_that_fails_far_misses_the_bar(values: dict[str, float], missed: str) -> None:
    best = {**GOOD, SUCCESSES: 20.0}
    (condition,) = _missed(OnTheJobFar.small(), _results(best, **{CONNECTORS[1]: values}))
    assert missed in condition


def test_sum_is_asked_for_near_and_far() -> None:
    sixteen = {**GOOD, SUCCESSES: 17.0}
    assert _missed(OnTheJobFar.small(), _results(sixteen)) == ["successes of 80 after practice"]
    assert _missed(OnTheJobNear.small(), _results(sixteen)) == []


def test_tables_show_the_own_figures_beside_the_papers() -> None:
    lines = OnTheJobFar.small().table(_results(GOOD)).splitlines()
    assert lines[2] == "| dt12_01 | - (0) | - (0) | - (0) | - (0) | 2 (0) | 18 (18) |"
    assert lines[-1] == "| sum | - (0) | - (1) | - (0) | - (17) | 8 (8) | 72 (70) |"


def test_ablation_passes_in_the_order_of_the_thesis_alone() -> None:
    def results(after: dict[str, float]) -> Results:
        rows = [
            Row(method, connector, 0, metric, value)
            for method in COMBINATIONS
            for connector in CONNECTORS
            for metric, value in ((OFFLINE, 1.0), (SUCCESSES, after[method]), ("exploits", 0.0))
        ]
        return Results(rows, [])

    order = {BOTH: 17.0, REWARD_ALONE: 10.0, POLICY_ALONE: 6.0, NEITHER: 4.0}
    experiment = DAIBAblation.small()
    assert all(condition.met for condition in experiment.bar(results(order)))
    assert not all(condition.met for condition in experiment.bar(results({**order, BOTH: 9.0})))
    assert f"| {BOTH} | 1 -> 17 | 1 -> 17 | 1 -> 17 | 1 -> 17 | 4 -> 68 | 8 -> 70 | 0 |" in experiment.table(
        results(order)
    )
