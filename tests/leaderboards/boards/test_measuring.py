"""What is measured of an agent on a board: as it is, and with something done to it."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from badger_agents.badger.agent import BadgerAgent
from badger_agents.badger.growing import Growing
from badger_agents.badger.growth import Change
from badger_agents.evaluation import evaluate
from badger_agents.whitebox.controls import CONTROLS
from badger_agents.whitebox.interventions import INTERVENTIONS, Intervened
from leaderboards.boards.board import Board, EntrantTable
from leaderboards.boards.changes import CHANGES
from leaderboards.boards.measuring import measure, measured_agent, this_processor
from tests.leaderboards.boards.tiny import opener, tiny_board


@pytest.fixture
def board(tmp_path: Path) -> Board:
    """With everything done to "talk" that can be done."""
    return tiny_board(tmp_path, interventions_of=["talk"])


def line(change: str) -> str:
    return f"talk-{change.replace(' ', '-')}"


def test_all_that_can_be_done_is_a_control_with_the_same_weights(board: Board) -> None:
    assert {*INTERVENTIONS, *CONTROLS} == {*CHANGES}
    for change in CHANGES:
        entrant = board.agents[line(change)]
        assert (entrant.weights_of, entrant.intervention) == ("talk", change)
        assert (entrant.role, entrant.control_of) == ("control", "talk")


@pytest.mark.parametrize("change", [*CONTROLS, "silence"])
def test_rows_are_those_of_the_changed_agent(board: Board, change: str) -> None:
    opened = opener(board)
    rows = measure(board, line(change), 0, opened, {}).outcomes["short"]
    agent = opened()
    changed = CONTROLS[change](agent) if change in CONTROLS else Intervened(agent, INTERVENTIONS[change]())
    told = evaluate(changed, board.cells["short"].family(), board.tasks, seed=board.task_seed).outcomes
    np.testing.assert_array_equal(rows, told)
    assert not np.array_equal(rows, measure(board, "talk", 0, opened, {}).outcomes["short"])


def test_influence_is_measured_of_the_agent_as_it_is_and_beside_untrained_speakers(board: Board) -> None:
    opened = opener(board)
    trained, null = measure(board, "talk", 0, opened, {}).facts["influence"]
    assert trained > 0
    assert null > 0  # such listeners are moved by whatever is said; in silence there is nothing to exchange
    assert null != trained
    deaf = measure(board, "silent", 0, partial(opened, channel={"topology": "none"}), {})
    assert deaf.facts["influence"] == [0, 0]
    for change in ("withheld", "silence"):
        assert "influence" not in measure(board, line(change), 0, opened, {}).facts


def test_a_line_may_be_born_anew(tmp_path: Path) -> None:
    tables = tiny_board(tmp_path).model_dump()
    tables["agents"]["anew"] = tables["agents"]["shuffled"] | {"intervention": None, "born_anew": 4}
    board = Board.model_validate(tables)
    opened = opener(board)
    made, plain = (measure(board, line, 0, opened, {}) for line in ("anew", "talk"))
    np.testing.assert_array_equal(made.outcomes["short"], plain.outcomes["short"])  # lives of four steps
    assert not np.array_equal(made.outcomes["long"], plain.outcomes["long"])
    assert "influence" not in made.facts
    assert board.fingerprint("anew") != board.fingerprint("talk")
    with pytest.raises(ValueError, match="born_anew needs weights_of"):
        EntrantTable(recipe="xor", born_anew=4)


def test_experts_may_vanish_in_a_cell(tmp_path: Path) -> None:
    tables = tiny_board(tmp_path).model_dump()
    tables["cells"]["less"] = {**tables["cells"]["short"], "replaced": {"after": 2, "experts": 1}}
    board = Board.model_validate(tables)
    opened = opener(board)
    made = measure(board, "talk", 0, opened, {}).outcomes
    growing = Growing(opened(), {2: Change(replace=[0])})
    told = evaluate(growing, board.cells["short"].family(), board.tasks, seed=board.task_seed).outcomes
    np.testing.assert_array_equal(made["less"], told)
    assert not np.array_equal(made["less"], made["short"])
    assert "less" not in board.cells_of("shuffled")  # nothing else is done to them there
    tables["cells"]["less"]["replaced"]["after"] = 4
    with pytest.raises(ValueError, match=r"cells\.less\.replaced\.after is 4; trials have 4 steps"):
        Board.model_validate(tables)
    with pytest.raises(TypeError, match="cell less replaces experts, and zeros has none"):
        measured_agent(board, "zeros", "less", board.recipe("zeros").make_agent)


def test_an_untrained_line_has_the_weights_of_outer_step_0(tmp_path: Path) -> None:
    tables = tiny_board(tmp_path).model_dump()
    tables["agents"]["null"] = tables["agents"]["shuffled"] | {"intervention": None, "untrained": True}
    board = Board.model_validate(tables)
    rows = measure(board, "null", 1, opener(board), {}).outcomes["short"]
    born = board.recipe("talk").make_agent(1)
    told = evaluate(born, board.cells["short"].family(), board.tasks, seed=board.task_seed).outcomes
    np.testing.assert_array_equal(rows, told)
    assert board.fingerprint("null") != board.fingerprint("talk")
    with pytest.raises(ValueError, match="untrained needs weights_of"):
        EntrantTable(recipe="xor", untrained=True)


def test_the_processor_is_named() -> None:
    known = this_processor()
    assert known.keys() == {"processor", "instructions"}
    assert all(known.values())


def test_an_agent_is_measured_as_it_is_where_nothing_is_done(board: Board) -> None:
    opened = opener(board)
    assert type(measured_agent(board, "talk", "short", opened)) is type(opened())


def test_what_a_line_or_a_cell_changes_holds_where_it_is_measured_and_a_reference_stays_as_it_is(
    tmp_path: Path,
) -> None:
    tables = tiny_board(tmp_path).model_dump()
    tables["agents"]["mute"] = tables["agents"]["talk"] | {"measured": {"channel": {"topology": "none"}}}
    tables["cells"]["short"]["agent"] = {"experts": 5}  # zeros, who has none, is measured there too
    board = Board.model_validate(tables)
    opened = opener(board)
    mute, talk = (measured_agent(board, line, "short", opened) for line in ("mute", "talk"))
    assert isinstance(mute, BadgerAgent)
    assert isinstance(talk, BadgerAgent)
    assert (mute.settings.channel.topology, mute.settings.experts) == ("none", 5)
    assert (talk.settings.channel.topology, talk.settings.experts) == ("all", 5)
    assert measure(board, "zeros", None, board.recipe("zeros").make_agent, {}).outcomes["short"].size
    assert board.recipe("mute").model_dump() == board.recipe("talk").model_dump()  # trained alike
    assert board.fingerprint("mute") != board.fingerprint("talk")
    with pytest.raises(ValueError, match="measured is of a line that is trained"):
        EntrantTable(recipe="guessing-zeros", role="reference", measured={"experts": 3})
