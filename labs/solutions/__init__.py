"""Solutions, one module a lab: `SOLUTIONS` maps an exercise to a right answer. Look here last."""
