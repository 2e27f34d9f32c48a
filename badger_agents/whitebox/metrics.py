"""Measures of communication: pure functions on arrays, each with formula, range, source and null.

Letters: T steps, B trials, E experts, M numbers per message, C counterfactual messages, A actions,
S symbols, P permutations. Information is in bits. Arrays come from a `Trace` (as NumPy arrays).
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int


class Excess(NamedTuple):
    """A statistic beside its null.

    Attributes:
        value: as measured.
        null: mean of the same over permutations.
        high: the value that 95 % of the permutations stay below; above it, a value is no accident.
    """

    value: float
    null: float
    high: float

    @property
    def excess(self) -> float:
        """The value less the mean of its null: 0 on average where there is nothing."""
        return self.value - self.null


def causal_effect(
    actual: Float[np.ndarray, "*states"], counterfactual: Float[np.ndarray, "C *states"]
) -> float:
    """Causal influence on a listener that writes a number: mean squared change of the writing.

    Formula: mean over states s and messages m' of (w(s, do m') - w(s, m))^2.
    Range: 0 up, in units of the writing squared. If w = a * m + rest and m' is drawn independently of m
    and like it, it is 2 a^2 Var(m). With a Gaussian around w of variance v, the KL divergence is this
    over 2 v.
    Source: Lowe, Foerster, Boureau, Pineau, Dauphin 2019, "On the pitfalls of measuring emergent
    communication"; Jaques et al. 2019, "Social influence as intrinsic motivation". There a listener has a
    distribution of actions; for numbers, the squared distance takes the place of the divergence.
    Null: a deaf listener, exactly 0.
    """
    return float(np.mean((np.asarray(counterfactual, float) - np.asarray(actual, float)) ** 2))


def first_component(
    messages: Float[np.ndarray, "*samples M"], count: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Messages along the directions in which they vary most (principal components).

    Args:
        messages: [..., M].
        count: how many directions.

    Returns:
        [..., count], centred, and the share of the variance in each direction [count] (0 if there is
        none). The sign is such that a direction's largest entry is positive.
    """
    flat = messages.reshape(-1, messages.shape[-1]).astype(float)
    centred = flat - flat.mean(0)
    values, vectors = np.linalg.eigh(centred.T @ centred)  # rising
    count = min(count, len(values))
    values, vectors = values[::-1].clip(0), vectors[:, ::-1]
    leading = vectors[np.abs(vectors).argmax(0), np.arange(len(values))]
    vectors = vectors * np.where(leading < 0, -1, 1)
    total = values.sum()
    share = values[:count] / total if total > 0 else np.zeros(count)
    return (centred @ vectors[:, :count]).reshape(*messages.shape[:-1], count), share


def unusual(messages: Float[np.ndarray, "T B E M"]) -> Float[np.ndarray, "T B E M"]:
    """Messages less their mean over trials and experts at each step: without what is a clock to all."""
    return messages - messages.mean((1, 2), keepdims=True)


def symbols(values: Float[np.ndarray, "*samples"], count: int = 4) -> Int[np.ndarray, "*samples"]:
    """Numbers as symbols 0 .. count - 1 of equal frequency, by quantiles; equal numbers stay together."""
    flat = np.asarray(values, float)
    cuts = np.quantile(flat, np.arange(1, count) / count)
    return np.searchsorted(cuts, flat, side="right")


def mutual_information(one: Int[np.ndarray, "*samples"], other: Int[np.ndarray, "*samples"]) -> float:
    """Mutual information of two symbols, from counts (the plug-in estimate).

    Formula: sum over (x, y) of p(x, y) log2(p(x, y) / (p(x) p(y))).
    Range: 0 to log2 of the number of symbols, in bits.
    Null: above 0 for independent symbols, by about (S_x - 1)(S_y - 1) / (2 N ln 2): see `excess`.
    """
    x, y = np.asarray(one).ravel(), np.asarray(other).ravel()
    joint = np.zeros((x.max() + 1, y.max() + 1))
    np.add.at(joint, (x, y), 1 / len(x))
    seen = joint > 0
    independent = joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)
    return max(0.0, float((joint[seen] * np.log2(joint[seen] / independent[seen])).sum()))


