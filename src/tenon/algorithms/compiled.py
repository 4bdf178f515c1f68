"""The losses of an update and their gradients as one graph, which torch.compile turns into machine code.

On one CPU core a third of an update of small networks goes into some 200 calls between the products of matrices; in one
graph they are fused. Compiling module by module does not do it: what is checked around each call costs more than that.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.fx.experimental.proxy_tensor import make_fx

from tenon.configuration import ConfigurationError
from tenon.data.batch import Batch
from tenon.networks.parameters import ParameterVector


@dataclass(frozen=True, eq=False)
class Losses:
    """total: a scalar, what is derived. vectors: those that it has gradients for. numbers: scalars to report."""

    total: Tensor
    vectors: tuple[str, ...]
    numbers: dict[str, Tensor]


@dataclass(frozen=True, eq=False)
class _Graph:
    """run: from the tensors of a batch and the noise to the numbers, stacked, and the gradients, vector by vector."""

    run: Callable[[Sequence[Tensor], Tensor], tuple[Tensor, list[Tensor]]]
    vectors: tuple[str, ...]
    names: tuple[str, ...]


class CompiledLosses:
    """Called instead of ``losses``; leaves the gradients in ``vectors`` itself.

    A graph is made for each phase and each layout of batch. It reads the parameters where they lie.
    """

    def __init__(self, losses: Callable[[Batch, Tensor], Losses], vectors: Mapping[str, ParameterVector]):
        """Raises ConfigurationError where nothing can be compiled."""
        self._losses = losses
        self._vectors = vectors
        self._graphs: dict[Hashable, _Graph] = {}
        probe = torch.ones(1, device=next(iter(vectors.values())).values.device)
        _run_first(machine_code(make_fx(torch.sin)(probe), probe.device), probe)

    def __call__(self, batch: Batch, noise: Tensor, phase: Hashable) -> tuple[tuple[str, ...], dict[str, Tensor]]:
        """The vectors that the losses of ``batch`` and ``noise`` have gradients for, and the numbers to report.

        Raises ConfigurationError where a graph cannot be compiled, with the vectors as they were.
        """
        columns = batch.columns()
        key = (phase, *(None if each is None else (each.shape, each.dtype, each.stride()) for each in columns))
        graph = self._graphs.get(key)
        if graph is None:
            graph = self._graphs[key] = self._made(columns, noise)
        with torch.no_grad():
            numbers, gradients = graph.run(_present(columns), noise)
            places = [view for name in graph.vectors for view in self._vectors[name].gradient_views]
            torch._foreach_copy_(places, gradients)
        return graph.vectors, dict(zip(graph.names, numbers.unbind(), strict=True))

    def _made(self, columns: Sequence[Tensor | None], noise: Tensor) -> _Graph:
        told: list[tuple[tuple[str, ...], tuple[str, ...]]] = []

        def derived(tensors: Sequence[Tensor], noise: Tensor) -> tuple[Tensor, list[Tensor]]:
            present = iter(tensors)
            batch = Batch.of_columns([None if column is None else next(present) for column in columns])
            losses = self._losses(batch, noise)
            told.append((losses.vectors, tuple(losses.numbers)))
            parameters = [parameter for name in losses.vectors for parameter in self._vectors[name].parameters]
            gradients = torch.autograd.grad(losses.total, parameters, allow_unused=True, materialize_grads=True)
            return torch.stack([number.detach() for number in losses.numbers.values()]), list(gradients)

        tensors = _present(columns)
        run = machine_code(make_fx(derived, REWRITTEN)(tensors, noise), noise.device)
        _run_first(run, tensors, noise)
        return _Graph(run, *told[-1])


def _rewritten_product(bias: Tensor, left: Tensor, right: Tensor) -> Any:
    """bias + left @ right, for batches of matrices; BLAS is five times slower at a single column than a sum."""
    if right.shape[-1] != 1:
        return NotImplemented
    return (left * right.mT).sum(-1, keepdim=True) + bias


REWRITTEN: dict[Any, Callable[..., Any]] = {torch.ops.aten.baddbmm.default: _rewritten_product}
"""What a graph does in its own way, equal but for rounding."""


def _present(columns: Sequence[Tensor | None]) -> list[Tensor]:
    return [column for column in columns if column is not None]


def machine_code(graph: Callable[..., Any], device: torch.device) -> Callable[..., Any]:
    """What ``graph`` does, compiled at its first call, for tensors laid out as then and no others."""
    options: dict[str, Any] = {
        "cpp_wrapper": device.type == "cpu",  # calls between kernels without Python
        "guard_filter_fn": torch.compiler.skip_all_guards_unsafe,  # CompiledLosses itself asks for each layout's graph
    }
    code: Callable[..., Any] = torch.compile(graph, fullgraph=True, dynamic=False, options=options)
    return code


def _run_first(code: Callable[..., Any], *arguments: Any) -> None:
    """Has it compiled. Raises ConfigurationError with what the compiler lacks."""
    try:
        with torch.no_grad():
            code(*arguments)
    except RuntimeError as error:  # all that torch.compile raises
        reason = str(error).partition("\n")[0]
        raise ConfigurationError(
            f"compiled: torch.compile makes no code here ({reason}): install a C++ compiler and Python's headers "
            f"(sudo apt-get install g++ python3-dev), or set compiled: false"
        ) from error
