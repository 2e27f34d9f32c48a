"""The table of registered ids, and where their families are looked up."""

import importlib
from typing import Any, NamedTuple

import gymnasium as gym

from badger_envs.family import Family, make_family


class Entry(NamedTuple):
    """A row of the table: id, family as "module:Class", settings (JSON values), one line about it."""

    id: str
    family: str
    settings: dict[str, Any]
    summary: str


_GUESSING = "badger_envs.families.guessing_game:GuessingGame"
_XOR = "badger_envs.families.xor:XOR"
_BANDIT = "badger_envs.families.bandit:Bandit"
_HOT_COLD = "badger_envs.families.hot_cold:HotCold"
_RANDOM_MDP = "badger_envs.families.random_mdp:RandomMDP"
_SEQUENCE = "badger_envs.combinators.sequence:Sequence"
_VARIABLE_IO = "badger_envs.families.variable_io:VariableIO"
_HIDDEN_PROFILE = "badger_envs.families.hidden_profile:HiddenProfile"
_DELIBERATION = "badger_envs.families.deliberation:Deliberation"
_RECALL = "badger_envs.families.recall:Recall"
_DIGITS = "badger_envs.families.digits:Digits"
_SYNTHETIC = "badger_envs.families.synthetic.synthetic:Synthetic"

