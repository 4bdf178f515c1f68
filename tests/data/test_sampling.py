"""What a learner draws, against a plain list of transitions in memory."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tenon.configuration import ConfigurationError
from tenon.data.batch import Batch
from tenon.data.goals import goal_reward
from tenon.data.mapped_array import StorageError
from tenon.data.prior import write_prior
from tenon.data.replay import Replay, ReplayConfig
from tenon.data.sampling import RelabelConfig, Sampler, SamplingConfig, _approach
from tenon.data.transitions import (
    EnvironmentSpec,
    GoalSpec,
    ImageSpec,
    Observation,
    ObservationSpec,
    Transition,
    TransitionError,
)

TASK = GoalSpec(size=2, tolerance=0.9, reward="miss_penalty")
SPEC = EnvironmentSpec(observation=ObservationSpec(state_size=3, goal=TASK), action_size=1)
DISCOUNT = 0.9
STRATEGIES = ["future", "final", "episode"]


def episode_of(number: int, length: int, *, terminates: bool = False, session: str = "s") -> list[Transition]:
    """state: [position, desired goal]; achieved goals are all different, so that each can be told by its value."""
    rng = np.random.default_rng((number, length))
    desired = rng.uniform(0, 1, 2)
    positions = rng.normal(size=length + 1)
    steps = []
    for step in range(length):
        before, after = (np.append(positions[step + k], desired).astype(np.float32) for k in (0, 1))
        steps.append(
            Transition(
                session=session,
                episode=number,
                step=step,
                observation=Observation(before),
                action=rng.uniform(-1, 1, 1).astype(np.float32),
                reward=float(rng.uniform(-1.0, 0.0)),
                next_observation=Observation(after, achieved_goal=rng.uniform(0, 1, 2).astype(np.float32)),
                terminated=terminates and step == length - 1,
                truncated=not terminates and step == length - 1,
            )
        )
    return steps


def stream(lengths: list[int]) -> list[Transition]:
    """Episodes of these lengths, every second of which terminates."""
    return [step for number, length in enumerate(lengths) for step in episode_of(number, length, terminates=number % 2)]


@dataclasses.dataclass
class Case:
    """A replay beside the list of all that came into it."""

    replay: Replay
    steps: list[Transition]

    def span(self, number: int, window: range) -> range:
        """By walking from ``number`` in both directions, as long as one step follows the other."""

        def follows(n: int) -> bool:
            a, b = self.steps[n - 1], self.steps[n]
            same = (a.session, a.episode, a.step + 1) == (b.session, b.episode, b.step)
            return same and not a.ended

        first = last = number
        while first > window.start and follows(first):
            first -= 1
        while last + 1 < window.stop and follows(last + 1):
            last += 1
        return range(first, last + 1)

    def candidates(self, number: int, window: range, strategy: str) -> list[int]:
        span = self.span(number, window)
        if strategy == "final":
            return [span[-1]]
        return list(span if strategy == "episode" else range(number, span.stop))

    def achieved(self, number: int) -> np.ndarray:
        goal = self.steps[number].next_observation.achieved_goal
        assert goal is not None
        return goal


def case_of(tmp_path: Path, steps: list[Transition], **config: Any) -> Case:
    replay = Replay(tmp_path / "own", SPEC, ReplayConfig(**{"capacity": 1000, "reserve": 100, **config}))
    for step in steps:
        replay.add(step)
    return Case(replay, steps)


def draw(case: Case, count: int, until: int | None = None, *, seed: int = 0, **config: Any) -> Batch:
    sampler = Sampler(case.replay, None, SamplingConfig(**config), DISCOUNT)
    generator = torch.Generator().manual_seed(seed)
    return sampler.sample(count, generator, until=case.replay.transitions if until is None else until)


def relabel(strategy: str = "future", probability: float = 1.0) -> RelabelConfig:
    return RelabelConfig(strategy=strategy, probability=probability)


OUT_OF_ORDER = [
    *episode_of(0, 6)[:4],  # an episode that was cut off
    *episode_of(1, 5)[2:],  # one whose first steps came late
    *episode_of(1, 5)[:2],
    *reversed(episode_of(2, 4)),  # one that came backwards
    *episode_of(3, 7, terminates=True),
    *episode_of(4, 1),
    dataclasses.replace(episode_of(6, 3)[0], truncated=True),  # one that goes on after it has ended
    *episode_of(6, 3)[1:],
    *episode_of(5, 9)[:3],  # one that is still running
]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_goals_are_those_that_the_strategy_allows_and_all_of_them_come(tmp_path: Path, strategy: str) -> None:
    case = case_of(tmp_path, OUT_OF_ORDER)
    window = range(len(OUT_OF_ORDER))
    batch = draw(case, 4000, relabel=relabel(strategy))
    seen: dict[int, set[int]] = {number: set() for number in window}
    for row, number in enumerate(batch.number.tolist()):
        goal = batch.observation.state[row, 1:].numpy()
        matches = [n for n in window if np.array_equal(case.achieved(n), goal)]
        assert len(matches) == 1
        seen[number].add(matches[0])
    assert seen == {number: set(case.candidates(number, window, strategy)) for number in window}


def test_future_goals_are_drawn_uniformly(tmp_path: Path) -> None:
    case = case_of(tmp_path, episode_of(0, 5))
    batch = draw(case, 20_000, relabel=relabel())
    of_first = batch.observation.state[batch.number == 0, 1:].numpy()
    shares = [np.mean([np.array_equal(goal, case.achieved(n)) for goal in of_first]) for n in range(5)]
    np.testing.assert_allclose(shares, 0.2, atol=0.03)


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("reward", ["miss_penalty", "all_reached"])
def test_relabelled_reward_is_that_of_the_next_achieved_goal(tmp_path: Path, strategy: str, reward: str) -> None:
    task = TASK.model_copy(update={"reward": reward})
    spec = EnvironmentSpec(observation=ObservationSpec(state_size=3, goal=task), action_size=1)
    replay = Replay(tmp_path, spec, ReplayConfig(capacity=100, reserve=10))
    steps = [dataclasses.replace(step, reward=task.reward_bounds[0]) for step in stream([7, 4, 9])]
    for step in steps:
        replay.add(step)
    batch = draw(Case(replay, steps), 500, relabel=relabel(strategy))
    achieved = replay.values("achieved_goal", batch.number.numpy())
    desired = batch.next_observation.state[:, 1:]
    assert torch.equal(batch.observation.state[:, 1:], desired)
    assert torch.equal(batch.reward, goal_reward(achieved, desired, task))
    assert len(set(batch.reward.tolist())) == 2


def test_what_is_not_relabelled_stays_as_it_was_and_the_share_is_the_probability(tmp_path: Path) -> None:
    case = case_of(tmp_path, stream([7, 4, 9]))
    batch = draw(case, 4000, relabel=relabel(probability=0.8))
    plain = case.replay.gather(batch.number)
    same = (batch.observation.state == plain.observation.state).all(dim=1)
    assert 0.77 < 1.0 - float(same.to(torch.float32).mean()) < 0.83
    assert torch.equal(batch.reward[same], plain.reward[same])
    assert torch.equal(batch.next_observation.state[same], plain.next_observation.state[same])
    assert torch.equal(batch.observation.state[:, 0], plain.observation.state[:, 0])
    assert torch.equal(batch.next_observation.state[:, 0], plain.next_observation.state[:, 0])
    for name in ("action", "terminated"):
        assert torch.equal(getattr(batch, name), getattr(plain, name))


def test_relabelling_leaves_the_replay_alone(tmp_path: Path) -> None:
    case = case_of(tmp_path, stream([7, 4]))
    before = case.replay.gather(torch.arange(11)).observation.state
    draw(case, 100, relabel=relabel())
    assert torch.equal(before, case.replay.gather(torch.arange(11)).observation.state)


@pytest.mark.parametrize("n_step", [1, 2, 3, 20])
@pytest.mark.parametrize("relabelled", [False, True])
def test_n_step_return_is_that_of_a_plain_loop(tmp_path: Path, n_step: int, relabelled: bool) -> None:
    case = case_of(tmp_path, OUT_OF_ORDER)
    window = range(len(OUT_OF_ORDER))
    batch = draw(case, 800, n_step=n_step, relabel=relabel() if relabelled else None)
    assert (batch.steps is None) == (n_step == 1)
    for row, number in enumerate(batch.number.tolist()):
        span, total, steps = case.span(number, window), 0.0, 0
        desired = batch.observation.state[row, 1:]
        for n in range(number, min(number + n_step, span.stop)):
            reward = case.steps[n].reward
            if relabelled:
                reward = float(goal_reward(torch.from_numpy(case.achieved(n))[None], desired[None], TASK))
            total += DISCOUNT**steps * reward
            steps += 1
        last = case.steps[number + steps - 1]
        assert float(batch.reward[row]) == pytest.approx(total, abs=1e-5)
        assert bool(batch.terminated[row]) == last.terminated
        assert float(batch.next_observation.state[row, 0]) == last.next_observation.state[0]
        np.testing.assert_array_equal(batch.action[row].numpy(), case.steps[number].action)
        assert batch.steps is None or int(batch.steps[row]) == steps


@pytest.mark.parametrize("settings", [{}, {"relabel": relabel("episode"), "n_step": 3}])
def test_sample_depends_on_the_first_transitions_alone(tmp_path: Path, settings: dict[str, Any]) -> None:
    """Through wrap-around, a running episode, and a restart; also of spans that reach out of the window."""
    steps = stream([13] * 40)
    case = case_of(tmp_path, steps[:150], capacity=60, reserve=40)
    early = draw(case, 300, until=130, **settings)
    for step in steps[150:169]:
        case.replay.add(step)
    late = draw(case, 300, until=130, **settings)
    case.replay.close()
    again = case_of(tmp_path, [], capacity=60, reserve=40)
    reopened = draw(again, 300, until=130, **settings)
    assert set(early.number.tolist()) <= set(range(70, 130))
    for other in (late, reopened):
        for (name, a), (_, b) in zip(early.named_tensors(), other.named_tensors(), strict=True):
            assert torch.equal(a, b), name


@pytest.mark.parametrize("reopened", [False, True])
def test_spans_are_those_of_a_walk_through_every_round_of_the_ring(tmp_path: Path, reopened: bool) -> None:
    rng = np.random.default_rng(2)
    steps = stream(rng.integers(1, 9, 400).tolist())
    steps = [dataclasses.replace(step, truncated=number % 11 == 0) for number, step in enumerate(steps)]
    case = case_of(tmp_path, [], capacity=50, reserve=20)
    case.steps = steps
    for count, step in enumerate(steps, start=1):
        case.replay.add(step)
        if count % 97 == 0:
            if reopened:
                case.replay.close()
                case.replay = case_of(tmp_path, [], capacity=50, reserve=20).replay
            for until in (count, max(1, count - 7)):
                window = case.replay.window(until)
                first, last = case.replay.spans(np.array(window), window)
                expected = [case.span(number, window) for number in window]
                assert first.tolist() == [span[0] for span in expected]
                assert last.tolist() == [span[-1] for span in expected]


def test_same_generator_gives_the_same_batch_and_another_gives_another(tmp_path: Path) -> None:
    case = case_of(tmp_path, stream([7, 4, 9]))
    settings = {"relabel": relabel(), "n_step": 2}
    first, same, other = (draw(case, 64, seed=seed, **settings) for seed in (5, 5, 6))
    assert torch.equal(first.number, same.number) and torch.equal(first.reward, same.reward)
    assert torch.equal(first.observation.state, same.observation.state)
    assert not torch.equal(first.number, other.number)


def _mixed(tmp_path: Path, own: int, prior: int, share: float | None) -> Sampler:
    write_prior(tmp_path / "prior", SPEC, episode_of(0, prior, session="demonstration"))
    case = case_of(tmp_path, episode_of(1, own) if own else [])
    config = SamplingConfig(prior_share=share, relabel=relabel(probability=0.5))
    return Sampler(case.replay, Replay.open(tmp_path / "prior", SPEC), config, DISCOUNT)


@pytest.mark.parametrize(("share", "expected"), [(0.0, 0), (0.25, 16), (0.33, 21), (0.5, 32), (1.0, 64)])
def test_share_of_every_batch_comes_from_the_prior_data(tmp_path: Path, share: float, expected: int) -> None:
    sampler = _mixed(tmp_path, own=50, prior=10, share=share)
    for seed in range(5):
        batch = sampler.sample(64, torch.Generator().manual_seed(seed), until=50)
        assert int(batch.prior.sum()) == expected
        assert batch.number[batch.prior].tolist() == [n for n in batch.number[batch.prior].tolist() if n < 10]


def test_without_a_share_all_transitions_are_equally_likely(tmp_path: Path) -> None:
    sampler = _mixed(tmp_path, own=50, prior=10, share=None)
    batch = sampler.sample(60_000, torch.Generator().manual_seed(0), until=30)
    keys = batch.number + 100 * batch.prior
    counts = torch.bincount(keys, minlength=110)
    assert int(counts[:30].min()) > 1300 and int(counts[:30].max()) < 1700
    assert int(counts[100:].min()) > 1300 and int(counts[100:].max()) < 1700
    assert int(counts[30:100].sum()) == 0


def test_rows_of_both_sources_hold_what_their_numbers_say(tmp_path: Path) -> None:
    sampler = _mixed(tmp_path, own=50, prior=10, share=0.4)
    batch = sampler.sample(200, torch.Generator().manual_seed(3), until=50)
    own, prior = episode_of(1, 50), episode_of(0, 10)
    assert set(batch.prior.tolist()) == {True, False}
    for row, (number, is_prior) in enumerate(zip(batch.number.tolist(), batch.prior.tolist(), strict=True)):
        expected = (prior if is_prior else own)[number]
        assert float(batch.observation.state[row, 0]) == expected.observation.state[0]
        assert float(batch.next_observation.state[row, 0]) == expected.next_observation.state[0]
        np.testing.assert_array_equal(batch.action[row].numpy(), expected.action)


@pytest.mark.parametrize("share", [None, 0.25])
def test_before_any_practice_all_comes_from_the_prior_data(tmp_path: Path, share: float | None) -> None:
    sampler = _mixed(tmp_path, own=20, prior=10, share=share)
    assert bool(sampler.sample(64, torch.Generator(), until=0).prior.all())


def test_nothing_to_draw_from_says_so(tmp_path: Path) -> None:
    sampler = Sampler(case_of(tmp_path, []).replay, None, SamplingConfig(), DISCOUNT)
    with pytest.raises(StorageError, match="the replay is empty and there are no prior data"):
        sampler.sample(4, torch.Generator(), until=0)


def test_share_without_prior_data_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"prior_share: is 0.5, but there are no prior data"):
        Sampler(case_of(tmp_path, []).replay, None, SamplingConfig(prior_share=0.5), DISCOUNT)


def test_hindsight_without_goals_is_refused(tmp_path: Path) -> None:
    plain = EnvironmentSpec(observation=ObservationSpec(state_size=3), action_size=1)
    with pytest.raises(ConfigurationError, match=r"sampling.relabel: the task has no goals"):
        Sampler(Replay(tmp_path, plain), None, SamplingConfig(relabel=relabel()), DISCOUNT)


def test_replay_of_another_goal_is_refused_by_the_name_of_the_difference(tmp_path: Path) -> None:
    case_of(tmp_path, stream([3])).replay.close()
    other = TASK.model_copy(update={"tolerance": 0.05})
    spec = EnvironmentSpec(observation=ObservationSpec(state_size=3, goal=other), action_size=1)
    message = r"spec.observation.goal.tolerance = 0.9 \(asked for: 0.05\): use the same configuration"
    with pytest.raises(StorageError, match=message):
        Replay(tmp_path / "own", spec, ReplayConfig(capacity=1000, reserve=100))


def test_reward_that_reaching_a_goal_cannot_pay_never_comes_in(tmp_path: Path) -> None:
    case = case_of(tmp_path, [])
    with pytest.raises(TransitionError, match=r"reward is 1: .*\(miss_penalty\) pays from -1 to 0 a step"):
        case.replay.add(dataclasses.replace(episode_of(9, 2)[0], reward=1.0))


def test_reward_that_is_not_a_number_never_comes_in(tmp_path: Path) -> None:
    case = case_of(tmp_path, stream([3]))
    with pytest.raises(TransitionError, match="reward is nan"):
        case.replay.add(dataclasses.replace(episode_of(9, 2)[0], reward=float("nan")))
    assert case.replay.transitions == 3


def test_n_step_looks_at_the_frame_that_is_so_many_steps_ahead(tmp_path: Path) -> None:
    image = ImageSpec(height=1, width=1, channels=1)
    spec = EnvironmentSpec(observation=ObservationSpec(state_size=1, image=image), action_size=1)
    replay = Replay(tmp_path, spec, ReplayConfig(capacity=100, reserve=10))

    def seen(value: int) -> Observation:
        return Observation(np.array([value], np.float32), np.full((1, 1, 1), value, np.uint8))

    for number in range(30):
        episode, step = divmod(number, 6)
        frame = 7 * episode + step
        replay.add(
            Transition("s", episode, step, seen(frame), np.zeros(1, np.float32), 1.0, seen(frame + 1), False, step == 5)
        )
    sampler = Sampler(replay, None, SamplingConfig(n_step=3), DISCOUNT)
    batch = sampler.sample(200, torch.Generator(), until=30)
    for observation in (batch.observation, batch.next_observation):
        assert observation.image is not None
        assert torch.equal(observation.image.flatten().to(torch.float32), observation.state.flatten())
    assert set((batch.next_observation.state - batch.observation.state).flatten().tolist()) == {1.0, 2.0, 3.0}


# --- a person's steps -------------------------------------------------------------------------------------------------

HUMAN = {2, 3, 11, 19}


@pytest.fixture
def with_interventions(tmp_path: Path) -> Replay:
    """Twenty own transitions; in some of them a person drove."""
    replay = Replay(tmp_path / "replay", SPEC, ReplayConfig(capacity=1000, reserve=10))
    for number, transition in enumerate(stream([10, 10])):
        replay.add(dataclasses.replace(transition, human=number in HUMAN))
    return replay


def drawn(sampler: Sampler, *, until: int = 20, count: int = 4000) -> Batch:
    return sampler.sample(count, torch.Generator().manual_seed(0), until=until)


def test_ignored_steps_are_never_drawn_and_the_others_evenly(with_interventions: Replay) -> None:
    batch = drawn(Sampler(with_interventions, None, SamplingConfig(interventions="ignore"), DISCOUNT))
    counts = np.bincount(batch.number.numpy(), minlength=20)
    assert set(np.flatnonzero(counts == 0)) == HUMAN
    others = np.delete(counts, sorted(HUMAN))
    assert others.min() > 0.75 * 4000 / 16
    assert not batch.prior.any()


def test_steps_on_policy_are_drawn_like_all_others_by_the_same_numbers(with_interventions: Replay) -> None:
    batch = drawn(Sampler(with_interventions, None, SamplingConfig(), DISCOUNT))
    expected = torch.randint(0, 20, (4000,), generator=torch.Generator().manual_seed(0))
    assert torch.equal(batch.number, expected)
    assert not batch.prior.any()


def test_demonstrated_steps_are_marked_for_methods_that_clone(with_interventions: Replay) -> None:
    batch = drawn(Sampler(with_interventions, None, SamplingConfig(interventions="demonstration"), DISCOUNT))
    assert set(batch.number.tolist()) == set(range(20))
    assert set(batch.number[batch.prior].tolist()) == HUMAN


def test_demonstrated_steps_stand_in_the_share_of_the_prior_data(with_interventions: Replay, tmp_path: Path) -> None:
    write_prior(tmp_path / "prior", SPEC, stream([6]))
    prior = Replay.open(tmp_path / "prior", SPEC)
    config = SamplingConfig(interventions="demonstration", prior_share=0.5)
    batch = drawn(Sampler(with_interventions, prior, config, DISCOUNT))
    share, rewards = batch.prior[:2000], batch.reward[:2000]
    assert share.all()
    of_person = torch.isin(rewards, with_interventions.values("reward", np.array(sorted(HUMAN))))
    assert 0.3 < of_person.float().mean() < 0.5, "four of ten"
    before = drawn(Sampler(with_interventions, prior, config, DISCOUNT), until=2)
    assert not torch.isin(before.reward[:2000], with_interventions.values("reward", np.array(sorted(HUMAN)))).any()


def test_demonstrated_steps_have_their_share_without_prior_data_too(with_interventions: Replay) -> None:
    config = SamplingConfig(interventions="demonstration", prior_share=0.5)
    batch = drawn(Sampler(with_interventions, None, config, DISCOUNT))
    half = len(batch) // 2
    assert set(batch.number[:half].tolist()) == HUMAN and batch.prior[:half].all()
    assert set(batch.number[half:].tolist()) == set(range(20))
    before = drawn(Sampler(with_interventions, None, config, DISCOUNT), until=2)
    assert not before.prior.any()


def test_who_acted_is_known_after_a_restart(with_interventions: Replay, tmp_path: Path) -> None:
    with_interventions.close()
    again = Replay.open(tmp_path / "replay", SPEC)
    assert set(again.human(range(20)).tolist()) == HUMAN
    assert again.human(range(3, 19)).tolist() == [3, 11]


def test_nothing_but_ignored_steps_is_told(tmp_path: Path) -> None:
    replay = Replay(tmp_path / "replay", SPEC, ReplayConfig(capacity=1000, reserve=10))
    for transition in stream([5]):
        replay.add(dataclasses.replace(transition, human=True))
    with pytest.raises(StorageError, match="interventions: ignore"):
        drawn(Sampler(replay, None, SamplingConfig(interventions="ignore"), DISCOUNT), until=5)


@pytest.mark.parametrize("until", [9, 20, None])
def test_state_of_success_is_that_of_the_first_one_in_the_same_span(tmp_path: Path, until: int | None) -> None:
    successes = {2, 3, 11, 18, 24}
    steps = [dataclasses.replace(step, success=n in successes) for n, step in enumerate(OUT_OF_ORDER)]
    case = case_of(tmp_path, steps)
    batch = draw(case, 400, until, success_state="episode")
    assert batch.success_state is not None
    window = range(len(steps) if until is None else until)
    for number, told in zip(batch.number.tolist(), batch.success_state.numpy(), strict=True):
        reached = [n for n in case.span(number, window) if n in successes]
        if reached:
            np.testing.assert_array_equal(told, steps[reached[0]].next_observation.state)
        else:
            assert np.isnan(told).all()
    assert set(batch.number.tolist()) == set(window)


def test_state_of_success_comes_only_where_it_is_asked_for(tmp_path: Path) -> None:
    assert draw(case_of(tmp_path, stream([5])), 4).success_state is None


def test_approach_share_draws_what_stands_before_the_first_success(tmp_path: Path) -> None:
    successes = {4, 5, 8, 19}
    steps = [dataclasses.replace(step, success=n in successes) for n, step in enumerate(stream([7, 5, 6, 4]))]
    case = case_of(tmp_path, stream([4]))
    write_prior(tmp_path / "prior", SPEC, steps)
    prior = Case(Replay.open(tmp_path / "prior", SPEC), steps)
    before = {0, 1, 2, 3, 7, 18}
    sampler = Sampler(case.replay, prior.replay, SamplingConfig(prior_share=1.0, approach_share=0.75), DISCOUNT)
    drawn = sampler.sample(4000, torch.Generator().manual_seed(0), until=4)
    assert bool(drawn.prior.all())
    share = np.isin(drawn.number.numpy(), sorted(before)).mean()
    assert share == pytest.approx(0.75 + 0.25 * len(before) / len(steps), abs=0.03)


def test_approach_ends_with_the_first_success_of_each_span_whatever_the_episodes_lengths(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for case_number in range(20):
        lengths = rng.integers(1, 9, 30).tolist()
        steps = [dataclasses.replace(step, success=rng.random() < 0.15) for step in stream(lengths)]
        case = case_of(tmp_path / str(case_number), steps)
        window = range(int(rng.integers(0, 10)), len(steps) - int(rng.integers(0, 5)))
        numbers = np.arange(window.start, window.stop)
        found = case.replay.first_success(*case.replay.spans(numbers, window))
        assert _approach(case.replay, window).tolist() == numbers[numbers < found].tolist()


def test_prior_data_without_success_are_drawn_uniformly_and_that_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_prior(tmp_path / "prior", SPEC, stream([4]))
    prior, replay = Replay.open(tmp_path / "prior", SPEC), case_of(tmp_path, []).replay
    sampler = Sampler(replay, prior, SamplingConfig(approach_share=0.5), DISCOUNT)
    assert "no episode of the prior data comes to a success" in caplog.text
    assert set(sampler.sample(200, torch.Generator().manual_seed(0), until=0).number.tolist()) == {0, 1, 2, 3}


def in_base(steps: list[Transition], goals: dict[int, np.ndarray]) -> list[Transition]:
    """goals: by episode, where its state counts from."""
    told = [s.next_observation.state + goals[s.episode] for s in steps]
    return [dataclasses.replace(s, next_tcp_in_base_m=t.astype(np.float32)) for s, t in zip(steps, told, strict=True)]


@pytest.mark.parametrize("false_one", [False, True])
def test_successes_of_a_session_tell_every_episode_of_it_where_success_is(tmp_path: Path, false_one: bool) -> None:
    """States count from another goal in each episode; the part stays. The median does not follow a false success."""
    rng = np.random.default_rng(0)
    part, goals = np.array([0.4, -0.1, 0.2]), {n: rng.normal(size=3) for n in range(7)}
    solved = {(1, 3), (3, 2), (5, 4)} | ({(2, 1)} if false_one else set())
    steps = []
    for step in stream([5, 6, 4, 5, 3, 6]):
        after = step.next_observation.state
        if (step.episode, step.step) in solved - {(2, 1)}:
            after = (part - goals[step.episode]).astype(np.float32)
        seen = dataclasses.replace(step.next_observation, state=after)
        success = (step.episode, step.step) in solved
        steps.append(dataclasses.replace(step, next_observation=seen, success=success))
    other = episode_of(6, 4, session="elsewhere")
    case = case_of(tmp_path, in_base([*steps, *other], goals))
    batch = draw(case, 400, success_state="session")
    assert batch.success_state is not None
    for number, told in zip(batch.number.tolist(), batch.success_state.numpy(), strict=True):
        if case.steps[number].session == "elsewhere":
            assert np.isnan(told).all()
        else:
            np.testing.assert_allclose(told, part - goals[case.steps[number].episode], atol=1e-5)


def test_once_a_session_has_succeeded_its_approach_is_all_that_is_no_success(tmp_path: Path) -> None:
    goals = {n: np.zeros(3) for n in range(3)}
    steps = [dataclasses.replace(step, success=n == 7) for n, step in enumerate(stream([4, 6, 4]))]
    case = case_of(tmp_path, in_base(steps, goals))
    numbers = draw(case, 400, approach_share=1.0, success_state="session").number.tolist()
    assert set(numbers) == set(range(14)) - {7}
    numbers = draw(case, 400, approach_share=1.0, success_state="episode").number.tolist()
    assert set(numbers) == {4, 5, 6}
