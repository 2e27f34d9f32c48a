"""Writing recipes: tables of settings as TOML text."""

import json
from collections.abc import Mapping
from typing import Any


def recipe_text(tables: Mapping[str, Any], comment: str) -> str:
    """A recipe as TOML, to be read by `badger_agents.recipe.loading.load_recipe`.

    Args:
        tables: as `Recipe.model_dump(exclude_unset=True)` gives them; what is None is left out.
        comment: first line of the file.
    """
    return f"# {comment}\n\n" + "\n".join(_table(tables, ())) + "\n"


def _table(table: Mapping[str, Any], path: tuple[str, ...]) -> list[str]:
    """Lines of a table: its values first, then the tables within it."""
    lines, within = [], []
    for key, value in table.items():
        place = (*path, key)
        if isinstance(value, Mapping):
            if value:
                within += ["", f"[{'.'.join(map(_key, place))}]", *_table(value, place)]
        elif isinstance(value, list | tuple) and value and all(isinstance(item, Mapping) for item in value):
            for item in value:
                within += ["", f"[[{'.'.join(map(_key, place))}]]"]
                within += [
                    f"{_key(name)} = {_value(part)}" for name, part in item.items() if part is not None
                ]
        elif value is not None:
            lines.append(f"{_key(key)} = {_value(value)}")
    return lines + within


def _value(value: Any) -> str:
    """A value on one line; tables inline."""
    if isinstance(value, Mapping):
        parts = [f"{_key(key)} = {_value(item)}" for key, item in value.items() if item is not None]
        return "{ " + ", ".join(parts) + " }" if parts else "{}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    if isinstance(value, bool | int | float | str):
        text = json.dumps(value, ensure_ascii=False)  # a JSON string is a basic string of TOML, but for DEL
        return text.replace("\x7f", "\\u007f")
    raise TypeError(f"{value!r} cannot be written in TOML")


def _key(key: str) -> str:
    """A key, in quotes if it must be."""
    return key if key.replace("-", "").replace("_", "").isalnum() and key.isascii() else json.dumps(key)
