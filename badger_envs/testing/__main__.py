"""Stores golden trajectories of the suite's ids: python -m badger_envs.testing [--force] [ID ...]."""

import argparse

from badger_envs.registry import TABLE
from badger_envs.testing.golden import stored_golden, write_golden


def main(arguments: list[str] | None = None) -> None:
    """Store the golden trajectories that are missing, or all of them by force."""
    parser = argparse.ArgumentParser(prog="python -m badger_envs.testing", description=main.__doc__)
    parser.add_argument("ids", nargs="*", metavar="ID", help="ids; all of the suite if none is given")
    parser.add_argument("--force", action="store_true", help="replace what is stored: dynamics have changed")
    options = parser.parse_args(arguments)
    for id in options.ids or [entry.id for entry in TABLE]:
        if options.force or stored_golden(id) is None:
            print(write_golden(id, force=True))


if __name__ == "__main__":
    main()