def excess(
    one: Int[np.ndarray, "T B"], other: Int[np.ndarray, "T B"], permutations: Int[np.ndarray, "P B"]
) -> Excess:
    """Mutual information beside its permutation null: the second symbols dealt to other trials.

    Trials change places whole and steps stay in place, so that what all trials do at the same time
    (courses of a trial, clocks) is in the null too, and only what goes with the task exceeds it.

    Args:
        one: symbols.
        other: symbols.
        permutations: of the trials, P of them.
    """
    value = mutual_information(one, other)
    null = [mutual_information(one, other[:, order]) for order in permutations]
    return Excess(value, float(np.mean(null)), float(np.quantile(null, 0.95)))


def speaker_consistency(
    messages: Int[np.ndarray, "T B E"],
    writings: Int[np.ndarray, "T B E"],
    permutations: Int[np.ndarray, "P B"],
) -> list[Excess]:
    """How much an expert's message says of what it writes in the same step, for each expert.

    Formula: mutual information of its message and its writing, as symbols; minus the permutation null.
    Range: 0 to log2 S bits. It proves nothing of listening: it stays when nobody hears.
    Source: Jaques et al. 2019; Lowe et al. 2019, who show why the null is needed.
    Null: `excess`.
    """
    experts = messages.shape[2]
    return [excess(messages[..., i], writings[..., i], permutations) for i in range(experts)]


def instantaneous_coordination(
    messages: Int[np.ndarray, "T B E"],
    writings: Int[np.ndarray, "T B E"],
    permutations: Int[np.ndarray, "P B"],
) -> dict[tuple[int, int], Excess]:
    """How much a message says of what another expert writes once it has heard it, by (listener, speaker).

    Messages arrive in the step in which they are sent, and are heard before anybody writes.

    Formula: mutual information of message j and writing i of the same step; minus the permutation null.
    Range: 0 to log2 S bits. Correlation only: both may follow from a third thing.
    Source: Jaques et al. 2019; Lowe et al. 2019.
    Null: `excess`.
    """
    experts = messages.shape[2]
    return {
        (i, j): excess(messages[..., j], writings[..., i], permutations)
        for i in range(experts)
        for j in range(experts)
        if i != j
    }


def message_entropy(messages: Float[np.ndarray, "*samples M"], bins: int = 16) -> float:
    """Entropy of a number of a message, as a mean over the message's numbers.

    Formula: -sum_b p_b log2 p_b of a histogram of `bins` equal bins between each number's extremes.
    Range: 0 (never changes) to log2(bins), in bits. It grows with the number of bins: compare equal ones.
    Source: Shannon 1948; as a measure of channels Lowe et al. 2019.
    Null: 0 for constant messages, log2(bins) for uniform noise.
    """
    flat = messages.reshape(-1, messages.shape[-1]).astype(float)
    entropies = []
    for column in flat.T:
        low, high = column.min(), column.max()
        if low == high:
            entropies.append(0.0)
            continue
        place = ((column - low) / (high - low) * bins).astype(int).clip(0, bins - 1)
        entropies.append(_entropy(np.bincount(place, minlength=bins) / len(column)) / np.log(2))
    return float(np.mean(entropies))


def effective_rank(messages: Float[np.ndarray, "*samples M"]) -> tuple[float, float]:
    """How many directions messages make use of, and how many they would if their numbers were unrelated.

    Formula: exp of the entropy of s / sum(s), s the singular values of the centred messages [N, M].
    Range: 1 to M; 0 for messages that never change.
    Source: Roy and Vetterli 2007, "The effective rank: a measure of effective dimensionality".
    Null: the same numbers, uncorrelated: s are then their standard deviations.
    """
    flat = messages.reshape(-1, messages.shape[-1]).astype(float)
    centred = flat - flat.mean(0)
    rounding = 1e-7 * float(np.abs(flat).max(initial=0.0))
    centred = np.where(np.abs(centred) > rounding, centred, 0.0)
    return _spread(np.linalg.svd(centred, compute_uv=False)), _spread(centred.std(0))


