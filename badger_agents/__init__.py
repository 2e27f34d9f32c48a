"""Badger agents: experts with one policy, membrane, channel, inner loop and outer loop."""

from badger_agents.agent import Agent, LearnedAgent, Settings
from badger_agents.badger.agent import BadgerAgent, BadgerSettings
from badger_agents.badger.policies.expert_policy import Emission, ExpertPolicy, GRUPolicy
from badger_agents.evaluation import Evaluation, evaluate
from badger_agents.loading import load_pretrained, pretrained_names
from badger_agents.recipe.loading import Recipe, RecipeError, load_recipe, recipe_files
from badger_agents.rollout import Trajectory, rollout
from badger_agents.training.checkpoint import Checkpoint, CheckpointError, load_checkpoint
from badger_agents.training.loop import DivergenceError, train

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
    "Settings",
    "Trajectory",
    "evaluate",
    "load_checkpoint",
    "load_pretrained",
    "load_recipe",
    "pretrained_names",
    "recipe_files",
    "rollout",
    "train",
]
