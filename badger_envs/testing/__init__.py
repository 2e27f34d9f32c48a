"""Public conformance checks: what every family and its faces promise, for anyone's own tests.

    from badger_envs.testing import check_family

    def test_mine() -> None:
        check_family("Mine/Family-v0")

Every check raises AssertionError with a line that says what was promised and what was found. None needs
pytest. `check_family` needs torch (the extra `agents`), and checks the PettingZoo faces too if PettingZoo is
installed.
"""

from badger_envs.testing.actions import check_actions
from badger_envs.testing.definition import check_definition
from badger_envs.testing.draws import check_draws, check_splits
from badger_envs.testing.faces import check_faces, check_seeding
from badger_envs.testing.golden import check_golden, golden, golden_file, stored_golden, write_golden
from badger_envs.testing.learning import check_device_code, check_expected_reward, check_gradients
from badger_envs.testing.purity import check_backends, check_purity, check_rows
from badger_envs.testing.subject import Target
from badger_envs.testing.vector import check_vector_env

__all__ = [
    "check_actions",
    "check_backends",
    "check_definition",
    "check_device_code",
    "check_draws",
    "check_expected_reward",
    "check_faces",
    "check_family",
    "check_functions",
    "check_golden",
    "check_gradients",
    "check_purity",
    "check_rows",
    "check_seeding",
    "check_splits",
    "check_vector_env",
    "golden",
    "golden_file",
    "stored_golden",
    "write_golden",
]


def check_functions(target: Target, *, held_out: bool = True) -> None:
    """The checks of a family's own functions, whatever the faces do; see `check_family`."""
    check_definition(target)
    check_purity(target)
    check_rows(target)
    check_backends(target)
    check_draws(target)
    check_splits(target, held_out=held_out)
    check_gradients(target)
    check_expected_reward(target)
    check_device_code(target)


def check_family(target: Target, *, held_out: bool = True) -> None:
    """Run every check of this package on a family.

    The golden trajectory is compared if one is stored for the id; see `check_golden`.

    Args:
        target: a registered id, or a family.
        held_out: whether a family of several sizes or kinds must hold some out for its test split.

    Raises:
        AssertionError: a promise is broken; the message says which.
    """
    check_functions(target, held_out=held_out)
    check_faces(target)
    check_seeding(target)
    check_actions(target)
    check_vector_env(target)
    if isinstance(target, str) and stored_golden(target) is not None:
        check_golden(target)
