"""Calls have the shapes that they are annotated with, while each kind of agent acts and estimator trains.

In a process of its own, in which calls are checked (they take twice as long). `make test-slow` checks them in
all tests.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]

SCRIPT = """
import sys
from pathlib import Path
from jaxtyping import install_import_hook

install_import_hook(["badger_agents", "baselines"], "beartype.beartype")
import torch
from badger_agents.action_distribution import entropy
from badger_agents.recipe.loading import check_recipe, load_recipe, recipe_files, recipe_tables
from badger_agents.training.loop import train
from tests.badger_agents.small import EVERY_ESTIMATOR, small_recipe

met = set()
for name in recipe_files():
    agent = recipe_tables(name)[0].get("agent", {})
    parts = [agent] + [agent.get(part, {}) for part in ("policy", "membrane", "channel")]
    kind = repr([(part.get("kind"), sorted(part)) for part in parts])
    if kind not in met:
        load_recipe(name)  # lets the agent act
        met.add(kind)
for number, (name, settings) in enumerate(EVERY_ESTIMATOR):
    training = {"outer_steps": 1, "estimator": name, "estimator_settings": settings}
    train(small_recipe(training=training), 0, Path(sys.argv[1]) / str(number))
drawn = load_recipe("bandit-k5").model_dump()
drawn["training"] |= {"outer_steps": 1, "batch_size": 8}
train(check_recipe(drawn, "drawn"), 0, Path(sys.argv[1]) / "drawn")
try:
    entropy("categorical", torch.zeros(2, 3), torch.zeros(2, 4))
except Exception as error:
    print("refused:", type(error).__name__)
"""


def test_agents_act_and_estimators_train_in_the_shapes_that_are_annotated(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SCRIPT, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("refused: ")  # else nothing was checked
