"""What can be done to a trained agent before it is measured: to its channel, its feedback, its memory."""

from badger_agents.agent import Agent
from badger_agents.whitebox.controls import CONTROLS
from badger_agents.whitebox.interventions import INTERVENTIONS, Intervened
from baselines.ablations.voting import Voting

CHANGES = {
    "silence": 'nothing arrives, as with topology "none"; unlike anything met in training',
    "mean message": "what each expert says in the mean of all trials at this step arrives, messages and keys",
    "moment-matched noise": "noise arrives with mean and variance of every number that is sent",
    "shuffle across tasks": "experts hear what was said in their places in another trial, all the trial",
    "shuffle across experts": "each message is another expert's, the same one's all the trial",
    "delay by one step": "all that is sent arrives one step later",
    "uniform attention": "experts hear the mean of all whom they can hear",
    "withheld": "no feedback: all of it reads as zeros",
    "forgetful": "no memory: born anew at every step, in which only the clock goes on",
}
"""Their names, and what each means; interventions on the channel first."""

GROUP_CHANGES = {"vote": "members vote: all answer what most of them would have answered"}
"""The same for what only members that choose can do (XOR, hidden profiles): a line of a board asks for it."""


def changed(agent: Agent, change: str) -> Agent:
    """The agent with one of `CHANGES` or `GROUP_CHANGES`; its weights are used, not copied.

    Raises:
        TypeError: an intervention on the channel of an agent that has none.
    """
    if change in GROUP_CHANGES:
        return Voting(agent)
    if change in CONTROLS:
        return CONTROLS[change](agent)
    return Intervened(agent, INTERVENTIONS[change]())
