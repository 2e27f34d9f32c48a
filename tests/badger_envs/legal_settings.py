"""Settings for property tests, by family: strategies of legal ones, and values that no setting may have."""

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from badger_envs.families import hidden_maps, landscapes
from badger_envs.families.bandit import DIFFICULTIES
from badger_envs.families.synthetic import goals, maps
from badger_envs.families.synthetic.synthetic import FEEDBACK

Settings = dict[str, Any]

LONGEST = 6  # steps: what can go wrong does so early, and the end of a trial is near


def common(least_horizon: int = 1, shuffle: bool = True) -> st.SearchStrategy[Settings]:
    """Settings that all families have; each may be left out, but the horizon."""
    return st.fixed_dictionaries(
        {"horizon": st.integers(least_horizon, LONGEST)},
        optional={
            "split": st.sampled_from(["train", "validation", "test"]),
            "dtype": st.sampled_from(["float32", "float64"]),
            **({"shuffle_slots": st.booleans()} if shuffle else {}),
        },
    )


@st.composite
def sizes(draw: st.DrawFn, name: str, least: int, most: int) -> tuple[Settings, int]:
    """A size, fixed or a range, perhaps with one for the test split; and the largest of all splits."""
    low = draw(st.integers(least, max(least, most // 2)))
    high = draw(
        st.integers(low, max(low, (most + low - 1) // 2))
    )  # the range held out ends at 2 high - low + 1
    value: Any = (
        low if low == high and draw(st.booleans()) else draw(st.sampled_from([(low, high), [low, high]]))
    )
    held_out = 2 * high - low + 1 if low < high else high
    if high == most or not draw(st.booleans()):
        return {name: value}, max(high, held_out)
    first = draw(st.integers(high + 1, most))
    last = draw(st.integers(first, most))
    test: Any = draw(st.sampled_from([(first, last), [first, last], first]))
    return {name: value, f"test_{name}": test}, max(high, first if isinstance(test, int) else last)


@st.composite
def kinds(draw: st.DrawFn, known: tuple[str, ...]) -> Settings:
    """A kind, or several with or without kinds of the test split."""
    if draw(st.booleans()):
        return {"kind": draw(st.sampled_from(known))}
    order = draw(st.permutations(known))
    trained = draw(st.integers(1, len(known) - 1))
    tested = draw(st.integers(0, len(known) - trained))
    chosen: Settings = {"kind": draw(st.sampled_from([tuple, list]))(order[:trained])}
    return chosen | ({"test_kind": tuple(order[trained : trained + tested])} if tested else {})


def capacities(least: int) -> st.SearchStrategy[Settings]:
    """A capacity that may be left out."""
    return st.fixed_dictionaries({}, optional={"capacity": st.integers(least, least + 4)})


@st.composite
def guessing_game(draw: st.DrawFn) -> Settings:
    sized, largest = draw(sizes("dims", 1, 12))
    scale = st.floats(0, 1, exclude_min=True) | st.just(1)
    other = draw(st.fixed_dictionaries({}, optional={"target_scale": scale}))
    return draw(common()) | sized | draw(capacities(largest)) | other


@st.composite
def xor(draw: st.DrawFn) -> Settings:
    function = draw(st.sampled_from(["parity", "majority", "table"]))
    table = function == "table"
    sized, largest = draw(sizes("bits", 1, 6 if table else 64))
    show = "always" if table else draw(st.sampled_from(["always", "first"]))
    return (
        draw(common(2 if table else 1))
        | sized
        | draw(capacities(largest))
        | {"function": function, "show": show}
    )


@st.composite
def bandit(draw: st.DrawFn) -> Settings:
    kind = draw(st.sampled_from(["bernoulli", "gaussian", "dependent", "informative", "restless"]))
    settings = draw(common(shuffle=kind != "informative")) | {"kind": kind}
    if kind == "dependent":
        settings |= {"difficulty": draw(st.sampled_from(list(DIFFICULTIES)))}
        return settings | draw(capacities(2))
    if kind == "informative":
        arms = draw(st.integers(3, 100))
        return settings | {"arms": arms} | draw(capacities(arms))
    sized, largest = draw(sizes("arms", 1, 100))
    walk = draw(st.fixed_dictionaries({}, optional={"walk": st.floats(0, 0.5)}))
    return settings | sized | draw(capacities(largest)) | walk


@st.composite
def random_mdp(draw: st.DrawFn) -> Settings:
    kind = draw(st.sampled_from(["normal", "goal"]))
    states, most_states = draw(sizes("states", 2 if kind == "goal" else 1, 8))
    actions, most_actions = draw(sizes("choices", 1, 5))
    optional = {
        "concentration": st.sampled_from([0, 0.001, 0.1, 1, 3.5, 1000]),
        "episode_steps": st.integers(1, LONGEST + 2),
    }
    other = draw(st.fixed_dictionaries({"kind": st.just(kind)}, optional=optional))
    return draw(common()) | states | actions | draw(capacities(max(most_states, most_actions))) | other


@st.composite
def sequence(draw: st.DrawFn) -> Settings:
    continuous = st.sampled_from(
        [
            {"id": "Badger/GuessingGame-v0", "dims": 2, "horizon": 2},
            {"id": "Badger/VariableIO-v0", "horizon": 3, "support": 1},
            {"id": "Badger/HotCold-v0", "horizon": 1},
        ]
    )
    binary = st.sampled_from(
        [{"id": "Badger/XOR-v0", "bits": 2}, {"id": "Badger/XOR-table-v0", "horizon": 2}]
    )
    chosen = st.sampled_from(
        [{"id": "Badger/Bandit-v0", "arms": 3}, {"id": "Badger/RandomMDP-v0", "choices": 3, "horizon": 2}]
    )
    kind = draw(st.sampled_from([continuous, binary, chosen]))
    tasks = draw(st.lists(kind, min_size=1, max_size=3))
    order = draw(st.lists(st.integers(0, len(tasks) - 1), min_size=1, max_size=4))
    other = draw(st.fixed_dictionaries({}, optional={"signed": st.booleans()}))
    return draw(common()) | {"tasks": tasks, "order": order} | other


@st.composite
def hot_cold(draw: st.DrawFn) -> Settings:
    sized, largest = draw(sizes("dims", 1, 12))
    optional = {
        "feedback": st.sampled_from(["sign", "delta", "value", "gradient"]),
        "reveal_inputs": st.booleans(),
        "loss": st.sampled_from(["value", "best"]),
    }
    other = draw(st.fixed_dictionaries({}, optional=optional))
    kind = draw(kinds(landscapes.KINDS))
    return draw(common()) | sized | draw(capacities(largest)) | kind | other


@st.composite
def deliberation(draw: st.DrawFn) -> Settings:
    kind = draw(st.sampled_from(["prefix", "chase", "maze"]))
    sized, largest = draw(sizes("size", 1, 4 if kind == "maze" else 12))
    return draw(common(shuffle=False)) | sized | draw(capacities(largest)) | {"kind": kind}


@st.composite
def digits(draw: st.DrawFn) -> Settings:
    classes, most_classes = draw(sizes("classes", 2, 10))
    inputs, most_inputs = draw(sizes("inputs", 1, 9))
    other = {"slot_size": draw(st.integers(1, 64 // most_inputs)), "projected": draw(st.booleans())}
    capacity = draw(capacities(max(most_classes, most_inputs)))
    return draw(common(2, shuffle=False)) | classes | inputs | other | capacity


@st.composite
def variable_io(draw: st.DrawFn) -> Settings:
    settings = draw(common()) | draw(kinds(hidden_maps.KINDS))
    inputs, most_inputs = draw(sizes("inputs", 1, 8))
    outputs, most_outputs = draw(sizes("outputs", 2, 8))  # 2: the classes of a lookup
    optional = {
        "nonzero": st.integers(1, 10),
        "blur": st.floats(0, 1, exclude_max=True) | st.just(0),
    }
    other = draw(
        st.fixed_dictionaries({"support": st.integers(0, settings["horizon"] - 1)}, optional=optional)
    )
    return settings | inputs | outputs | draw(capacities(max(most_inputs, most_outputs))) | other


@st.composite
def hidden_profile(draw: st.DrawFn) -> Settings:
    members, most = draw(sizes("members", 1, 6))
    options, _ = draw(sizes("options", 2, LONGEST))
    optional = {
        "shared": st.integers(0, 8),
        "own": st.integers(1, 5),
        "kind": st.sampled_from(["choice", "ranking"]),
        "profile": st.sampled_from(["any", "any", "any", "hidden"]),
    }
    other = draw(st.fixed_dictionaries({}, optional=optional))
    return draw(common(LONGEST)) | members | options | draw(capacities(most)) | other


@st.composite
def recall(draw: st.DrawFn) -> Settings:
    asked = draw(st.sampled_from(["any", "holder", "other"]))
    members, most = draw(sizes("members", 2 if asked == "other" else 1, 6))
    pairs, most_pairs = draw(sizes("pairs", 1, LONGEST - 1))
    patience = draw(st.integers(1, LONGEST - most_pairs))
    questions = draw(st.integers(1, (LONGEST - most_pairs) // patience))
    kind = draw(st.sampled_from(["lookup", "autoencode", "repeat-previous", "count"]))
    other = {"kind": kind, "width": draw(st.integers(2, 9))}
    if kind in ("lookup", "autoencode"):
        other |= {"asked": asked, "patience": patience, "questions": questions}
    return draw(common(LONGEST)) | members | pairs | draw(capacities(most)) | other


@st.composite
def synthetic(draw: st.DrawFn) -> Settings:
    goal = draw(st.sampled_from(list(goals.GOALS)))
    settings = draw(common()) | draw(kinds(maps.KINDS)) | {"goal": goal}
    inputs, most_inputs = draw(sizes("inputs", 1, 5))
    features, _ = draw(sizes("features", 1, 3))
    outputs, most_outputs = draw(sizes("outputs", 2 if goal == "choose" else 1, 5))
    told = [name for name in FEEDBACK if (goal, name) != ("choose", "gradient")]
    optional = {
        "project": st.booleans(),
        "loudness": st.floats(0, 10),
        "delay": st.integers(0, 16),
        "unit": st.floats(1, 1000),
        "local": st.booleans(),
        "told_steps": st.integers(0, settings["horizon"]),
        "distinct": st.integers(1, 2**31 - 1),
    }
    other = draw(st.fixed_dictionaries({}, optional=optional))
    other["context"] = goal != "optimum" and draw(st.booleans())
    other["told"] = tuple(draw(st.permutations(told))[: draw(st.integers(1, len(told)))])
    capacity = draw(capacities(max(most_inputs, most_outputs)))
    return settings | inputs | features | outputs | capacity | other


LEGAL: Mapping[str, st.SearchStrategy[Settings]] = {
    "Badger/GuessingGame-v0": guessing_game(),
    "Badger/XOR-v0": xor(),
    "Badger/Bandit-v0": bandit(),
    "Badger/RandomMDP-v0": random_mdp(),
    "Badger/Sequence-v0": sequence(),
    "Badger/HotCold-v0": hot_cold(),
    "Badger/VariableIO-v0": variable_io(),
    "Badger/HiddenProfile-v0": hidden_profile(),
    "Badger/Deliberation-v0": deliberation(),
    "Badger/Recall-v0": recall(),
    "Badger/Digits-v0": digits(),
    "Badger/Synthetic-v0": synthetic(),
}
"""Ids of the families with all their defaults, and legal settings of each."""

_NEVER: list[Any] = [float("nan"), float("inf"), -1, "x", {}, b"3", object(), [[1]], 1j]
_NO_SIZE: list[Any] = [
    *_NEVER,
    0,
    True,
    2.0,
    "3",
    [],
    [3],
    [1, 2, 3],
    [4, 2],
    [0, 3],
    [1.5, 2],
    [1, None],
    (True, 2),
]
_NO_SIZES = {
    name: [*_NO_SIZE, None]
    for name in (
        *("dims", "bits", "inputs", "outputs", "members", "size", "pairs", "classes"),
        *("states", "choices", "features"),
    )
}
_NO_TEST_SIZES = {f"test_{name}": _NO_SIZE for name in (*_NO_SIZES, "arms")}

ILLEGAL: dict[str, list[Any]] = {
    **_NO_SIZES,
    **_NO_TEST_SIZES,
    "arms": [*_NO_SIZE, 101, [1, 100]],
    "options": [*_NO_SIZE, None, 1, [1, 3], 1000],
    "test_options": [*_NO_SIZE, 1, 1000],
    "width": [*_NEVER, None, 1, True, 2.0],
    "questions": [*_NEVER, None, 0, 1000, True, 2.0],
    "patience": [*_NEVER, None, 0, 1000, True, 2.0],
    "asked": [*_NEVER, None, "Any", ["any"]],
    "shared": [*_NEVER, None, True, 2.0],
    "own": [*_NEVER, None, 0, True, 2.0],
    "profile": [*_NEVER, None, "Hidden", ["any"]],
    "states": [*_NO_SIZE, None, 51],
    "choices": [*_NO_SIZE, None, 51],
    "tasks": [*_NEVER, None, [], [{}], [{"id": "Badger/None-v0"}], [{"id": "os:x"}], [{"dims": 3}], [3]],
    "order": [*_NEVER, None, [], [8], [-1], [0.5], [True], [[0]]],
    "signed": [*_NEVER, None, 0, "yes"],
    "concentration": [*_NEVER, None, 0.0001, 1001, True, "0.1"],
    "episode_steps": [*_NEVER, None, 0, 101, True, 2.0],
    "horizon": [*_NEVER, None, 0, True, 3.0, "20", [1, 2]],
    "split": [*_NEVER, None, "Train", 0, ["train"]],
    "dtype": [*_NEVER, None, "float16", "int64", float],
    "shuffle_slots": [*_NEVER, None, 0, 1, "yes"],
    "capacity": [*_NEVER, 0, True, 300.0, "300", [1, 3]],
    "target_scale": [*_NEVER, None, 0, 1.001, "1", True],
    "function": [*_NEVER, None, "xor", ["parity"]],
    "show": [*_NEVER, None, "last", True],
    "kind": [*_NEVER, None, "square", [], 3],
    "test_kind": [*_NEVER, "square", [], 3],
    "difficulty": [*_NEVER, None, "Hard", 0.5],
    "walk": [*_NEVER, None, 0.51, True, "0.1"],
    "feedback": [*_NEVER, None, "Sign", True, ["sign"]],
    "reveal_inputs": [*_NEVER, None, 0, "no"],
    "loss": [*_NEVER, None, "", "worst"],
    "support": [*_NEVER, None, 1000, True, 2.0],
    "nonzero": [*_NEVER, None, 0, True, 2.0],
    "slot_size": [*_NEVER, None, 0, 65, True, 4.0],
    "projected": [*_NEVER, None, 0, 1, "yes"],
    "blur": [*_NEVER, None, 1, True, "0.2"],
    "goal": [*_NEVER, None, "win", ["match"]],
    "told": [*_NEVER, None, "Sign", True, [], ["sign", "sign"]],
    "told_steps": [*_NEVER, 1000, True, 2.0],
    "context": [*_NEVER, None, 0, "yes"],
    "project": [*_NEVER, None, 0, "yes"],
    "local": [*_NEVER, None, 0, "yes"],
    "loudness": [*_NEVER, None, 10.1, True, "0.1"],
    "delay": [*_NEVER, None, 17, True, 2.0],
    "unit": [*_NEVER, None, 0, 0.9, True, "2"],
    "distinct": [*_NEVER, 0, 2**31, True, 2.0],
}
"""Values that a setting may not have, whatever the others are."""
