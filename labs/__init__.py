"""Ten labs on learning to learn: exercises with checkers, for students who know PPO. Run from a clone."""

from labs.grading import Result, answer, check, grade, show, steps

__all__ = ["Result", "answer", "check", "grade", "show", "steps"]
