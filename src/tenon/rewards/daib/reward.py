"""The classifier's judgement as a reward: 1 where the rule of tenon.rewards.daib.hits finds success, else 0."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from tenon.data.mapped_array import StorageError
from tenon.rewards.base import RewardError, RewardObservation, RewardResult, RewardSession
from tenon.rewards.daib.classifier import RewardClassifier
from tenon.rewards.daib.free_plug import EPISODES, FREE_STEPS, FreePlug, learn_free_plug
from tenon.rewards.daib.hits import SuccessRule
from tenon.rewards.daib.memory import SessionMemory, read_memory, write_memory


class ClassifierReward:
    """Hard reward of a classifier of any variant, with the logit and the classifier's version.

    It learns how the plug looks from the first pictures of its first episodes, so these must show it free, and none of
    them is a success. Nor is a picture of a live camera that is the one before, byte for byte: the camera hangs, and
    nothing new is known. A renderer draws a plug at rest the same each time.
    """

    name: ClassVar[str] = "daib"

    def __init__(self, classifier: RewardClassifier):
        self._classifier = classifier
        self._version = classifier.version
        chosen = classifier.calibration
        self._rule = SuccessRule(chosen.threshold_logit, chosen.margin_logit, still=chosen.still)
        self._free: FreePlug | None = None
        self._pictures: list[NDArray[np.uint8]] = []
        self._episodes = 0
        self._steps = 0
        self._session: RewardSession | None = None
        self._before: NDArray[np.uint8] | None = None

    def begin_session(self, session: RewardSession) -> int:
        self._session = session
        memory = read_memory(session.memory, self._key(session))
        if memory is None:
            return 0
        self._pictures = list(memory.pictures)
        self._free = learn_free_plug(memory.pictures)
        self._episodes = memory.episodes
        self._rule.best.recall(memory.best)
        return memory.episodes

    def begin_episode(self) -> None:
        self._rule.begin_episode()
        self._steps = 0

    def end_episode(self) -> None:
        if self._session is None or not self._pictures:
            return
        memory = SessionMemory(np.stack(self._pictures), self._episodes, self._rule.best.memory)
        try:
            write_memory(self._session.memory, memory, self._key(self._session))
        except StorageError as error:
            raise RewardError(
                f"{error}. A session that is resumed would judge by what was known then: free some space"
            ) from error

    def interrupt(self) -> None:
        """The next observation does not follow upon the last one, but is of the same episode."""
        self._rule.interrupt()

    def reward(self, observation: RewardObservation) -> RewardResult:
        if observation.image is None:
            raise RewardError("the classifier needs an image, none was measured: check the camera")
        free = self._free_plug(observation.image)
        logit = float(self._classifier.logits(observation.image[None], free)[0])
        if not math.isfinite(logit):
            raise RewardError(f"the classifier says {logit} of this picture: its weights are of no use, train it anew")
        success = not self._is_repeated(observation.image) and self._rule.next(logit)
        return RewardResult(value=float(success), success=success, logit=logit, version=self._version)

    def _is_repeated(self, image: NDArray[np.uint8]) -> bool:
        """Whether a live camera has said nothing new."""
        if self._session is None or not self._session.live_camera:
            return False
        before, self._before = self._before, image.copy()
        return before is not None and np.array_equal(before, image)

    def _key(self, session: RewardSession) -> dict[str, str]:
        """What a memory must be of."""
        return {"classifier": self._version, "session": session.of}

    def _free_plug(self, image: NDArray[np.uint8]) -> FreePlug:
        self._episodes += self._steps == 0
        if self._episodes <= EPISODES and self._steps < FREE_STEPS:
            self._pictures.append(image.copy())
            self._free = learn_free_plug(np.stack(self._pictures))
            self._rule.forget_best()
        self._steps += 1
        assert self._free is not None  # the first picture of all has been taken
        return self._free
