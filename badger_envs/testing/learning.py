"""Checks of what learning rests on: gradients, expected rewards, and code that never waits for a device."""

from typing import Any

import numpy as np

from badger_envs.family import Family
from badger_envs.testing.subject import (
    Target,
    leaves,
    legal_actions,
    name_of,
    require,
    resolve,
    seeded_keys,
    to_numpy,
    to_torch,
)

_STEP = 1e-6
"""Of the finite differences, in float64."""


def check_gradients(target: Target, batch: int = 4) -> None:
    """The loss is differentiable in the action, as finite differences in float64 say.

    Of the first step in every output, and of a whole trial's losses along a random direction. For
    categorical families there is nothing to check; see `check_expected_reward`.

    Args:
        target: a registered id, or a family.
        batch: trials at once.

    Raises:
        AssertionError: there is no gradient, it is not finite, or it is wrong.
    """
    import torch

    family, name = resolve(target, dtype="float64"), name_of(target)
    if family.action_kind == "categorical":
        return
    keys = seeded_keys(family, range(batch))
    drawn = legal_actions(family, keys, family.horizon + 1)
    actions, direction = to_torch(drawn[:-1]).requires_grad_(), to_torch(drawn[-1])
    keys = to_torch(keys)
    losses = _losses(family, keys, actions)  # [T, B]
    require(losses.requires_grad, f"{name}: the loss has no gradient in the action")
    (first,) = torch.autograd.grad(losses[0].sum(), actions, retain_graph=True)
    (whole,) = torch.autograd.grad(losses.sum(), actions)
    require(bool(torch.isfinite(whole).all()), f"{name}: the gradient of a trial's losses is not finite")
    with torch.no_grad():
        for output in range(family.slots.outputs):
            nudge = torch.zeros_like(actions)
            nudge[0, :, output] = _STEP
            difference = _losses(family, keys, actions + nudge)[0] - _losses(family, keys, actions - nudge)[0]
            what = f"{name}: gradient of the first step's loss in output {output}"
            _require_slope(first[0, :, output], difference / (2 * _STEP), what)
        nudge = _STEP * direction
        difference = _losses(family, keys, actions + nudge) - _losses(family, keys, actions - nudge)
    along = (whole * direction).sum(dim=(0, 2))  # [B]
    what = f"{name}: gradient of a trial's losses along a direction"
    _require_slope(along, difference.sum(dim=0) / (2 * _STEP), what)


def check_expected_reward(target: Target, batch: int = 2048) -> None:
    """`expected_reward` is what `step` pays on average, and is differentiable in the probabilities.

    For categorical families only. The mean over `batch` trials of reward minus expected reward must lie
    within five standard errors of 0, at three steps of the trial; the keys are fixed, and so is the answer.

    Args:
        target: a registered id, or a family.
        batch: trials.

    Raises:
        AssertionError: it is not.
    """
    import torch

    family, name = resolve(target, dtype="float64"), name_of(target)
    if family.action_kind != "categorical":
        return
    offered = type(family).expected_reward is not Family.expected_reward
    require(offered, f"{name}: a categorical family must define expected_reward, for learning")
    keys = to_torch(seeded_keys(family, range(batch)))
    task = family.sample_task(keys)
    state, noise = family.initial_state(task), family.noise(keys, family.horizon)
    outputs = family.slots.outputs
    for time, action in enumerate(legal_actions(family, keys, min(3, family.horizon))):
        taken = to_torch(action)
        chosen = torch.nn.functional.one_hot(taken, outputs).to(torch.float64).requires_grad_()
        expected = family.expected_reward(task, state, chosen)  # [B]
        require(tuple(expected.shape) == (batch,), f"{name}: expected_reward has not the shape [B]")
        (slope,) = torch.autograd.grad(expected.sum(), chosen)
        same = torch.allclose((slope * chosen).sum(-1), expected, rtol=1e-9, atol=1e-9)
        require(same, f"{name}: expected_reward is not the sum of probability times what each slot pays")
        moved = family.step(task, state, taken, noise[:, time])
        missed = to_numpy(moved.reward - expected)
        error = 5 * missed.std() / batch**0.5 + 1e-9
        close = abs(missed.mean()) <= error
        require(
            close, f"{name}: step {time} pays {missed.mean():.4g} more than expected_reward (+- {error:.2g})"
        )
        state = moved.state


def check_device_code(target: Target) -> None:
    """The functions run on a device without waiting for it, and keep all they make there.

    They are run on torch's "meta" device, whose tensors have shapes and dtypes but hold no values:
    whatever asks for one (`if`, `float`, `.item()`, a boolean index) fails, as does what mixes in a
    tensor of another device. No GPU is needed.

    Args:
        target: a registered id, or a family.

    Raises:
        AssertionError: a function looks at values, or leaves the device.
    """
    import torch

    family, name = resolve(target), name_of(target)
    categorical = family.action_kind == "categorical"
    outputs, function = family.slots.outputs, "sample_task"
    dtype = getattr(torch, family.dtype)
    try:
        keys = torch.zeros(3, 4, dtype=torch.int64, device="meta")
        task = _on_device(family.sample_task(keys))
        function = "initial_state"
        state = _on_device(family.initial_state(task))
        function = "noise"
        noise = family.noise(keys, 2)
        function = "info"
        _on_device(family.info(task, state))
        function = "solution"
        _on_device(family.solution(task, family.initial_state(task)))
        for time in range(min(2, family.horizon)):
            function = "observe"
            _on_device(family.observe(task, state))
            function = "step"
            shape, kind = ((3,), torch.int64) if categorical else ((3, outputs), dtype)
            action = torch.zeros(shape, dtype=kind, device="meta")
            moved = family.step(task, state, action, noise[:, time])
            state = _on_device(moved).state
        if categorical:
            function = "expected_reward"
            chances = torch.zeros(3, outputs, dtype=dtype, device="meta")
            _on_device(family.expected_reward(task, state, chances))
    except Exception as error:
        raise AssertionError(
            f"{name}: {function} looks at values or leaves its device, which stalls or fails on a GPU: "
            f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        ) from error


def _on_device(value: Any) -> Any:
    for part, tensor in leaves(value).items():
        require(tensor.device.type == "meta", f"{part} is on {tensor.device}")
    return value


def _losses(family: Family, keys: Any, actions: Any) -> Any:
    """Losses [T, B] of trials of given actions."""
    import torch

    task = family.sample_task(keys)
    state, noise = family.initial_state(task), family.noise(keys, len(actions))
    losses = []
    for time in range(len(actions)):
        moved = family.step(task, state, actions[time], noise[:, time])
        state = moved.state
        losses.append(moved.loss)
    return torch.stack(losses)


def _require_slope(gradient: Any, difference: Any, what: str) -> None:
    found, expected = to_numpy(gradient), to_numpy(difference)
    scale = max(1.0, float(np.abs(expected).max()))
    wrong = ~np.isclose(found, expected, rtol=1e-5, atol=1e-6 * scale)
    message = f"{what} is {found[wrong][:1]}, finite differences say {expected[wrong][:1]}"
    require(not wrong.any(), message)
