"""Badger agents: experts with one policy, membrane, channel, inner loop and outer loop."""

from badger_agents.agent import Agent, LearnedAgent, Settings
from badger_agents.badger import BadgerAgent, BadgerSettings
from badger_agents.checkpoint import Checkpoint, CheckpointError, load_checkpoint
from badger_agents.evaluation import Evaluation, evaluate
from badger_agents.experts import Emission, ExpertPolicy, GRUPolicy
from badger_agents.inner_loop import Rollout, rollout
from badger_agents.outer_loop import DivergenceError, train
from badger_agents.pretrained import load_pretrained, pretrained_names
from badger_agents.recipe import Recipe, RecipeError, load_recipe, recipe_files

__all__ = [
    "Agent",
    "BadgerAgent",
    "BadgerSettings",
    "Checkpoint",
    "CheckpointError",
    "DivergenceError",
    "Emission",
    "Evaluation",
    "ExpertPolicy",
    "GRUPolicy",
    "LearnedAgent",
    "Recipe",
    "RecipeError",
    "Rollout",
    "Settings",
    "evaluate",
    "load_checkpoint",
    "load_pretrained",
    "load_recipe",
    "pretrained_names",
    "recipe_files",
    "rollout",
    "train",
]