def attention_entropy(attention: Float[np.ndarray, "*samples E S"]) -> Float[np.ndarray, "E"]:
    """How many others each listener hears at a time: exp of the entropy of its attention, on average.

    Formula: exp(mean of -sum_j a_j ln a_j), over samples in which it hears at all.
    Range: 1 (one speaker) to E; 0 for a listener that never hears.
    Source: the perplexity of Shannon 1948; for routing Vaswani et al.'s attention and others.
    Null: uniform attention, the number of neighbours.

    Args:
        attention: rows of listeners; each sums to 1, or to 0 where nobody is heard.
    """
    rows = attention.reshape(-1, *attention.shape[-2:]).astype(float)  # [N, E, E]
    logs = np.log(rows, out=np.zeros_like(rows), where=rows > 0)
    entropy, hears = -(rows * logs).sum(-1), rows.sum(-1) > 0  # [N, E]
    mean = np.divide((entropy * hears).sum(0), hears.sum(0), out=np.zeros(rows.shape[1]), where=hears.any(0))
    return np.where(hears.any(0), np.exp(mean), 0.0)


def equivariance_residual(
    writings: Float[np.ndarray, "T B E"], permuted: Float[np.ndarray, "T B E"], order: Int[np.ndarray, "B E"]
) -> float:
    """How far an agent with permuted experts is from writing the permuted writings.

    Formula: root mean square of permuted[.., e] - writings[.., order[e]], over that of the writings.
    Range: 0 up; about 1 where the permuted agent does something else.
    Source: equivariance of sets of experts, contract 4; Zaheer et al. 2017, "Deep sets".
    Null: rounding, 1e-6 in float32.
    """
    expected = np.take_along_axis(writings, order[None], axis=2)
    size = float(np.sqrt(np.mean(expected.astype(float) ** 2)))
    miss = float(np.sqrt(np.mean((permuted.astype(float) - expected) ** 2)))
    return miss / size if size > 0 else miss


class Paired(NamedTuple):
    """A mean difference on the same tasks, with its 95 % interval over tasks (normal approximation)."""

    difference: float
    ci95: tuple[float, float]


def paired_difference(changed: Float[np.ndarray, "N"], base: Float[np.ndarray, "N"]) -> Paired:
    """Outcomes under an intervention minus the outcomes of the same tasks without.

    With an expert removed this is the leave-one-out effect: what the expert is worth.

    Formula: mean of the differences d, plus and minus 1.96 std(d) / sqrt(N).
    Range: that of the outcome. The interval is over tasks; of other trainings it says nothing.
    Source: the paired t interval, at the normal's 1.96; tasks and noise are common to both sides.
    Null: 0, exactly where the intervention changes nothing.

    Args:
        changed: outcomes of the trials under the intervention.
        base: those of the same trials without.
    """
    differences = np.asarray(changed, float) - np.asarray(base, float)
    mean, count = float(differences.mean()), len(differences)
    half = 1.96 * float(differences.std(ddof=1)) / count**0.5 if count > 1 else float("inf")
    return Paired(mean, (mean - half, mean + half))


def _entropy(shares: np.ndarray) -> float:
    """In nats; empty shares count nothing."""
    shares = shares[shares > 0]
    return float(-(shares * np.log(shares)).sum())


def _spread(sizes: np.ndarray) -> float:
    """The exp of the entropy of sizes as shares of their sum; 0 if all are 0."""
    total = sizes.sum()
    return float(np.exp(_entropy(sizes / total))) if total > 0 else 0.0
