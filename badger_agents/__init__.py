"""Badger agents: experts with one policy, membrane, channel, inner loop and outer loop."""

from badger_agents.agent import Agent, LearnedAgent, Settings
from badger_agents.badger.agent import BadgerAgent
from badger_agents.badger.policies.expert_policy import Emission, ExpertPolicy
from badger_agents.badger.policies.gru import GRUPolicy
from badger_agents.badger.settings import BadgerSettings
from badger_agents.class_loading import Trust
from badger_agents.evaluation import Evaluation, evaluate
from badger_agents.loading import TrainedAgent, load, load_pretrained, pretrained_names
from badger_agents.recipe.loading import Recipe, RecipeError, load_recipe, recipe_files
from badger_agents.rollout import Trajectory, rollout
from badger_agents.training.checkpoint import Checkpoint, CheckpointError, load_checkpoint
from badger_agents.training.loop import train
from badger_agents.training.run import DivergenceError

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
    "TrainedAgent",
    "Trajectory",
    "Trust",
    "evaluate",
    "load",
    "load_checkpoint",
    "load_pretrained",
    "load_recipe",
    "pretrained_names",
    "recipe_files",
    "rollout",
    "train",
]
