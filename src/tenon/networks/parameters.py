"""All parameters of a module, or of several, as one vector.

A learner on one CPU core spends its time on calls, not on arithmetic. With the parameters (and gradients) of a module
side by side in memory, an Adam step, a target update or a gradient norm is a handful of calls in all instead of a
handful per layer.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TypeVar

import torch
from torch import Tensor, nn

# Each parameter starts on a cache line: BLAS is faster there, and its results do not depend on the neighbours' sizes.
_ALIGNMENT_ELEMENTS = 16

ModuleT = TypeVar("ModuleT", bound=nn.Module)


class ParameterVector:
    """Moves the ``parameters`` of ``modules`` into ``values`` and their gradients into ``gradients``, both (size,).

    The modules are used as before: their parameters are views of ``values``, one module behind the other. ``backward``
    adds to ``gradients``; call ``zero_gradients`` before it. ``load_state_dict`` writes through; ``module.to`` and
    ``zero_grad`` break the tie.
    """

    def __init__(self, *modules: nn.Module):
        self.parameters = tuple(parameter for module in modules for parameter in module.parameters())
        size = sum(_padded(p.numel()) for p in self.parameters)
        self.values = torch.zeros(size, device=self.parameters[0].device)
        self.gradients = torch.zeros_like(self.values)
        self.gradient_views = _views(self.gradients, self.parameters)
        for parameter, value, gradient in zip(
            self.parameters, _views(self.values, self.parameters), self.gradient_views, strict=True
        ):
            value.copy_(parameter.detach())
            parameter.data = value
            if parameter.requires_grad:
                parameter.grad = gradient

    def zero_gradients(self) -> None:
        self.gradients.zero_()

    def gradient_norm(self) -> Tensor:
        """Euclidean norm of all gradients, a scalar."""
        norm: Tensor = torch.linalg.vector_norm(self.gradients)
        return norm

    def move_towards(self, other: ParameterVector, rate: float) -> None:
        """Polyak averaging: values <- (1 - rate) * values + rate * other.values.

        other may hold further modules behind those that this vector is a target of: an encoder has no target.
        """
        self.values.lerp_(other.values[: self.values.numel()], rate)


def target_of(module: ModuleT) -> tuple[ModuleT, ParameterVector]:
    """A copy of ``module`` that is not trained, and its vector: the target network."""
    target = copy.deepcopy(module).requires_grad_(False)
    return target, ParameterVector(target)


def frozen_view(module: ModuleT, vector: ParameterVector) -> ModuleT:
    """A second module on the same memory that collects no gradients for its parameters, only for its inputs.

    module: the first one of ``vector``. The actor's loss goes through the critic without a gradient for the critic:
    half of that backward pass.
    """
    frozen = copy.deepcopy(module).requires_grad_(False)
    parameters = list(frozen.parameters())
    for parameter, value in zip(parameters, _views(vector.values, parameters), strict=True):
        parameter.data = value
    return frozen


class Adam:
    """Adam (Kingma and Ba, 2015, algorithm 1) on a ParameterVector.

    learning_rate: can be set between steps, for a schedule. weight_decay: of the L2 penalty whose gradient is added to
    the loss's, as in torch.optim.Adam.
    """

    def __init__(
        self,
        vector: ParameterVector,
        learning_rate: float,
        *,
        weight_decay: float = 0.0,
        first_decay: float = 0.9,
        second_decay: float = 0.999,
        epsilon: float = 1e-8,
    ):
        self._vector = vector
        self.learning_rate = learning_rate
        self._weight_decay = weight_decay
        self._first_decay = first_decay
        self._second_decay = second_decay
        self._epsilon = epsilon
        self.steps = 0
        self.first_moment = torch.zeros_like(vector.values)
        self.second_moment = torch.zeros_like(vector.values)
        self._step_number = torch.zeros((), device=vector.values.device)

    def step(self) -> None:
        """Moves the parameters against the gradients, in one pass through memory."""
        self.steps += 1
        # The kernel of torch.optim.Adam(fused=True), without the bookkeeping of an Optimizer around it.
        torch._fused_adam_(
            [self._vector.values],
            [self._vector.gradients],
            [self.first_moment],
            [self.second_moment],
            [],
            [self._step_number.fill_(self.steps)],
            lr=self.learning_rate,
            beta1=self._first_decay,
            beta2=self._second_decay,
            weight_decay=self._weight_decay,
            eps=self._epsilon,
            amsgrad=False,
            maximize=False,
        )


def _padded(elements: int) -> int:
    return -(-elements // _ALIGNMENT_ELEMENTS) * _ALIGNMENT_ELEMENTS


def _views(vector: Tensor, parameters: Sequence[nn.Parameter]) -> list[Tensor]:
    views, offset = [], 0
    for parameter in parameters:
        views.append(vector[offset : offset + parameter.numel()].view(parameter.shape))
        offset += _padded(parameter.numel())
    return views
