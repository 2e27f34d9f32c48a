"""The environments need numpy, gymnasium and array-api-compat; what needs more says which extra has it."""

import subprocess
import sys

NEEDED = ["numpy", "gymnasium", "array_api_compat", "badger_envs"]
NEEDED += ["cloudpickle", "farama_notifications", "typing_extensions"]  # by gymnasium

HIDE = f"""
import sys

class Hidden:
    needed = {{*sys.stdlib_module_names, *{NEEDED!r}}}

    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top not in self.needed and not top.startswith("_"):
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Hidden())
"""


def run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", HIDE + code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_id_steps_with_numpy_gymnasium_and_array_api_compat_alone() -> None:
    code = """
import gymnasium as gym
import badger_envs, badger_envs.testing, badger_envs.wrappers

for entry in badger_envs.TABLE:
    if "Digits" in entry.id:  # its images are in a package of their own
        continue
    env, envs = gym.make(entry.id), gym.make_vec(entry.id, num_envs=2)
    for each in (env, envs):
        each.action_space.seed(0)
        each.reset(seed=0)
        each.step(each.action_space.sample())
    badger_envs.wrappers.RL2Observation(env).reset(seed=0)
assert "torch" not in sys.modules
print(len(badger_envs.TABLE))
"""
    assert int(run(code)) >= 45


def test_what_needs_more_says_which_extra_has_it() -> None:
    code = """
import badger_envs
try:
    badger_envs.make_batched("Badger/GuessingGame-v0", 2)
except ImportError as error:
    print(error)
try:
    import badger_envs.faces.pettingzoo
except ImportError as error:
    print(error)
"""
    torch, pettingzoo = run(code).splitlines()
    assert torch.endswith("pip install 'badger-suite[agents]'")
    assert pettingzoo.endswith("pip install 'badger-suite[pettingzoo]'")
