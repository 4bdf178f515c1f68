"""Training episodes that begin in the middle of a demonstration; demos-her.md 2.5 (Nair et al., 2018)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tenon.environments.scripted import ScriptedEpisode, ScriptError
from tenon.training.loop import Reset

_SEED_LIMIT = 2**31
_RESET_STREAM = 6


class DemonstrationResets:
    """How the episode of a number begins: with ``probability`` in a state of a demonstration, else where the task does.

    The demonstration and its state are drawn uniformly; the goal is what that demonstration came to in the end. An
    episode's beginning depends on ``seed`` and its number alone. For training only: a policy is judged from the task's
    own starts.
    """

    def __init__(self, demonstrations: Sequence[ScriptedEpisode], probability: float, seed: int) -> None:
        """Raises ScriptError for demonstrations that hold no simulator states, or no goals."""
        if not 0.0 <= probability <= 1.0:
            raise ScriptError(
                f"share {probability:g} of the episodes to begin in a demonstration: one from 0 to 1 is needed"
            )
        if not demonstrations:
            raise ScriptError("there is no demonstration to begin in: make one or more")
        for shown in demonstrations:
            if (
                len(shown.states) != len(shown.transitions)
                or shown.transitions[-1].next_observation.achieved_goal is None
            ):
                raise ScriptError(
                    "these demonstrations hold no simulator states or no goals, so no episode can begin in one: "
                    "practise without resets to demonstrations"
                )
        self._demonstrations = demonstrations
        self._probability = probability
        self._seed = seed

    def __call__(self, episode: int) -> Reset:
        rng = np.random.default_rng((self._seed, _RESET_STREAM, episode))
        seed = int(rng.integers(_SEED_LIMIT))
        if rng.random() >= self._probability:
            return Reset(seed)
        shown = self._demonstrations[int(rng.integers(len(self._demonstrations)))]
        state = shown.states[int(rng.integers(len(shown.states)))]
        return Reset(seed, {"state": state, "goal": shown.transitions[-1].next_observation.achieved_goal})
