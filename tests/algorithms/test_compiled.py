"""An update as machine code: it learns the same, goes on where it stopped, and says what it needs."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
import torch

from tenon.algorithms import create
from tenon.algorithms.gradient import GradientAlgorithm
from tenon.configuration import ConfigurationError
from tenon.data.batch import Batch
from tenon.data.transitions import EnvironmentSpec, ObservationSpec

SPEC = EnvironmentSpec(observation=ObservationSpec(state_size=3), action_size=2)
SMALL = {"hidden_sizes": [8, 8]}

needs_compiler = pytest.mark.skipif(
    shutil.which("g++") is None or not Path(sysconfig.get_path("include"), "Python.h").exists(),
    reason="no compiler: sudo apt-get install g++ python3-dev",
)


def _learner(name: str, *, compiled: bool, **config: object) -> GradientAlgorithm:
    learner = create(name, {**SMALL, **config}, SPEC, 0, compiled=compiled)
    assert isinstance(learner, GradientAlgorithm)
    return learner


def _batch(seed: int) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    batch = Batch.empty(12, SPEC)
    for tensor in (batch.observation.state, batch.next_observation.state, batch.action, batch.reward):
        tensor.normal_(generator=generator)
    batch.action.tanh_()
    batch.terminated.bernoulli_(0.2, generator=generator)
    return batch


@needs_compiler
def test_machine_code_learns_the_same() -> None:
    eager, compiled = (_learner("td3", compiled=choice, policy_delay=1) for choice in (False, True))
    for update in range(4):
        told, seen = compiled.update(_batch(update)).as_dict(), eager.update(_batch(update)).as_dict()
        assert told == pytest.approx(seen, rel=1e-4, abs=1e-5)
    weights = eager.state().tensors
    for name, tensor in compiled.state().tensors.items():
        torch.testing.assert_close(tensor, weights[name], rtol=1e-3, atol=1e-5)


@needs_compiler
def test_goes_on_exactly_from_a_checkpoint() -> None:
    through, before = _learner("bc", compiled=True), _learner("bc", compiled=True)
    for update in range(4):
        through.update(_batch(update))
    for update in range(2):
        before.update(_batch(update))
    after = _learner("bc", compiled=True)
    after.load_state(before.state())
    for update in range(2, 4):
        after.update(_batch(update))
    for name, tensor in through.state().tensors.items():
        assert torch.equal(tensor, after.state().tensors[name]), name


def test_who_does_not_compile_does_not_load_the_compiler() -> None:
    code = "import sys, tenon.training.trainer; print('torch._dynamo' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"


def test_without_a_compiler_it_is_refused_before_anything_is_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    torch._dynamo.reset()
    monkeypatch.setattr("torch._inductor.config.cpp.cxx", ("/no/such/compiler",))
    monkeypatch.setattr("torch._inductor.config.force_disable_caches", True)
    with pytest.raises(ConfigurationError, match=r"install a C\+\+ compiler .* or set compiled: false"):
        _learner("bc", compiled=True)
