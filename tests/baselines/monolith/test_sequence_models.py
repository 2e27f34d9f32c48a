"""Sequence models of a monolith: step by step, or unrolled in one call, also over the ends of trials."""

from typing import Any

import pytest
import torch
from torch import Tensor

from badger_agents.agent import LearnedAgent
from badger_agents.estimators import make_estimator
from badger_agents.estimators.objectives import as_soon_as_possible
from badger_agents.estimators.trajectories import draw_trials
from badger_agents.estimators.trials import Trials
from badger_envs.families.bandit import Bandit
from badger_envs.families.guessing_game import GuessingGame
from badger_envs.families.xor import XOR
from badger_envs.family import Family, Observation
from baselines.monolith.monolith import Monolith, MonolithSettings
from baselines.monolith.sequence_models import SEQUENCE_MODELS, Memory, SequenceModel, restarted, unroll
from tests.badger_agents.small import keys, shake, updates_of

ROWS, STEPS, READS = 4, 9, 3
KINDS: list[tuple[str, dict[str, Any]]] = [
    ("gru", {}),
    ("lstm", {}),
    ("fast_weights", {}),
    ("transformer", {}),
    ("transformer", {"window": 3, "layers": 1}),
]


def model_of(name: str, settings: dict[str, Any]) -> SequenceModel:
    torch.manual_seed(0)
    model: SequenceModel = SEQUENCE_MODELS[name](READS, 6, **settings).double()
    return model


def nothing(model: SequenceModel) -> Memory:
    return model.initial_state(torch.zeros(ROWS, 1, dtype=torch.float64), STEPS)


def stepped(model: SequenceModel, readings: Tensor, starts: Tensor) -> tuple[Tensor, Memory]:
    memory, features = nothing(model), []
    for reading, start in zip(readings, starts, strict=True):
        feature, memory = model.step(reading, restarted(memory, start))
        features.append(feature)
    return torch.stack(features), memory


def sequences() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    readings = torch.randn(STEPS, ROWS, READS, generator=generator, dtype=torch.float64)
    starts = torch.zeros(STEPS, ROWS, dtype=torch.bool)
    for step, row in ((0, 1), (2, 0), (5, 0), (5, 3), (8, 1)):  # row 2 plays one trial all the while
        starts[step, row] = True
    return readings, starts


@pytest.mark.parametrize(("name", "settings"), KINDS, ids=str)
def test_one_call_is_step_by_step_where_trials_end_in_the_middle(name: str, settings: dict[str, Any]) -> None:
    model, (readings, starts) = model_of(name, settings), sequences()
    wanted, last = stepped(model, readings, starts)
    found, memory = unroll(model, readings, nothing(model), starts)
    torch.testing.assert_close(found, wanted)
    for part, other in zip(memory, last, strict=True):
        torch.testing.assert_close(part, other)
    weights = tuple(model.parameters())  # type: ignore[attr-defined]
    gradients = [torch.autograd.grad(total.square().sum(), weights) for total in (found, wanted)]
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other)
    apart, _ = unroll(model, readings, nothing(model))  # all as one trial
    torch.testing.assert_close(apart[:, 2], wanted[:, 2])
    assert not torch.isclose(apart[2, 0], wanted[2, 0]).all()  # that row began anew


@pytest.mark.parametrize("name", ["gru", "lstm"])
def test_one_call_is_step_by_step_in_single_precision_too(name: str) -> None:
    model, (readings, _) = model_of(name, {}), sequences()  # by other kernels than in double precision
    weights = tuple(model.float().parameters())  # type: ignore[attr-defined]
    readings, begin = readings.float(), tuple(part.float() for part in nothing(model))
    memory, features = begin, []
    for reading in readings:
        feature, memory = model.step(reading, memory)
        features.append(feature)
    wanted, found = torch.stack(features), unroll(model, readings, begin)[0]
    torch.testing.assert_close(found, wanted)
    gradients = [torch.autograd.grad(total.square().sum(), weights) for total in (found, wanted)]
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


def test_a_transformers_layer_is_attention_as_written_in_the_paper() -> None:
    model: Any = model_of("transformer", {"layers": 1, "heads": 2})
    layer, generator = model.layers[0], torch.Generator().manual_seed(2)
    hidden, before = (torch.randn(*shape, generator=generator).double() for shape in ((3, 2, 6), (2, 4, 12)))
    bias = torch.randn(2, 2, 3, 7, generator=generator).double()
    bias[:, :, :, 0] = -torch.inf  # what lies before the trial
    found, seen = layer(hidden, before, bias)
    query = layer.project(layer.before(hidden))[..., :6].unflatten(-1, (2, 3))  # (T, B, heads, d)
    key, value = (part.unflatten(-1, (2, 3)) for part in seen.chunk(2, dim=-1))  # (B, V+T, heads, d) each
    weights = (torch.einsum("tbhd,bshd->bhts", query, key) / 3**0.5 + bias).softmax(dim=-1)
    heard = hidden + layer.merge(torch.einsum("bhts,bshd->tbhd", weights, value).flatten(2))
    torch.testing.assert_close(found, heard + layer.think(heard))
    stacked = torch.vmap(lambda *parts: layer(*parts)[0])(hidden[None], before[None], bias[None])
    torch.testing.assert_close(stacked[0], found)  # as several outer seeds side by side see it


