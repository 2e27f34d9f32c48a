"""Recipes: one TOML file that names family, agent, objective, estimator and budget."""
