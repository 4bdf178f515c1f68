"""What a learner draws: own and prior data in the wanted proportion, hindsight goals, n-step returns.

Everything that is drawn is a function of the generator, the prior data and the first ``until`` own transitions.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from tenon.configuration import Config, ConfigurationError
from tenon.data.batch import Batch
from tenon.data.goals import goal_reward
from tenon.data.mapped_array import StorageError
from tenon.data.replay import Replay
from tenon.data.transitions import POSITION_SIZE, EnvironmentSpec

_log = logging.getLogger(__name__)


class RelabelConfig(Config):
    """Hindsight goals (Andrychowicz et al., 2017; demos-her.md 2.2): the goal is replaced by one that was reached.

    The reward is computed anew; termination stays as it was, since episodes with goals run on once a goal is reached.
    """

    strategy: Literal["future", "final", "episode"] = Field(
        default="future",
        description="which step's achieved goal: one from here on, the last, or any of the episode; demos-her.md 2.2",
    )
    probability: float = Field(
        default=0.8, ge=0.0, le=1.0, description="of replacing a transition's goal; k = 4, demos-her.md 2.2"
    )


class SamplingConfig(Config):
    """How a batch is drawn."""

    relabel: RelabelConfig | None = Field(
        default=None, description="hindsight goals, for tasks with goals; None: the goals that were asked for"
    )
    prior_share: float | None = Field(
        default=None,
        ge=0.0,
        le=1.0,
        description="share of every batch, rounded, from the prior data (N_D / N of demos-her.md 2.3); "
        "None: uniform over prior and own data together (awac.md 2.4, iql.md)",
    )
    n_step: int = Field(default=1, ge=1, description="rewards summed up before the value of a state is used")
    interventions: Literal["on_policy", "demonstration", "ignore"] = Field(
        default="on_policy",
        description="own transitions in which a person drove. on_policy: like all others. demonstration: as prior data "
        "too, in their share and for methods that clone these. ignore: they are not drawn",
    )
    approach_share: float | None = Field(
        default=None,
        ge=0.0,
        le=1.0,
        description="share of the draws, own and prior, that stand before the first success of their episode; "
        "None: uniform. Most states of episodes that go on after success are at the goal; ours",
    )
    success_state: Literal["none", "episode", "session"] = Field(
        default="none",
        description="hindsight, for methods that learn the way to success (compass). episode: the state in which each "
        "transition's episode first succeeded. session: the same of prior data; of own ones, where their session's "
        "successes stood, for tasks whose state begins with the TCP's position from a goal that each episode may show "
        "elsewhere, while the part stays where it is; ours",
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Draw:
    """Transitions of one source. window: the numbers that may be looked at. prior: (batch,) of bool."""

    replay: Replay
    numbers: Tensor
    window: range
    prior: Tensor


class Sampler:
    """Draws batches from ``replay`` and, where there are any, the ``prior`` data.

    Raises ConfigurationError for what the data cannot give: hindsight goals without goals, a share of no prior data.
    """

    def __init__(self, replay: Replay, prior: Replay | None, config: SamplingConfig, discount: float):
        check_sampling(config, replay.spec, has_prior=prior is not None)
        self._replay = replay
        self._prior = prior
        self._config = config
        self._goal = replay.spec.observation.goal
        self._prior_approach: Tensor | None = None
        if prior is not None and config.approach_share:
            self._prior_approach = _approach(prior, prior.window(prior.transitions))
            if not len(self._prior_approach):
                _log.warning(
                    "sampling.approach_share: no episode of the prior data comes to a success: drawn uniformly"
                )
        self._own_approach: tuple[range, Tensor] = (range(0), torch.empty(0, dtype=torch.int64))
        self._offsets = np.arange(config.n_step)
        self._discounts = discount ** torch.arange(config.n_step, dtype=torch.float32)

    def sample(self, count: int, generator: torch.Generator, *, until: int) -> Batch:
        """``count`` transitions with replacement: first those from the prior data, then from the own window.

        until: how many own transitions count; with 0, all come from the prior data. Raises StorageError when there is
        nothing to draw from.
        """
        config, spec = self._config, self._replay.spec
        batch = Batch.empty(count, spec, n_step=config.n_step, success_state=config.success_state != "none")
        start = 0
        for draw in self._draws(count, generator, until):
            stop = start + len(draw.numbers)
            part = batch if stop - start == count else batch.part(start, stop)
            part.prior.copy_(draw.prior)
            self._fill(part, draw, generator)
            start = stop
        return batch

    def _draws(self, count: int, generator: torch.Generator, until: int) -> list[_Draw]:
        own = self._replay.window(until)
        prior = range(0) if self._prior is None else self._prior.window(self._prior.transitions)
        mode = self._config.interventions
        human = np.empty(0, np.int64) if mode == "on_policy" else self._replay.human(own)
        # Without prior data only a share makes prior ones of them: uniformly drawn, they would count twice.
        is_source = bool(prior) or self._config.prior_share is not None
        shown = human if mode == "demonstration" and is_source else human[:0]
        left_out = human if mode == "ignore" else human[:0]
        of_prior, of_own = len(prior) + len(shown), len(own) - len(left_out)
        if not of_own and not of_prior:
            if left_out.size:
                raise StorageError("a person drove in every transition, and interventions: ignore leaves these out")
            raise StorageError("the replay is empty and there are no prior data: add transitions before sampling")
        if not of_prior or not of_own:
            from_prior = count if of_prior else 0
        elif self._config.prior_share is not None:
            from_prior = round(self._config.prior_share * count)
        else:
            of_both = torch.randint(of_prior + of_own, (count,), generator=generator)
            from_prior = int((of_both < of_prior).sum())
        draws = self._of_prior(from_prior, prior, shown, own, generator)
        if from_prior < count:
            drawn = torch.randint(of_own, (count - from_prior,), generator=generator) + own.start
            numbers = torch.from_numpy(_skipping(drawn.numpy(), left_out)) if len(left_out) else drawn
            if self._config.approach_share:
                numbers = self._rather(self._approach_in(own, left_out), numbers, generator)
            demonstrated = np.isin(numbers.numpy(), human) if len(human) else np.zeros(len(numbers), dtype=np.bool_)
            draws.append(_Draw(self._replay, numbers, own, torch.from_numpy(demonstrated)))
        return draws

    def _of_prior(
        self, count: int, prior: range, shown: NDArray[np.int64], own: range, generator: torch.Generator
    ) -> list[_Draw]:
        """Draws from the prior data and, beside them, the own transitions ``shown`` that a person demonstrated."""
        if not count:
            return []
        places = torch.randint(len(prior) + len(shown), (count,), generator=generator)
        numbers, of_own = places[places < len(prior)] + prior.start, places[places >= len(prior)] - len(prior)
        draws = []
        if self._prior_approach is not None:
            numbers = self._rather(self._prior_approach, numbers, generator)
        if self._prior is not None and len(numbers):
            draws.append(_Draw(self._prior, numbers, prior, torch.ones(len(numbers), dtype=torch.bool)))
        if len(of_own):
            demonstrated = torch.from_numpy(shown[of_own.numpy()])
            draws.append(_Draw(self._replay, demonstrated, own, torch.ones(len(of_own), dtype=torch.bool)))
        return draws

    def _approach_in(self, own: range, left_out: NDArray[np.int64]) -> Tensor:
        """Kept until the window moves: several updates follow a step."""
        if self._own_approach[0] != own:
            if self._config.success_state == "session" and len(reached := self._replay.successes(own)):
                approach = torch.from_numpy(np.setdiff1d(np.arange(own.start, own.stop), reached))
            else:
                approach = _approach(self._replay, own)
            self._own_approach = (own, approach[~torch.isin(approach, torch.from_numpy(left_out))])
        return self._own_approach[1]

    def _rather(self, approach: Tensor, numbers: Tensor, generator: torch.Generator) -> Tensor:
        """``numbers``, the wanted share of them replaced by draws from ``approach``, if that holds any."""
        if not len(approach) or not len(numbers):
            return numbers
        chosen = torch.rand(len(numbers), generator=generator) < (self._config.approach_share or 0.0)
        instead = torch.randint(len(approach), (len(numbers),), generator=generator)
        return torch.where(chosen, approach[instead], numbers)

    def _fill(self, part: Batch, draw: _Draw, generator: torch.Generator) -> None:
        relabel, n_step, replay = self._config.relabel, self._config.n_step, draw.replay
        if relabel is None and n_step == 1 and part.success_state is None:
            replay.gather_into(part, draw.numbers, draw.numbers)
            return
        # At the size of a batch, NumPy's calls on indices cost a third of torch's.
        numbers = draw.numbers.numpy()
        first, last = replay.spans(numbers, draw.window)
        if part.success_state is not None:
            found = replay.first_success(first, last)
            part.success_state.copy_(replay.values("next_state", np.maximum(found, first)))
            part.success_state[torch.from_numpy(found < 0)] = torch.nan
            if self._config.success_state == "session" and replay is self._replay:
                _of_session(part.success_state, replay, numbers, draw.window)
        ends = np.minimum(numbers + (n_step - 1), last)
        replay.gather_into(part, draw.numbers, torch.from_numpy(ends))
        relabelled = None
        if relabel is not None and self._goal is not None:
            source = _source(relabel.strategy, numbers, first, last, generator)
            relabelled = torch.rand(len(numbers), generator=generator) < relabel.probability
            _replace_goals(part, relabelled[:, None], replay.values("achieved_goal", source))
        if n_step == 1:
            part.reward.copy_(self._rewards(part, replay, numbers[:, None], relabelled)[:, 0])
            return
        # (batch, n_step): the transitions whose rewards are summed, the last one repeated where fewer follow.
        rewarded = np.minimum(numbers[:, None] + self._offsets, ends[:, None])
        steps = ends - numbers + 1
        counted = torch.from_numpy(self._offsets < steps[:, None])
        rewards = self._rewards(part, replay, rewarded, relabelled)
        torch.sum(rewards * self._discounts * counted, dim=1, out=part.reward)
        if part.steps is not None:
            part.steps.copy_(torch.from_numpy(steps))

    def _rewards(self, part: Batch, replay: Replay, numbers: NDArray[np.int64], relabelled: Tensor | None) -> Tensor:
        """Of the transitions ``numbers`` (batch, n), under the goals of ``part`` where they are relabelled."""
        rewards = replay.values("reward", numbers)
        if relabelled is None or self._goal is None:
            return rewards
        desired = part.observation.state[:, None, -self._goal.size :]
        paid = goal_reward(replay.values("achieved_goal", numbers), desired, self._goal)
        return torch.where(relabelled[:, None], paid, rewards)


def _approach(replay: Replay, window: range) -> Tensor:
    """Numbers of the transitions of ``window`` that stand before the first success of their episode."""
    numbers, reached = np.arange(window.start, window.stop), replay.successes(window)
    if not len(reached):
        return torch.empty(0, dtype=torch.int64)
    first, last = replay.spans(numbers, window)
    place = np.searchsorted(reached, first)
    found = reached[np.minimum(place, len(reached) - 1)]
    return torch.from_numpy(numbers[(place < len(reached)) & (numbers < found) & (found <= last)])


def _of_session(success_state: Tensor, replay: Replay, numbers: NDArray[np.int64], window: range) -> None:
    """Writes into ``success_state`` (batch, S) where the successes of each transition's session stood, if known.

    It is the median of them, which a false one does not move. A state's origin is what the TCP's place says beyond it.
    """
    reached = replay.successes(window)
    if not len(reached):
        return
    sessions, place = replay.rows(torch.from_numpy(reached))["session"], replay.values("next_tcp_in_base_m", reached)
    after, own = replay.values("next_state", reached), replay.rows(torch.from_numpy(numbers))["session"]
    origin = replay.values("next_tcp_in_base_m", numbers)
    origin -= replay.values("next_state", numbers)[:, :POSITION_SIZE]
    for session in np.unique(own):
        of_session = torch.from_numpy(sessions == session) & ~place.isnan().any(dim=1)
        rows = torch.from_numpy(own == session) & ~origin.isnan().any(dim=1)
        if bool(of_session.any()):
            told = after[of_session].median(dim=0).values.repeat(int(rows.sum()), 1)
            told[:, :POSITION_SIZE] = place[of_session].median(dim=0).values - origin[rows]
            success_state[rows] = told


def _skipping(places: NDArray[np.int64], left_out: NDArray[np.int64]) -> NDArray[np.int64]:
    """What stands at the ``places`` of a window once ``left_out``, which is sorted, is taken out of it."""
    before = left_out - np.arange(len(left_out))
    skipped: NDArray[np.int64] = places + np.searchsorted(before, places, side="right")
    return skipped


def check_sampling(config: SamplingConfig, spec: EnvironmentSpec, *, has_prior: bool) -> None:
    """Raises ConfigurationError for what the data of ``spec`` cannot give."""
    if config.relabel is not None and spec.observation.goal is None:
        raise ConfigurationError(
            "sampling.relabel: the task has no goals to replace (goal is null in its observation): remove relabel"
        )
    if config.prior_share is not None and not has_prior and config.interventions != "demonstration":
        raise ConfigurationError(
            f"sampling.prior_share: is {config.prior_share}, but there are no prior data: hand in demonstrations or "
            f"logs, count a person's steps as such (interventions: demonstration), or remove prior_share"
        )


def _source(
    strategy: str,
    numbers: NDArray[np.int64],
    first: NDArray[np.int64],
    last: NDArray[np.int64],
    generator: torch.Generator,
) -> NDArray[np.int64]:
    """The transitions, (batch,), whose achieved goals take the place of those of ``numbers``; demos-her.md 2.2."""
    if strategy == "final":
        return last
    start = numbers if strategy == "future" else first
    length = last - start + 1
    drawn = torch.rand(len(numbers), generator=generator, dtype=torch.float64).numpy()
    # The product may round up to the length itself.
    source: NDArray[np.int64] = start + np.minimum((drawn * length).astype(np.int64), length - 1)
    return source


def _replace_goals(part: Batch, where: Tensor, goals: Tensor) -> None:
    """Puts ``goals`` (batch, size) into both states of ``part`` where (batch, 1) it is asked for."""
    for observation in (part.observation, part.next_observation):
        desired = observation.state[:, -goals.shape[1] :]
        torch.where(where, goals, desired, out=desired)
