"""Rewards that need no engineering per task: an electrical signal, a distance, a picture of the finished state."""

from tenon.rewards.base import Reward, RewardError, RewardObservation, RewardResult, RewardSession
from tenon.rewards.completion import CompletionReward
from tenon.rewards.dense_insertion import DenseInsertionConfig, DenseInsertionReward
from tenon.rewards.electrical import ElectricalReward
from tenon.rewards.goal_image import GoalImageConfig, GoalImageReward, grey

__all__ = [
    "CompletionReward",
    "DenseInsertionConfig",
    "DenseInsertionReward",
    "ElectricalReward",
    "GoalImageConfig",
    "GoalImageReward",
    "Reward",
    "RewardError",
    "RewardObservation",
    "RewardResult",
    "RewardSession",
    "grey",
]
