"""What reaching a goal pays: a function of the achieved and the desired goal alone, so that both may be replaced."""

from __future__ import annotations

from torch import Tensor

from tenon.data.transitions import GoalSpec


def goal_reward(achieved: Tensor, desired: Tensor, goal: GoalSpec) -> Tensor:
    """r(g', g), demos-her.md eq. (20) to (22). achieved, of the next observation, and desired: (..., size) -> (...)."""
    shape = (*achieved.shape[:-1], goal.parts, goal.size // goal.parts)
    reached = (achieved - desired).reshape(shape).square().sum(dim=-1) < goal.tolerance**2
    if goal.reward == "per_part":
        return reached.sum(dim=-1).to(achieved.dtype) - 1.0
    of_all = reached.all(dim=-1).to(achieved.dtype)
    return of_all - 1.0 if goal.reward == "miss_penalty" else of_all