TABLE = (
    Entry(
        "Badger/GuessingGame-v0",
        _GUESSING,
        {},
        "find 3 hidden numbers from one global error",
    ),
    Entry("Badger/GuessingGame-d3-v0", _GUESSING, {"dims": 3}, "find 3 hidden numbers"),
    Entry("Badger/GuessingGame-d6-v0", _GUESSING, {"dims": 6}, "find 6 hidden numbers"),
    Entry("Badger/GuessingGame-d10-v0", _GUESSING, {"dims": 10}, "find 10 hidden numbers"),
    Entry(
        "Badger/GuessingGame-sizes-v0",
        _GUESSING,
        {"dims": [1, 8]},
        "find 1 to 8 numbers, tested with 9 to 16",
    ),
    Entry("Badger/XOR-v0", _XOR, {}, "parity of 3 bits, each to be heard from whoever sees it"),
    Entry("Badger/XOR-2-v0", _XOR, {"bits": 2}, "parity of 2 bits"),
    Entry("Badger/XOR-3-v0", _XOR, {"bits": 3}, "parity of 3 bits"),
    Entry("Badger/XOR-4-v0", _XOR, {"bits": 4}, "parity of 4 bits"),
    Entry("Badger/XOR-6-v0", _XOR, {"bits": 6}, "parity of 6 bits"),
    Entry("Badger/XOR-8-v0", _XOR, {"bits": 8}, "parity of 8 bits"),
    Entry(
        "Badger/XOR-majority-v0",
        _XOR,
        {"bits": 3, "function": "majority"},
        "majority of 3 bits: the control in which every bit tells a little",
    ),
    Entry(
        "Badger/XOR-table-v0",
        _XOR,
        {"bits": 3, "function": "table", "horizon": 32},
        "a random Boolean function of 3 bits, learned from examples",
    ),
    Entry("Badger/XOR-sizes-v0", _XOR, {"bits": [2, 4]}, "parity of 2 to 4 bits, tested with 5 to 7"),
    Entry("Badger/Bandit-v0", _BANDIT, {}, "10 Bernoulli arms, 100 pulls"),
    Entry("Badger/Bandit-k5-n10-v0", _BANDIT, {"arms": 5, "horizon": 10}, "5 Bernoulli arms, 10 pulls"),
    Entry("Badger/Bandit-k10-n10-v0", _BANDIT, {"arms": 10, "horizon": 10}, "10 Bernoulli arms, 10 pulls"),
    Entry("Badger/Bandit-k50-n10-v0", _BANDIT, {"arms": 50, "horizon": 10}, "50 Bernoulli arms, 10 pulls"),
    Entry("Badger/Bandit-k5-n100-v0", _BANDIT, {"arms": 5}, "5 Bernoulli arms, 100 pulls"),
    Entry("Badger/Bandit-k10-n100-v0", _BANDIT, {"arms": 10}, "10 Bernoulli arms, 100 pulls"),
    Entry("Badger/Bandit-k50-n100-v0", _BANDIT, {"arms": 50}, "50 Bernoulli arms, 100 pulls"),
    Entry(
        "Badger/Bandit-sizes-v0", _BANDIT, {"arms": [2, 10]}, "2 to 10 Bernoulli arms, tested with 11 to 19"
    ),
    Entry("Badger/Bandit-gaussian-v0", _BANDIT, {"kind": "gaussian"}, "10 arms of normal rewards"),
    Entry("Badger/Bandit-dependent-v0", _BANDIT, {"kind": "dependent"}, "2 arms that pay with p and 1 - p"),
    Entry(
        "Badger/Bandit-dependent-easy-v0",
        _BANDIT,
        {"kind": "dependent", "difficulty": "easy"},
        "2 arms that pay with 0.1 and 0.9",
    ),
    Entry(
        "Badger/Bandit-dependent-medium-v0",
        _BANDIT,
        {"kind": "dependent", "difficulty": "medium"},
        "2 arms that pay with 0.25 and 0.75",
    ),
    Entry(
        "Badger/Bandit-dependent-hard-v0",
        _BANDIT,
        {"kind": "dependent", "difficulty": "hard"},
        "2 arms that pay with 0.4 and 0.6",
    ),
    Entry(
        "Badger/Bandit-informative-v0",
        _BANDIT,
        {"kind": "informative", "horizon": 5},
        "11 arms, the last of which pays little and tells which is best",
    ),
    Entry("Badger/Bandit-restless-v0", _BANDIT, {"kind": "restless"}, "10 Bernoulli arms that change"),
    Entry("Badger/RandomMDP-v0", _RANDOM_MDP, {}, "10 states, 5 actions, 10 episodes of 10 steps"),
    Entry(
        "Badger/RandomMDP-goal-v0",
        _RANDOM_MDP,
        {"kind": "goal", "concentration": 0},
        "find a goal among 10 states, and plan ways to it, in 10 episodes",
    ),
    Entry(
        "Badger/RandomMDP-sizes-v0",
        _RANDOM_MDP,
        {
            "kind": "goal",
            "concentration": 0,
            "states": [3, 6],
            "test_states": [7, 12],
            "choices": [2, 3],
            "test_choices": [4, 6],
        },
        "find goals among 3 to 6 states, tested with 7 to 12",
    ),
    Entry("Badger/Sequence-v0", _SEQUENCE, {}, "two guessing games, A, B, and A again"),
    Entry("Badger/HotCold-v0", _HOT_COLD, {}, "find the minimum of a hidden function from hotter and colder"),
    Entry(
        "Badger/HotCold-sphere-d2-v0",
        _HOT_COLD,
        {"kind": "sphere"},
        "minimum of a sphere in 2 dimensions",
    ),
    Entry(
        "Badger/HotCold-ellipsoid-d2-v0",
        _HOT_COLD,
        {"kind": "ellipsoid"},
        "minimum of a rotated ellipsoid, condition number up to 1,000",
    ),
    Entry(
        "Badger/HotCold-absolute-d2-v0",
        _HOT_COLD,
        {"kind": "absolute"},
        "minimum of a sum of absolute values",
    ),
    Entry(
        "Badger/HotCold-rosenbrock-d2-v0",
        _HOT_COLD,
        {"kind": "rosenbrock"},
        "minimum of Rosenbrock's bent valley",
    ),
    Entry(
        "Badger/HotCold-rastrigin-d2-v0",
        _HOT_COLD,
        {"kind": "rastrigin"},
        "lowest of Rastrigin's many minima",
    ),
    Entry(
        "Badger/HotCold-network-d2-v0",
        _HOT_COLD,
        {"kind": "network"},
        "minimum of a random network's squared change",
    ),
    Entry(
        "Badger/HotCold-sizes-v0",
        _HOT_COLD,
        {"dims": [1, 4], "kind": "sphere"},
        "hot/cold in 1 to 4 dimensions, tested in 5 to 8",
    ),
    Entry(
        "Badger/HotCold-gradient-d10-v0",
        _HOT_COLD,
        {"dims": 10, "feedback": "gradient"},
        "learn to optimise in 10 dimensions from gradients",
    ),
    Entry(
        "Badger/HotCold-identity-v0",
        _HOT_COLD,
        {"dims": 3, "kind": "sphere", "reveal_inputs": True},
        "the optimum stands on the inputs: copy it, or search",
    ),
    Entry("Badger/VariableIO-v0", _VARIABLE_IO, {}, "learn a map of few inputs and outputs from 10 examples"),
    Entry(
        "Badger/VariableIO-identity-v0",
        _VARIABLE_IO,
        {"kind": "identity", "inputs": 3, "outputs": 3},
        "copy 3 inputs",
    ),
    Entry(
        "Badger/VariableIO-permutation-v0",
        _VARIABLE_IO,
        {"kind": "permutation", "inputs": 4, "outputs": 4},
        "find out which of 4 inputs belongs to which output",
    ),
    Entry(
        "Badger/VariableIO-affine-v0",
        _VARIABLE_IO,
        {"kind": "affine", "inputs": 3, "outputs": 3},
        "fit an affine map of 3 inputs to 3 outputs",
    ),
    Entry(
        "Badger/VariableIO-sparse-linear-v0",
        _VARIABLE_IO,
        {"kind": "sparse_linear", "inputs": 6, "outputs": 3},
        "fit 3 outputs that depend on 2 of 6 inputs each",
    ),
    Entry(
        "Badger/VariableIO-lookup-v0",
        _VARIABLE_IO,
        {"kind": "lookup", "inputs": 8, "outputs": 5, "support": 5},
        "name 5 classes after one noisy example of each",
    ),
    Entry(
        "Badger/HiddenProfile-v0",
        _HIDDEN_PROFILE,
        {},
        "the best of 3 options, of which each of 4 members knows a part",
    ),
    Entry(
        "Badger/HiddenProfile-ranking-v0",
        _HIDDEN_PROFILE,
        {"kind": "ranking", "options": 5, "horizon": 10},
        "rank 5 options, of which each of 4 members knows a part",
    ),
    Entry(
        "Badger/HiddenProfile-sizes-v0",
        _HIDDEN_PROFILE,
        {"members": [2, 4], "options": [2, 3]},
        "2 to 4 members and 2 to 3 options, tested with 5 to 7 and 4 to 5",
    ),
    Entry("Badger/Deliberation-v0", _DELIBERATION, {}, "parity of each prefix of 8 bits in a row"),
    Entry(
        "Badger/Deliberation-sizes-v0",
        _DELIBERATION,
        {"size": [2, 8], "test_size": 32, "horizon": 32},
        "parity of each prefix of 2 to 8 bits, tested with 32",
    ),
    Entry(
        "Badger/Deliberation-chase-v0",
        _DELIBERATION,
        {"kind": "chase"},
        "follow pointers through a table of 8, up to 3 hops",
    ),
    Entry(
        "Badger/Deliberation-maze-v0",
        _DELIBERATION,
        {"kind": "maze", "size": 3, "horizon": 16},
        "which squares of a maze of 3 by 3 rooms can be reached",
    ),
    Entry(
        "Badger/Recall-v0",
        _RECALL,
        {},
        "remember 4 pairs of key and value, each told to one of 4 members",
    ),
    Entry(
        "Badger/Recall-sizes-v0",
        _RECALL,
        {"pairs": [1, 4], "members": [2, 4], "horizon": 14},
        "1 to 4 pairs told to 2 to 4 members, tested with 5 to 8 and 5 to 7",
    ),
    Entry(
        "Badger/Recall-autoencode-v0",
        _RECALL,
        {"kind": "autoencode"},
        "say 4 values, each told to one of 4 members, from the last to the first",
    ),
    Entry(
        "Badger/Recall-repeat-previous-v0",
        _RECALL,
        {"kind": "repeat-previous", "horizon": 20},
        "say what was told 4 steps before, to whichever of 4 members",
    ),
    Entry(
        "Badger/Recall-count-v0",
        _RECALL,
        {"kind": "count", "horizon": 20},
        "was this one of 4 keys told an odd number of times, to any of 4 members?",
    ),
    Entry(
        "Badger/Digits-v0",
        _DIGITS,
        {},
        "10 handwritten digits under a random projection, learned from a stream of examples",
    ),
    Entry(
        "Badger/Digits-pixels-v0",
        _DIGITS,
        {"projected": False, "inputs": 4, "slot_size": 16},
        "10 handwritten digits in 4 patches of 4 by 4 pixels, labels permuted",
    ),
    Entry(
        "Badger/Digits-sizes-v0",
        _DIGITS,
        {"inputs": [4, 8], "test_inputs": 16, "classes": [2, 5], "test_classes": 10},
        "2 to 5 digits in 16 to 32 numbers, tested with 10 in 64",
    ),
    Entry(
        "Badger/Synthetic-v0",
        _SYNTHETIC,
        {},
        "match a hidden map of many kinds, told right answers afterwards",
    ),
    Entry(
        "Badger/Synthetic-optimum-v0",
        _SYNTHETIC,
        {"goal": "optimum", "context": False, "told": "error"},
        "find where a hidden map has given values, from one error",
    ),
    Entry(
        "Badger/Synthetic-choose-v0",
        _SYNTHETIC,
        {"goal": "choose", "told": "reward"},
        "choose the output of a hidden map that is highest, hearing what was chosen",
    ),
    Entry(
        "Badger/Synthetic-agree-v0",
        _SYNTHETIC,
        {"goal": "agree"},
        "agree on the sign of a hidden map, told the right one afterwards",
    ),
)


