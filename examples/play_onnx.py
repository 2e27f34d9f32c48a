"""Play a trial of a trained agent by onnxruntime, without torch.

    badger export guessing-hardwired step.onnx
    python examples/play_onnx.py step.onnx

It needs `pip install 'badger-suite[export]'` to export, and `pip install onnxruntime badger-suite` to play.
"""

import json
import sys

import gymnasium as gym
import numpy as np
import onnxruntime

import badger_envs  # noqa: F401  registers the environments
from badger_envs.topology import adjacency

session = onnxruntime.InferenceSession(sys.argv[1])
about = json.loads(session.get_modelmeta().custom_metadata_map["badger"])
env = gym.make(about["env"], split="test", **about["env_settings"])
observation, info = env.reset(seed=0)
experts, rng, done = about["experts"], np.random.default_rng(0), False
sizes = {"batch": 1, "experts": experts, **{name: len(observation[name]) for name in ("inputs", "outputs")}}
shapes = {put.name: [sizes.get(size, size) for size in put.shape] for put in session.get_inputs()}
feed = {name: rng.standard_normal(shape, np.float32) for name, shape in shapes.items()}  # states begin anew
feed |= dict.fromkeys(("speaks", "hears"), np.ones((1, experts), bool)) | {"order": np.arange(experts)[None]}
feed["edges"] = adjacency(about["topology"], experts)[None]
if "horizon" in feed:
    feed["horizon"] = np.array(env.unwrapped.family.horizon, np.float32)
while not done:
    feed |= {name: part.reshape(shapes[name]) for name, part in observation.items() if name in feed}
    if "draw.choice" in feed:
        feed["draw.choice"] = rng.random(shapes["draw.choice"], np.float32)
    names = [out.name for out in session.get_outputs()]
    made = dict(zip(names, session.run(None, feed), strict=True))
    feed |= {f"state{name[4:]}": part for name, part in made.items() if name.startswith("next.")}
    observation, reward, done, truncated, info = env.step(made["action"][0])
print(json.dumps({name: float(value) for name, value in info.items()}))
