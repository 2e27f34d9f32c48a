"""Runs client libraries on the wheel of this tree, each in an environment of its own: `make test-clients`.

    python tests/clients/run.py                    # all of them, one after the other: about an hour
    python tests/clients/run.py sb3 torchrl --keep # these two; their environments stay for another time

A client is a table of pinned packages in `requirements.toml`. What is run for it, in an empty folder and with
nothing but the installed wheel: the blocks that follow `<!-- client: NAME -->` in `docs/clients.md`, so that
the page shows what works, and `try_NAME.py` beside this file, if there is one.

A line per client says "ok" or "failed". A package that cannot be installed is a failure, unless the client's
table expects it: `not_installable`, with words of pip's own error. What is run then stands in for the
library, and the word is "not installable". Another reason of pip's is a failure, too.
"""

import argparse
import dataclasses
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PAGE = ROOT / "docs" / "clients.md"
REQUIREMENTS = HERE / "requirements.toml"
TIMEOUT = 900
"""Seconds that one script may take."""

_BLOCK = re.compile(
    r"^<!-- client: (?P<client>\w+) -->\n+```(?P<language>\w+)\n(?P<text>.*?)^```$", re.M | re.S
)

_INTERPRETER = {"python": ["python"], "sh": ["bash", "-e"]}


@dataclasses.dataclass(frozen=True)
class Block:
    """Lines of the page that are run as they stand there.

    Attributes:
        client: whose.
        language: "python" or "sh".
        text: the lines.
    """

    client: str
    language: str
    text: str


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a client fared.

    Attributes:
        word: "ok"; "failed"; or "not installable": the library is not, as expected, and what stands in is ok.
        reason: first line of the error, or what is expected; empty if ok.
    """

    word: str
    reason: str = ""


@dataclasses.dataclass(frozen=True)
class Expected:
    """A package that no pip of this Python installs.

    Attributes:
        package: "name==version".
        reason: words of pip's error that say why.
    """

    package: str
    reason: str


@dataclasses.dataclass(frozen=True)
class Client:
    """What is installed for a client, each "name==version".

    Attributes:
        packages: beside the wheel.
        no_deps: packages whose own requirements exclude ours without need.
        not_installable: what pip refuses, as expected.
    """

    packages: list[str]
    no_deps: list[str]
    not_installable: list[Expected]


def clients() -> dict[str, Client]:
    """All clients by name."""
    tables = tomllib.loads(REQUIREMENTS.read_text(encoding="utf-8"))["clients"]
    return {
        name: Client(
            packages=table["packages"],
            no_deps=table.get("no_deps", []),
            not_installable=[Expected(**refused) for refused in table.get("not_installable", [])],
        )
        for name, table in sorted(tables.items())
    }


def constraints() -> list[str]:
    """Versions that every client has, if it has the package."""
    return tomllib.loads(REQUIREMENTS.read_text(encoding="utf-8"))["constraints"]


def surprise(refused: Expected, status: int, said: str) -> str:
    """What is not as expected in pip's status and words for that package; empty if all is."""
    if not status:
        return f"{refused.package} can be installed now: use it, and take its line out"
    if " ".join(refused.reason.split()) in " ".join(said.split()):
        return ""
    return f"{refused.package} is refused for another reason than {refused.reason}: {first_error(said)}"


def blocks(page: str) -> list[Block]:
    """The blocks of the page that belong to a client, in their order."""
    return [Block(**found.groupdict()) for found in _BLOCK.finditer(page)]


def first_error(text: str) -> str:
    """The line of a log that says what was wrong: of the last traceback, else the last that is not empty."""
    lines = [line for line in text.splitlines() if line.strip()]
    starts = [
        i for i, line in enumerate(lines) if line.lstrip().startswith("Traceback (most recent call last)")
    ]
    for line in lines[starts[-1] + 1 :] if starts else []:
        if re.match(r"[\w.]+(Error|Exception|Warning|Interrupt|Exit|Failure)\b", line):
            return line
    marked = [line for line in lines if re.match(r"\s*(ERROR|error|E  )", line)]
    return (marked or lines or ["no output"])[-1].strip()


def build_wheel(folder: Path, log: Path) -> Path:
    """The wheel of the files that git knows or would take, built in a copy: nothing old can get in."""
    names = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout.split("\0")  # fmt: skip
    with tempfile.TemporaryDirectory() as copy:
        for name in filter(None, names):
            if (ROOT / name).is_file():
                (Path(copy) / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / name, Path(copy) / name)
        shutil.rmtree(folder, ignore_errors=True)
        command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", str(folder), copy]
        if call(command, log, cwd=ROOT):
            sys.exit(f"no wheel: {first_error(log.read_text(errors='replace'))} (all of it in {log})")
    return next(folder.glob("badger_suite-*.whl"))