VARIANTS = ("flat", "rl2")
"""Values of the keyword `observation` that the table's ids are registered with too, by names of their own."""

ENTRY_POINT = "badger_envs.faces.gymnasium_env:FamilyEnv"


def register(id: str, family: str, **settings: Any) -> None:
    """Register a family under an id with Gymnasium: `gym.make`, `gym.make_vec` and `make_batched` find it.

    To register the same again changes nothing, as when a module is reloaded.

    Args:
        id: "[namespace/]Name-vN".
        family: "module:Class" of a `badger_envs.Family`.
        settings: its settings, JSON values only, so that the spec can be written as JSON; and `observation`
            where it shall not be a dict.
    """
    kwargs = {"family": family, **settings}
    known = gym.registry.get(id)
    if known is not None and known.entry_point == ENTRY_POINT and known.kwargs == kwargs:
        return
    vector = "badger_envs.faces.vector_env:FamilyVectorEnv"
    gym.register(id=id, entry_point=ENTRY_POINT, vector_entry_point=vector, kwargs=kwargs)


def variant(id: str, observation: str) -> str:
    """The name of an id with another observation: "Badger/XOR-v0" and "flat" make "Badger/XOR-flat-v0"."""
    name, dash, version = id.rpartition("-v")
    return f"{name}-{observation}{dash}{version}"


