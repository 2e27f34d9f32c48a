"""Probes: what can be read off the experts' states by a linear classifier, beside a control task."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from badger_envs import keyed_random


class Decodability(NamedTuple):
    """How well roles can be read off states.

    Attributes:
        accuracy: of the probe, in [0, 1], at steps that it was not fitted to.
        control: of the same probe for roles assigned at random.
        chance: the share of the commonest role.
    """

    accuracy: float
    control: float
    chance: float


def ridge_accuracy(
    features: Float[np.ndarray, "N D"],
    labels: Int[np.ndarray, "N"],
    fitted: Bool[np.ndarray, "N"],
    ridge: float = 1e-3,
) -> float:
    """Accuracy of a linear classifier fitted in closed form, on the samples that it was not fitted to.

    Formula: argmax of X W, W = (X'X + ridge N I)^-1 X'Y, Y one-hot; X standardised, with a constant that is
    not shrunk.
    Range: 0 to 1. Null: the share of the commonest label.

    Args:
        features: of N samples.
        labels: from 0.
        fitted: which samples to fit to; the others are the test.
        ridge: strength, per sample.

    Raises:
        ValueError: no sample to fit to, or none to test on.
    """
    if fitted.all() or not fitted.any():
        raise ValueError("a probe needs samples to fit to and others to be tested on")
    x = np.asarray(features, float)
    middle, spread = x[fitted].mean(0), x[fitted].std(0)
    x = np.divide(x - middle, spread, out=np.zeros_like(x), where=spread > 1e-9)
    y = np.eye(int(labels.max()) + 1)[labels[fitted]]  # [F, labels]
    base, seen = y.mean(0), x[fitted]
    weights = np.linalg.solve(seen.T @ seen + ridge * len(seen) * np.eye(x.shape[1]), seen.T @ (y - base))
    guess = (x[~fitted] @ weights + base).argmax(1)
    return float((guess == labels[~fitted]).mean())


def role_decodability(
    states: Float[np.ndarray, "T B E H"], roles: Int[np.ndarray, "B E"], control: Int[np.ndarray, "B E"]
) -> Decodability:
    """Whether an expert's state tells its role in the trial, by a linear probe with a control task.

    Formula: accuracy of `ridge_accuracy`, fitted to every other step and tested on those between.
    Range: 0 to 1.
    Source: Hewitt and Liang 2019, "Designing and interpreting probes with control tasks". The control's
    roles are a random one for each expert in each trial, the same at all steps: a probe that does as
    well on them has learned single experts by heart. Report accuracy less control (selectivity).
    Null: a selectivity of 0.

    Args:
        states: of E experts in B trials at T steps, T at least 2.
        roles: of each expert in each trial, from 0; experts with -1 have none and are left out.
        control: roles of the control task (`reassigned`).
    """
    busy = np.broadcast_to(roles >= 0, states.shape[:3])
    fitted = np.broadcast_to((np.arange(len(states)) % 2 == 0)[:, None, None], states.shape[:3])[busy]

    def accuracy(labels: np.ndarray) -> float:
        return ridge_accuracy(states[busy], np.broadcast_to(labels, states.shape[:3])[busy], fitted)

    taken = roles[roles >= 0]
    return Decodability(accuracy(roles), accuracy(control), float(np.bincount(taken).max() / len(taken)))


def places(trials: int, experts: int) -> Int[np.ndarray, "B E"]:
    """Roles by place: which expert it is. Experts that can be exchanged cannot be told apart by it."""
    return np.broadcast_to(np.arange(experts), (trials, experts)).copy()


def schedule(writing: Float[np.ndarray, "T B E"]) -> Int[np.ndarray, "B E"]:
    """Roles by place in the schedule: 0 for who makes its largest writing first, and so on; -1: the idle.

    Of experts that make it at the same step, who writes more comes first. Where experts probe their
    outputs one after the other, the k-th is the owner of the k-th probed output.

    Args:
        writing: as far as it counts: 0 where an expert has no output.
    """
    size = np.abs(writing)
    when, most = size.argmax(0), size.max(0)  # [B, E]
    order = np.lexsort((-most, np.where(most > 0, when, len(writing))), axis=1)  # [B, E]
    return np.where(most > 0, order.argsort(axis=1), -1)


def reassigned(roles: Int[np.ndarray, "B E"], keys: Int[np.ndarray, "B 4"]) -> Int[np.ndarray, "B E"]:
    """Roles of the control task: those of each trial assigned at random to those experts that have one."""
    order = keyed_random.permutation(keys, "whitebox control task", roles.shape[1])  # [B, E]
    shuffled = np.take_along_axis(roles, order, axis=1)
    to, source = ((one < 0).argsort(axis=1, kind="stable") for one in (roles, shuffled))  # the idle last
    found = np.empty_like(roles)
    np.put_along_axis(found, to, np.take_along_axis(shuffled, source, axis=1), axis=1)
    return found


def trial_permutations(keys: Int[np.ndarray, "B 4"], count: int) -> Int[np.ndarray, "P B"]:
    """Random permutations of the trials, for permutation nulls: functions of the trials' keys."""
    return keyed_random.words(keys, "whitebox permutations", count).argsort(axis=0, kind="stable").T
