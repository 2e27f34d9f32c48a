"""TorchRL: `GymEnv` by id on all ids, several at once in three ways, action masks, pixels, a collector."""

import gymnasium as gym
from torchrl.collectors import Collector
from torchrl.envs import ActionMask, GymEnv, GymWrapper, PettingZooWrapper, TransformedEnv
from torchrl.envs.utils import check_env_specs

import badger_envs

gym.register_envs(badger_envs)
BANDIT = "Badger/Bandit-sizes-v0"


def main() -> None:
    ids = [id for id in gym.registry if id.startswith("Badger/")]
    for id in ids:
        env = GymEnv(id)
        env.set_seed(0)
        check_env_specs(env)
        assert env.rollout(200)["next", "done"][-1].item(), "a rollout ends with its trial"
    print(f"GymEnv: {len(ids)} ids")

    for id in ("Badger/GuessingGame-v0", BANDIT):
        for name in ("DISABLED", "SAME_STEP"):
            env = GymWrapper(gym.make_vec(id, num_envs=4, autoreset_mode=name))
            assert env.rollout(250, break_when_any_done=False).shape == (4, 250)
    for several in ({"num_envs": 2}, {"num_workers": 2}):
        env = GymEnv("Badger/GuessingGame-v0", **several)
        assert env.rollout(30, break_when_any_done=False).shape == (2, 30)
        env.close()

    env = GymEnv(BANDIT)
    env.auto_register_info_dict()
    env = TransformedEnv(env, ActionMask())
    env.set_seed(0)
    rollout = env.rollout(300, break_when_any_done=False)
    assert (rollout["action"].bool() & ~rollout["action_mask"].bool()).sum() == 0, "a masked arm was pulled"

    assert GymEnv("Badger/GuessingGame-v0", from_pixels=True).rollout(3)["pixels"].ndim == 4
    collector = Collector(GymEnv("Badger/GuessingGame-v0"), None, frames_per_batch=64, total_frames=256)
    assert sum(batch.numel() for batch in collector) == 256
    collector.shutdown()

    from badger_envs.faces.pettingzoo import guessing_game_v0

    env = PettingZooWrapper(guessing_game_v0.parallel_env(message_size=1))
    check_env_specs(env)
    print(env.rollout(30))


if __name__ == "__main__":
    main()