def base_id(id: str) -> str:
    """The id of the table that a name stands for: itself, or the one whose variant it is."""
    name = id.rpartition(":")[2]
    known = {variant(entry.id, observation): entry.id for entry in TABLE for observation in VARIANTS}
    return known.get(name, name)


def family_of(id: str, **settings: Any) -> Family:
    """The family behind a registered id, with settings changed where given.

    Accepts "module:id" as `gym.make` does, and variants of ids, whose family is the same. Raises
    gymnasium.error.Error for an unknown id, and what `make_family` raises.
    """
    module, _, name = id.rpartition(":")
    if module:
        try:
            importlib.import_module(module)
        except ImportError as error:
            raise gym.error.Error(f"{id!r} cannot be found: {error}") from error
    spec = gym.spec(name)
    kwargs = {**{key: value for key, value in spec.kwargs.items() if key != "observation"}, **settings}
    if "family" not in kwargs:
        raise ValueError(f"{id} is no environment of a badger_envs family")
    return make_family(kwargs.pop("family"), kwargs)


def register_all() -> None:
    """Register every row of `TABLE` and its variants; called when badger_envs is imported."""
    for entry in TABLE:
        register(entry.id, entry.family, **entry.settings)
        for observation in VARIANTS:
            name = variant(entry.id, observation)
            register(name, entry.family, **entry.settings, observation=observation)