@pytest.mark.parametrize(("name", "settings"), KINDS, ids=str)
def test_a_memory_goes_on_where_another_call_left_it(name: str, settings: dict[str, Any]) -> None:
    model, (readings, starts) = model_of(name, settings), sequences()
    whole, last = unroll(model, readings, nothing(model), starts)
    first, memory = unroll(model, readings[:4], nothing(model), starts[:4])
    second, memory = unroll(model, readings[4:], memory, starts[4:])
    torch.testing.assert_close(torch.cat([first, second]), whole)
    step, _ = model.step(readings[0], last)
    other, _ = model.step(readings[0], memory)
    torch.testing.assert_close(step, other)


FAMILIES: list[tuple[Family, dict[str, Any]]] = [
    (Bandit(arms=3, horizon=7, dtype="float64"), {}),
    (XOR(bits=2, horizon=7, dtype="float64"), {"writing": "score"}),
    (GuessingGame(dims=2, horizon=7, dtype="float64"), {"noise": 0.2}),
    (GuessingGame(dims=2, horizon=7, dtype="float64"), {"noise": 0.2, "writing": "absolute"}),
]


def monolith(family: Family, kind: type[Monolith] = Monolith, **settings: Any) -> Monolith:
    agent = kind(family, MonolithSettings(hidden_size=6, **settings)).double()
    shake(agent, 0.8)
    return agent


def seen_by(agent: Monolith, family: Family, seed: int) -> tuple[Observation, Tensor]:
    trials = Trials(family, keys(ROWS, seed), as_soon_as_possible)
    drawn = draw_trials(agent, trials, expected=False, states=True)
    return drawn.observations, drawn.logits


@pytest.mark.parametrize("model", ["gru", "lstm", "fast_weights", "transformer"])
@pytest.mark.parametrize(("family", "settings"), FAMILIES, ids=["bandit", "xor", "increments", "values"])
def test_a_monolith_sees_again_what_it_saw(model: str, family: Family, settings: dict[str, Any]) -> None:
    agent = monolith(family, sequence_model=model, **settings)
    (one, first), (other, second) = (seen_by(agent, family, seed) for seed in (0, 1))
    own = keys(ROWS)
    begin = agent.initial_state(family, own)
    _, record = agent.unroll(begin, one, own)
    torch.testing.assert_close(record["logits"], first)
    cuts, time = torch.tensor([[1, 6, 3, 3]]), torch.arange(family.horizon)[:, None]  # (1, B), (T, 1)
    old, place = time < cuts, torch.where(time < cuts, time, time - cuts)  # (T, B)

    def spliced(before: Tensor, after: Tensor) -> Tensor:
        """The first trial up to the row's cut, then the second from its start."""
        index = place.view(*place.shape, *[1] * (before.dim() - 2)).expand_as(before)
        return torch.where(
            old.view(*old.shape, *[1] * (before.dim() - 2)), before.gather(0, index), after.gather(0, index)
        )

    both = Observation(*(spliced(*parts) for parts in zip(one, other, strict=True)))
    state, record = agent.unroll(begin, both, own, starts=place == 0)
    torch.testing.assert_close(record["logits"], spliced(first, second))
    stepped_on = begin
    for now in range(family.horizon):
        stepped_on = stepped_on._replace(memory=restarted(stepped_on.memory, place[now] == 0))
        stepped_on, _, step = agent.act(stepped_on, Observation(*(part[now] for part in both)), own, now)
        torch.testing.assert_close(step["logits"], record["logits"][now])
        torch.testing.assert_close(step["states"], record["states"][now])
    last = Observation(*(part[-1] for part in both))
    (_, action, _), (_, wanted, _) = (
        agent.act(state, last, own, family.horizon),
        agent.act(stepped_on, last, own, family.horizon),
    )
    torch.testing.assert_close(action, wanted)  # chance goes on as well


class StepByStep(Monolith):
    """A monolith that never unrolls."""

    sequence_major = False
    unroll = LearnedAgent.unroll  # type: ignore[assignment]


@pytest.mark.parametrize("settings", [{}, {"epochs": 2, "minibatches": 2}], ids=str)
@pytest.mark.parametrize(("family", "agent"), FAMILIES, ids=["bandit", "xor", "increments", "values"])
def test_learning_from_whole_trials_is_learning_step_by_step(
    family: Family, agent: dict[str, Any], settings: dict[str, Any]
) -> None:
    made = []
    for kind in (Monolith, StepByStep):
        torch.manual_seed(0)
        learner = monolith(family, kind, **agent)
        estimator = make_estimator("policy_gradient", {"entropy": 0.1, "value_size": 4, **settings})
        trials = Trials(family, keys(8), as_soon_as_possible)
        made.append(updates_of(estimator, learner, trials))
    for one, other in zip(*made, strict=True):
        torch.testing.assert_close(one.loss, other.loss)
        assert one.gradients.keys() == other.gradients.keys()
        for name, part in one.gradients.items():
            torch.testing.assert_close(part, other.gradients[name])
    assert any(part.abs().max() > 1e-3 for part in made[0][0].gradients.values())
