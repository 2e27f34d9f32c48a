"""A user's own code in a run folder: a copy, so that the run can be evaluated later as it was."""

from pathlib import Path

from badger_agents.atomic_files import write_atomically
from badger_agents.class_loading import Trust, code_files, with_code_files
from badger_agents.recipe.loading import Recipe, check_recipe
from badger_agents.training.run import CHECKPOINT


def keep_code(recipe: Recipe, folder: Path) -> Recipe:
    """Copy all files of code that a recipe names, at any depth of its tables, into the run folder.

    Returns:
        The recipe, naming the copies and trusting the folder.

    Raises:
        ValueError: the folder has a checkpoint of other code.
    """
    tables = recipe.model_dump()
    copies: dict[Path, Path] = {}
    texts: dict[str, bytes] = {}
    for file in code_files(tables):
        text, name, number = file.read_bytes(), file.name, 1
        while texts.get(name, text) != text:  # two files of one name
            number += 1
            name = f"{file.stem}-{number}.py"
        texts[name], copies[file] = text, folder / name
    if copies:
        folder.mkdir(parents=True, exist_ok=True)
    for file, copy in copies.items():
        if not copy.is_file() or copy.read_bytes() != texts[copy.name]:
            if (folder / CHECKPOINT).exists():
                raise ValueError(f"{file} is not what the run in {folder} began with; use another --out")
            write_atomically(copy, texts[copy.name])
    if not copies:
        return recipe
    trust = recipe.trust | Trust(folders=(folder,))
    return check_recipe(with_code_files(tables, copies.__getitem__), "recipe with your code", trust)