def call(command: list[str], log: Path, cwd: Path, path: Path | None = None) -> int:
    """The status of a command that finds no package of this tree; its output goes to the end of the log."""
    env = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    env |= {
        "PYTHONSAFEPATH": "1",
        "PYTHONUNBUFFERED": "1",
        "MPLBACKEND": "agg",
        "OMP_NUM_THREADS": "1",
        "WANDB_MODE": "disabled",
    }
    if path:
        env["PATH"] = f"{path}{os.pathsep}{env.get('PATH', '')}"
    with log.open("a") as out:
        print("$", *command, file=out, flush=True)
        try:
            return subprocess.run(
                [shutil.which(command[0], path=env["PATH"]) or command[0], *command[1:]],
                cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=out, timeout=TIMEOUT,
            ).returncode  # fmt: skip
        except subprocess.TimeoutExpired:
            print(f"ERROR: not done after {TIMEOUT} s", file=out)
            return 1


def install(client: str, wheel: Path, venv: Path, log: Path) -> str:
    """Make a client's environment, unless it is there: wheel and pinned packages; what was wrong."""
    python, wanted = str(venv / "bin" / "python"), clients()[client]
    shared = log.with_name("constraints.txt")
    shared.write_text("\n".join(constraints()))
    pip = [python, "-m", "pip", "install", "--disable-pip-version-check", "--constraint", str(shared)]
    if Path(python).exists():
        commands = [[*pip, "--no-deps", "--force-reinstall", str(wheel)]]
    else:
        commands = [[sys.executable, "-m", "venv", str(venv)], [*pip, str(wheel), *wanted.packages]]
        commands += [[*pip, "--no-deps", *wanted.no_deps]] if wanted.no_deps else []
    for command in commands:
        if call(command, log, ROOT):
            return f"not installed: {first_error(log.read_text(errors='replace'))}"
    for refused in wanted.not_installable:
        before = len(log.read_text(errors="replace"))
        status = call([*pip, "--dry-run", "--no-deps", refused.package], log, ROOT)
        if wrong := surprise(refused, status, log.read_text(errors="replace")[before:]):
            return wrong
    return ""


def run(client: str, wheel: Path, cache: Path, keep: bool) -> Outcome:
    """Install a client, run what is to be run for it, take its environment away."""
    venv, log = cache / client, cache / f"{client}.log"
    log.write_text("")
    try:
        if wrong := install(client, wheel, venv, log):
            return Outcome("failed", wrong)
        with tempfile.TemporaryDirectory() as empty:
            commands = []
            for number, block in enumerate(b for b in blocks(PAGE.read_text()) if b.client == client):
                file = cache / f"{client}_page_{number}.{block.language}"
                file.write_text(block.text)
                commands.append([*_INTERPRETER[block.language], str(file)])
            if (HERE / f"try_{client}.py").exists():
                commands.append([*_INTERPRETER["python"], str(HERE / f"try_{client}.py")])
            for command in commands:
                if call(command, log, Path(empty), venv / "bin"):
                    return Outcome("failed", first_error(log.read_text(errors="replace")))
        refused = clients()[client].not_installable
        return (
            Outcome("not installable", "; ".join(f"{r.package}: {r.reason}" for r in refused))
            if refused
            else Outcome("ok")
        )
    finally:
        if not keep:
            shutil.rmtree(venv, ignore_errors=True)


def main() -> int:
    """Run the clients that are asked for, a line for each; 1 if one failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clients", nargs="*", metavar="NAME", help=f"{', '.join(clients())} (default: all)")
    parser.add_argument("--keep", action="store_true", help="leave the environments, of 1 GB each")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "badger-clients",
                        help="folder of environments and logs (default: %(default)s)")  # fmt: skip
    arguments = parser.parse_args()
    if unknown := sorted(set(arguments.clients) - set(clients())):
        parser.error(f"no client {', '.join(unknown)}; there are {', '.join(clients())}")
    arguments.cache.mkdir(parents=True, exist_ok=True)
    wheel = build_wheel(arguments.cache / "wheel", arguments.cache / "wheel.log")
    words = []
    for client in arguments.clients or clients():
        start = time.monotonic()
        outcome = run(client, wheel, arguments.cache, arguments.keep)
        words.append(outcome.word)
        reason = f": {outcome.reason}" if outcome.reason else ""
        print(f"{client:12} {time.monotonic() - start:5.0f} s  {outcome.word}{reason}", flush=True)
    counts = ", ".join(f"{words.count(word)} {word}" for word in ("ok", "failed", "not installable"))
    print(f"{counts}; logs in {arguments.cache}")
    return int("failed" in words)


if __name__ == "__main__":
    sys.exit(main())
