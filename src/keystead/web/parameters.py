"""Parameters of a query string: what each may be, said once, read by it and described by it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Generic, Protocol, TypeVar

from keystead.errors import InvalidQuery
from keystead.web.body import Query
from keystead.web.shapes import Schema

T_co = TypeVar("T_co", covariant=True)
Default = TypeVar("Default")

_SHOWN: Final = 100


class Parameter(Protocol[T_co]):
    """Something that a query may say."""

    @property
    def name(self) -> str:
        """Return its name."""
        ...

    @property
    def needed(self) -> bool:
        """Whether it must be there."""
        ...

    def read(self, query: Query) -> T_co:
        """Return what a query says, or what it means where it says nothing. Raises ``InvalidQuery``."""
        ...

    def schema(self) -> Schema:
        """Return what it may be."""
        ...


@dataclass(frozen=True)
class Text:
    """A text, if it is there."""

    name: str
    longest: int | None = None
    needed: bool = False

    def read(self, query: Query) -> str | None:
        """Return the text. Raises ``InvalidQuery``."""
        found = query.text(self.name)
        if found is not None and self.longest is not None and len(found) > self.longest:
            raise InvalidQuery(f"String is too long ({len(found)} chars), maximum {self.longest}", path=self.name)
        return found

    def schema(self) -> Schema:
        """Return its length."""
        return {"type": "string"} | ({"maxLength": self.longest} if self.longest else {})


@dataclass(frozen=True)
class Needed:
    """A text that must be there."""

    name: str
    needed: bool = True

    def read(self, query: Query) -> str:
        """Return the text. Raises ``InvalidQuery``."""
        found = query.text(self.name)
        if not found:
            raise InvalidQuery(f"Missing required property: {self.name}", path="")
        return found

    def schema(self) -> Schema:
        """Return that it is not empty."""
        return {"type": "string", "minLength": 1}


@dataclass(frozen=True)
class Texts:
    """A text that may come any number of times."""

    name: str
    needed: bool = False

    def read(self, query: Query) -> tuple[str, ...]:
        """Return every one."""
        return tuple(query.texts(self.name))

    def schema(self) -> Schema:
        """Return a list: OpenAPI writes one as a parameter that is repeated."""
        return {"type": "array", "items": {"type": "string"}}


@dataclass(frozen=True)
class Choice:
    """One of a few words, if it is there."""

    name: str
    words: tuple[str, ...]
    says: str = ""
    """What is said of any other word, unless ``about`` has more to say of it."""
    about: Mapping[str, str] = field(default_factory=dict)
    needed: bool = False

    def read(self, query: Query) -> str | None:
        """Return the word. Raises ``InvalidQuery``."""
        found = query.text(self.name)
        if found is None or found in self.words:
            return found
        said = self.about.get(found, self.says or f"No enum match for: {found[:_SHOWN]}")
        raise InvalidQuery(said, path=self.name)

    def schema(self) -> Schema:
        """Return the words."""
        return {"type": "string", "enum": list(self.words)}


@dataclass(frozen=True)
class Flag(Generic[Default]):
    """``true`` or ``false``."""

    name: str
    default: Default
    needed: bool = False

    def read(self, query: Query) -> bool | Default:
        """Return which. Raises ``InvalidQuery``."""
        return self.default if query.text(self.name) is None else query.flag(self.name, False)

    def schema(self) -> Schema:
        """Return it with what holds where nothing is said."""
        default: dict[str, Any] = {} if self.default is None else {"default": self.default}
        return {"type": "boolean"} | default


@dataclass(frozen=True)
class Number:
    """A whole number within its bounds."""

    name: str
    default: int
    most: int
    least: int = 0
    needed: bool = False

    def read(self, query: Query) -> int:
        """Return it. Raises ``InvalidQuery``."""
        return query.number(self.name, self.default, most=self.most, least=self.least)

    def schema(self) -> Schema:
        """Return its bounds."""
        return {"type": "integer", "minimum": self.least, "maximum": self.most, "default": self.default}
