"""Liquid as administrators may write it: it can compute nothing but text, and not much of that.

Work is counted in characters, not in seconds, so that a template is refused for what it does and not for how busy the
machine is: what loops go over times the length of the source, every value that is looked up, what goes into a filter
and what comes out, and all that is written. ``include`` and ``render`` do not exist: there is nothing to load.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from io import StringIO
from typing import Any, Final, TextIO

from liquid import BoundTemplate, Environment, RenderContext
from liquid.ast import Node
from liquid.builtin.expressions import Literal
from liquid.builtin.expressions.primitive import RangeLiteral
from liquid.exceptions import LiquidError, ResourceLimitError
from liquid.expression import Expression
from liquid.output import LimitedStringIO
from liquid.token import Token
from liquid.undefined import UNDEFINED

from keystead.errors import BadRequest

MAX_SOURCE: Final = 100_000
MAX_MARKUP: Final = 2_000
MAX_OUTPUT: Final = 200_000
_WORK: Final = 3_000_000
_LONGEST_RANGE: Final = 1_000

FILTERS: Final = frozenset(
    {
        *("append", "capitalize", "compact", "concat", "date", "default", "divided_by", "downcase", "escape"),
        *("escape_once", "first", "join", "last", "lstrip", "map", "minus", "modulo", "newline_to_br", "plus"),
        *("prepend", "remove", "remove_first", "replace", "replace_first", "reverse", "rstrip", "size", "slice"),
        *("split", "strip", "strip_html", "strip_newlines", "times", "truncate", "truncatewords", "upcase"),
        *("url_decode", "url_encode", "where"),
    }
)
"""``safe`` is not among them: what people wrote about themselves is always escaped."""

_NUMERIC: Final = frozenset({"divided_by", "minus", "modulo", "plus", "times"})
_NUMBER: Final = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?")
_BLANKS: Final = re.compile(r"\s{200}")
_GREATEST: Final = 10**15
_LONGEST_DATE: Final = 64


class _Counted(LimitedStringIO):
    """Output that is paid for."""

    def __init__(self, limit: int, charge: Callable[[int], None]) -> None:
        super().__init__(limit)
        self._charge = charge

    def write(self, text: str, /) -> int:
        self._charge(len(text))
        return super().write(text)


class _Context(RenderContext):
    """What one rendering has left to spend."""

    __slots__ = ("_left", "_source_length")

    def __init__(self, template: BoundTemplate, **more: Any) -> None:
        super().__init__(template, **more)
        self._left = _WORK
        self._source_length = int(str(template.matter["length"]))

    def charge(self, work: int) -> None:
        """Spend. Raises ``ResourceLimitError`` where nothing is left."""
        self._left -= work
        if self._left < 0:
            raise ResourceLimitError("the template does too much", token=None)

    def raise_for_loop_limit(self, length: int = 1) -> None:
        self.charge(length * self._source_length)

    def get(self, path: list[object], *, token: Token | None, default: object = UNDEFINED) -> object:
        found = super().get(path, token=token, default=default)
        self.charge(_size(found))
        return found

    def filter(self, name: str, token: Token | None) -> Callable[..., object]:
        plain = super().filter(name, token)

        def paid(value: object, *args: object, **named: object) -> object:
            if name == "date":
                value = _dated(value, self.globals)
            elif name in _NUMERIC:
                value, args = _small(value), tuple(map(_small, args))
            self.charge(_cost(name, value, args))
            found = plain(value, *args, **named)
            self.charge(_size(found))
            return found

        return paid

    def get_buffer(self, buf: TextIO | None = None) -> StringIO:
        return _Counted(MAX_OUTPUT, self.charge)


class _Template(BoundTemplate):
    context_class = _Context


class _Sandbox(Environment):
    template_class = _Template
    output_stream_limit = MAX_OUTPUT

    def setup_tags_and_filters(self, *, extra: bool = False) -> None:
        super().setup_tags_and_filters(extra=extra)
        for tag in ("include", "render"):
            del self.tags[tag]
        for name in set(self.filters) - FILTERS:
            del self.filters[name]


_HTML: Final = _Sandbox(autoescape=True)
_PLAIN: Final = _Sandbox(autoescape=False)


def rendered(source: str, variables: Mapping[str, Any], *, html: bool) -> str:
    """Render a template; in HTML whatever comes from a variable is escaped. Raises ``LiquidError``, and no other."""
    try:
        return _parsed(source, html=html).render(**variables)
    except LiquidError:
        raise
    except Exception as error:  # noqa: BLE001 - the library lets others through: a slice from -1, text too deep to parse
        raise LiquidError(type(error).__name__, token=None) from None


def check_source(source: str, path: str, variables: Mapping[str, Any]) -> None:
    """Refuse a template that cannot be parsed, or not be rendered with an example. Raises ``BadRequest``."""
    if len(source) > MAX_SOURCE:
        raise BadRequest(f"String is too long ({len(source)} chars), maximum {MAX_SOURCE}", path=path)
    try:
        rendered(source, variables, html=True)
    except LiquidError as error:
        raise BadRequest(f"The template is not valid Liquid: {str(error.message)[:200]}", path=path) from None


def _parsed(source: str, *, html: bool) -> BoundTemplate:
    # The parser looks for the end of each of these from where it begins: of a hundred thousand that takes minutes.
    for opening in ("{{", "{%", "("):
        if source.count(opening) > MAX_MARKUP:
            raise ResourceLimitError(f"more than {MAX_MARKUP} times {opening}", token=None)
    if _BLANKS.search(source):  # its expressions for markup try each of them as a beginning
        raise ResourceLimitError("more than 200 blanks in a row", token=None)
    template = (_HTML if html else _PLAIN).from_string(source, matter={"length": len(source)})
    for each in _ranges(template):
        # Reversing a range lists it whole, and skipping its beginning counts it through, before any loop begins.
        values = (end.value for end in (each.start, each.stop) if isinstance(end, Literal))
        ends = [value for value in values if isinstance(value, int)]
        if len(ends) < 2 or ends[1] - ends[0] > _LONGEST_RANGE:
            raise ResourceLimitError(f"a range must be of two numbers, at most {_LONGEST_RANGE} apart", token=None)
    return template


def _ranges(template: BoundTemplate) -> Iterator[RangeLiteral]:
    context, todo = RenderContext(template), list[Node | Expression](template.nodes)
    while todo:
        part = todo.pop()
        if isinstance(part, Node):
            todo.extend(part.children(context))
            todo.extend(part.expressions())
        else:
            todo.extend(part.children())
            if isinstance(part, RangeLiteral):
                yield part


def _size(value: object) -> int:
    if isinstance(value, str):
        return 1 + len(value)
    return 1 + sum(map(_size, value)) * len(value) if isinstance(value, list | tuple) else 1


def _cost(name: str, value: object, args: tuple[object, ...]) -> int:
    """Return what a filter may cost at most: text that is put in many places counts as often."""
    given = sum(map(_size, (value, *args)))
    if name in ("replace", "replace_first", "join"):
        places = len(value) if isinstance(value, str | list | tuple) else 1
        return given + (1 + places) * _size(args[-1] if args else "")
    return given


def _small(value: object) -> object:
    """Return a number that arithmetic stays cheap with, and nought for anything else."""
    if isinstance(value, int | float):
        return value if abs(value) < _GREATEST else 0
    return value if isinstance(value, str) and _NUMBER.fullmatch(value) else 0


def _dated(value: object, variables: Mapping[str, object]) -> object:
    """Return a point in time to format; the time is a variable like others, not the clock."""
    if value in ("now", "today"):
        return variables.get("now", "")
    return value if isinstance(value, datetime | int) or len(str(value)) <= _LONGEST_DATE else ""
