"""The command line of `badger`: which commands there are, what is imported for each, and how errors end.

Nothing but the standard library is imported here, so that help is quick and an extra that is not installed is
one line. A command's module is imported when the command is called.
"""

import importlib
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, cast

from leaderboards.words import INTERRUPTED, nearest


class Command(NamedTuple):
    """A command: what it calls, "module:function" within leaderboards.commands; and its line in the help."""

    target: str
    summary: str


COMMANDS = {
    "demo": Command("demo:demo", "train four small agents: the paper's claim, in minutes"),
    "train": Command("train:train", "meta-train an agent by a recipe"),
    "evaluate": Command("evaluate:evaluate", "measure an agent on fresh tasks"),
    "play": Command("play:play", "play an environment yourself"),
    "list": Command("list:list_", "what there is: envs, recipes, pretrained, boards, ..."),
    "plot": Command("plot:plot", "draw the learning curves of runs"),
    "trace": Command("trace:trace", "draw what an agent does and says in a few trials"),
    "inspect": Command("inspect:inspect", "look inside an agent: what is its talk worth?"),
    "board": Command("board:board", "run a leaderboard, show it, hand in an agent"),
    "suite": Command("suite:suite", "one agent on every family: a profile of abilities"),
    "labs": Command("teaching.labs:labs", "ten labs: build notebooks, check a folder of answers"),
    "grow": Command("grow:grow", "let experts come and go in the middle of trials"),
    "transplant": Command("grow:transplant", "let another agent go on with its experts"),
    "export": Command("export:export", "an agent's step in ONNX, for use without torch"),
}
"""The commands of users, in the order of the help."""

ADMIN = {
    "publish": Command("admin.publish:publish", "make the pretrained policy of a recipe"),
    "score": Command("admin.score:score", "measure the floor and reference of scores"),
    "tune": Command("admin.tune:tune", "search the settings of classical algorithms"),
    "match": Command("admin.match:match", "make a baseline as large as a recipe's agent"),
    "numbers": Command("admin.numbers:numbers", "write the numbers in documents from results"),
    "season": Command("admin.season:season", "open or close a season of submissions"),
}
"""The commands of those who work on the suite: `badger admin ...`."""

EXTRAS = {
    "pettingzoo": "pettingzoo",
    "pygame": "render",
    "tensorboard": "tensorboard",
    "ray": "cluster",
    **dict.fromkeys(("onnx", "onnxscript"), "export"),
    "cma": "baselines",
    "sb3_contrib": "baselines",
    "stable_baselines3": "baselines",
    **dict.fromkeys(("filelock", "jaxtyping", "matplotlib", "optree", "pyarrow", "pydantic"), "boards"),
    **dict.fromkeys(("rich", "safetensors", "scipy", "torch", "tyro"), "boards"),
}
"""Which extra of badger-suite brings a package; "boards" has all that the command line needs."""


NO_MEMORY = (
    "out of memory",
    "enough memory",
    "can't allocate memory",
    "Storage size calculation overflowed",
    "numel: integer multiplication overflow",
)
"""What torch says, as a RuntimeError, of tensors that do not fit."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command; what the user can put right is one line on standard error and status 2.

    Args:
        arguments: words of the command line; those of the process if None.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # what a terminal cannot show must not end a command
            stream.reconfigure(errors="replace")
    words = list(sys.argv[1:] if arguments is None else arguments)
    head = "Minimum viable environments for learning to learn, and the Badger agent"
    if words[:1] in (["--version"], ["-V"]):
        print(f"badger {version()}")
    elif words[:1] == ["admin"]:
        title = "badger admin: commands for those who work on the suite"
        _choose(ADMIN, "badger admin", words[1:], help_of("badger admin", title, ADMIN, ""))
    else:
        last = "  admin       for those who work on the suite\n  --version   which version this is\n"
        _choose(COMMANDS, "badger", words, help_of("badger", head, COMMANDS, last))


def help_of(program: str, title: str, commands: Mapping[str, Command], last: str) -> str:
    """One screen: a line a command."""
    lines = "".join(f"  {name:<11} {command.summary}\n" for name, command in commands.items())
    usage = f"usage: {program} COMMAND [OPTIONS]    ({program} COMMAND --help explains one)"
    return f"{title}\n\n{usage}\n\n{lines}{last}"


def version() -> str:
    """The version of the suite."""
    from badger_envs import __version__

    return __version__


def _choose(commands: Mapping[str, Command], program: str, words: list[str], text: str) -> None:
    """Call the command that the first word names."""
    name = words[0] if words else ""
    if name in ("-h", "--help"):
        print(text, end="")
    elif not words:
        print(text, end="", file=sys.stderr)
        sys.exit(2)
    elif name not in commands:
        other = "; it is `badger admin " + name + "`" if commands is COMMANDS and name in ADMIN else ""
        guess = other or nearest(name, list(commands)) or f"; {program} --help names the commands"
        print(f"badger: no command {name!r}{guess}", file=sys.stderr)
        sys.exit(2)
    else:
        call(f"leaderboards.commands.{commands[name].target}", f"{program} {name}", words[1:])


def call(target: str | Callable[..., Any], program: str, words: Sequence[str]) -> None:
    """Call a function with words of a command line, and end the process in an orderly way if it fails.

    Args:
        target: the function, or "module:function".
        program: what its help calls it.
        words: after the name of the command.
    """
    try:
        import tyro

        if isinstance(target, str):
            module, _, name = target.partition(":")
            target = cast(Callable[..., Any], getattr(importlib.import_module(module), name))
        torch = sys.modules.get("torch")
        if torch is not None and "OMP_NUM_THREADS" not in os.environ:
            torch.set_num_threads(1)  # networks this small lose by a second thread; run one training a core
        tyro.cli(target, prog=program, args=words)
    except KeyboardInterrupt:
        saved = "; what was trained is saved, go on with --resume" if program == "badger train" else ""
        print(f"badger: interrupted{saved}", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except BrokenPipeError:  # the reader of a pipe went away
        sys.exit(1)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in EXTRAS:
            raise
        _refuse(f"{program} needs {package}: pip install 'badger-suite[{EXTRAS[package]}]'")
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, MemoryError) or any(word in str(error) for word in NO_MEMORY):
            _refuse("out of memory; make batch, horizon or number of experts smaller")
        if not isinstance(error, _expected()):
            raise
        _refuse(str(error))
    except _expected() as error:
        _refuse(str(error))


def _expected() -> tuple[type[BaseException], ...]:
    """Errors that a user can put right; those of a module that is not imported cannot have been raised."""
    known: list[type[BaseException]] = [ValueError, TypeError, OSError]
    for module, name in (
        ("gymnasium.error", "Error"),
        ("badger_agents.training.run", "DivergenceError"),
        ("badger_agents.estimators.process_group", "LostError"),
    ):
        if module in sys.modules:
            known.append(getattr(sys.modules[module], name))
    return tuple(known)


def _refuse(message: str) -> None:
    print(f"badger: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    main()
