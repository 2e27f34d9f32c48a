"""Settings: typed tables of a recipe that refuse unknown keys, and know whose code they may name."""

from typing import Any

from pydantic import BaseModel, ConfigDict, PrivateAttr

from badger_agents.class_loading import PROJECT_ONLY, Trust


class Settings(BaseModel):
    """Base of settings: frozen, strict about types, no unknown keys.

    Where a setting names a class, it is loaded by `load_class(self.kind, base, what, self.trust)`. Settings
    that come from a file are checked by `Table.model_validate(tables, context={"trust": trust})`, and keep
    that trust, as all tables within do; settings made without one trust the project's classes only.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")
    _trust: Trust = PrivateAttr(default=PROJECT_ONLY)

    def model_post_init(self, context: Any) -> None:
        """Keep the trust in the context of validation."""
        if isinstance(context, dict) and "trust" in context:
            self._trust = context["trust"]

    @property
    def trust(self) -> Trust:
        """Whose code these settings may name."""
        return self._trust
