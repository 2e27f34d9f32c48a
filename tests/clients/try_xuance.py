"""XuanCe: IPPO on a PettingZoo face (PPO is on the page)."""

from argparse import Namespace

from xuance.common import get_arguments
from xuance.environment import REGISTRY_MULTI_AGENT_ENV, RawMultiAgentEnv, make_envs
from xuance.torch.agents import REGISTRY_Agents

from badger_envs.faces.pettingzoo import guessing_game_v0


class Experts(RawMultiAgentEnv):
    """What XuanCe asks of an environment with several agents."""

    def __init__(self, config: Namespace) -> None:
        super().__init__()
        self.env = guessing_game_v0.parallel_env(message_size=2)
        self.agents = self.env.possible_agents
        self.num_agents, self.agent_groups = len(self.agents), [self.agents]
        self.observation_space, self.action_space = self.env.observation_spaces, self.env.action_spaces
        self.state_space, self.render_mode, self.metadata = self.env.state_space, None, self.env.metadata
        self.max_episode_steps = 20

    def reset(self, **settings):
        return self.env.reset(**settings)

    def step(self, actions):
        observations, rewards, ended, cut, infos = self.env.step(actions)
        return observations, rewards, ended, any(cut.values()), infos

    def state(self):
        return self.env.state()

    def agent_mask(self):
        return dict.fromkeys(self.agents, True)

    def avail_actions(self):
        return None

    def render(self, *arguments, **settings):
        return self.env.render()

    def close(self):
        self.env.close()


if __name__ == "__main__":
    REGISTRY_MULTI_AGENT_ENV["Experts"] = Experts
    changes = {
        "env_name": "Experts", "env_id": "guessing", "vectorize": "DummyVecMultiAgentEnv", "parallels": 2,
        "buffer_size": 80, "device": "cpu", "activation_action": "tanh",
    }  # fmt: skip
    config = get_arguments("ippo", "mpe", "simple_spread_v3", parser_args=Namespace(**changes))
    agent = REGISTRY_Agents[config.agent](config, make_envs(config))
    agent.train(120)
