"""`python -m labs`: what `badger labs` calls, from the root of a clone."""

import json
import sys
from pathlib import Path

from labs.as_shipped import draw
from labs.student_files import check_folder, make_notebooks, run_cells, unnamed


def main(words: list[str]) -> None:
    """Do what the words say: check FOLDER SECONDS, notebooks FOLDER, draw FOLDER, or run FILE."""
    match words:
        case ["check", folder, limit]:
            for path in unnamed(Path(folder)):
                print(f"badger: skipped, no lab in its name: {path.relative_to(folder)}", file=sys.stderr)
            for row in check_folder(Path(folder), float(limit)):
                print(json.dumps(row), flush=True)
        case ["notebooks", folder]:
            for path in make_notebooks(Path(folder)):
                print(path)
        case ["draw", folder]:
            draw(Path(folder))
        case ["run", file]:
            run_cells(Path(file))
        case _:
            raise ValueError(
                "python -m labs: check FOLDER SECONDS, notebooks FOLDER, draw FOLDER, or run FILE"
            )


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except ModuleNotFoundError as error:
        if error.name != "jupytext":
            raise
        sys.exit("badger: labs need jupytext: pip install 'badger-suite[labs]'")
    except (ValueError, OSError) as error:
        sys.exit(f"badger: {error}")
