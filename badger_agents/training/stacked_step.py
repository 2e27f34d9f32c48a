"""Outer steps of many runs at once: seeds that sample the same are stacked and live side by side."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from badger_agents.agent import Keys, LearnedAgent
from badger_agents.estimators.objectives import OBJECTIVES
from badger_agents.estimators.stacked import Stacked
from badger_agents.estimators.trials import Trials
from badger_agents.training.run import Run
from badger_envs.family import Family, Observation


class Population(LearnedAgent):
    """Agents with the same code as one agent, for estimators: its parameters are theirs, stacked [N, ...].

    Args:
        agents: at least one; copies of their parameters are taken, and taken anew by `refresh`.
    """

    def __init__(self, agents: Sequence[LearnedAgent]) -> None:
        super().__init__()
        self._each = [dict(agent.named_parameters()) for agent in agents]
        self.stacks = nn.ParameterList(
            nn.Parameter(torch.stack([own[name].detach() for own in self._each])) for name in self._each[0]
        )  # (N, ...) each
        self._agent = Stacked(agents[0], dict(zip(self._each[0], self.stacks, strict=True)), "error")

    def initial_state(self, family: Family, keys: Keys) -> object:
        """See `Stacked.initial_state`."""
        return self._agent.initial_state(family, keys)

    def act(
        self, state: object, observation: Observation, keys: Keys, step: int
    ) -> tuple[object, Tensor, dict[str, Tensor]]:
        """See `Stacked.act`."""
        return self._agent.act(state, observation, keys, step)

    @torch.no_grad()
    def refresh(self) -> None:
        """Take the agents' parameters as they are now."""
        for name, stack in zip(self._each[0], self.stacks, strict=True):
            stack.copy_(torch.stack([own[name] for own in self._each]))


class Pace:
    """Takes outer steps of many runs, as many runs at once as can be stacked.

    Seeds are stacked where at this outer step their curricula draw the same settings and batch size. They
    go alone, one after the other and each just as without the others, where these differ; with an estimator
    that does not stack; with an agent that has saved buffers; and from the first step on at which
    `torch.vmap` cannot map the agent, which is so for policies that draw from torch's own generator, look at
    values or write into tensors.

    Attributes:
        reason: why seeds go alone, once they do for another cause than different settings; "" before.
    """

    def __init__(self, first: Run) -> None:
        self.reason = ""
        if not first.estimator.stackable:
            self.reason = f"estimator {first.training.estimator!r} takes one seed at a time"
        elif set(first.agent.state_dict()) != set(first.parameters):
            self.reason = "the agent has buffers that are saved beside its weights"

    def step(self, runs: Sequence[Run]) -> None:
        """The next outer step of these runs, all but `Run.close_step`."""
        groups: dict[str, list[Run]] = {}
        for run in runs:
            groups.setdefault(run.sampled, []).append(run)
        for group in groups.values():
            if len(group) > 1 and not self.reason:
                try:
                    outer_step(group)
                    continue
                except Exception as error:  # any code of a user's; what is truly wrong comes again below
                    self.reason = " ".join(str(error).split())[:200] or type(error).__name__
            for run in group:
                outer_step([run])


def outer_step(runs: Sequence[Run]) -> None:
    """An outer step of one run, or of several, stacked, that sample the same: all but `Run.close_step`.

    Of a team's run, each process takes its part of the step.
    """
    samples, first = [run.sample() for run in runs], runs[0]
    team, stepper = first.team, first.estimator
    keys = torch.cat([sample.keys for sample in samples])  # (N*B, 4)
    own = keys if stepper.shares == "scores" else team.own_rows(keys)  # (b, 4)
    torch.manual_seed(first.torch_seed)
    trials = Trials(
        samples[0].family,
        own,
        OBJECTIVES[first.training.objective],
        first.curriculum.penalties(first.place),
        groups=len(runs),
        gradient_limit=first.training.clip_trial,
        draw_key=first.draw_key,
        team=team,
    )
    stack = Population([sample.living for sample in samples]) if len(runs) > 1 else None
    for update in stepper.updates(stack or samples[0].living, trials, first.memory):
        found = [update.loss, *update.gradients]
        loss, *parts = found if stepper.shares == "scores" else team.mean(found, len(own) / len(keys))
        gradients = list(zip(*(part.unbind() for part in parts), strict=True)) if stack else [tuple(parts)]
        norms = [torch.nn.utils.get_total_norm(each) for each in gradients]
        values = torch.cat([loss, torch.stack(norms)]).tolist()  # the one host synchronisation
        for number, run in enumerate(runs):
            run.update(values[number], values[len(runs) + number], norms[number], gradients[number])
        if not any(run.finite for run in runs):
            break
        if stack:
            stack.refresh()
        else:
            first.memory = update.state
