"""Settings: typed tables of a recipe that refuse unknown keys, and know whose code they may name."""

from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, PrivateAttr

from badger_agents.class_loading import PROJECT_ONLY, Trust

SettingsT = TypeVar("SettingsT", bound="Settings")


class Settings(BaseModel):
    """Base of settings: frozen, strict about types, no unknown keys, no number that JSON lacks (nan, inf).

    Where a setting names a class, it is loaded by `load_class(self.kind, base, what, self.trust)`. Settings
    that come from a file are checked by `Table.model_validate(tables, context={"trust": trust})`, and keep
    that trust, as all tables within do; settings made without one trust the project's classes only.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)
    _trust: Trust = PrivateAttr(default=PROJECT_ONLY)

    def model_post_init(self, context: Any) -> None:
        """Keep the trust in the context of validation."""
        if isinstance(context, dict) and "trust" in context:
            self._trust = context["trust"]

    @property
    def trust(self) -> Trust:
        """Whose code these settings may name."""
        return self._trust

    def trusting(self: SettingsT, trust: Trust) -> SettingsT:
        """The same settings, which may also name the code of others."""
        made = self.model_copy()
        made._trust = self.trust | trust
        return made

    def __eq__(self, other: object) -> bool:
        """Whether the settings are the same, whoever trusts whom."""
        if type(self) is not type(other):
            return NotImplemented
        assert isinstance(other, Settings)
        return self.__dict__ == other.__dict__ and self.__pydantic_extra__ == other.__pydantic_extra__
