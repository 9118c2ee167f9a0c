"""Forms with a file (RFC 7578), read as they arrive: the file is handed on piece by piece and never held as a whole."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.requests import Request

from keystead.errors import BadRequest, UnsupportedMediaType

MEDIA: Final = "multipart/form-data"
_MOST_PARTS: Final = 200
_INVALID: Final = "Invalid multipart payload format"


def _broken(detail: str) -> BadRequest:
    return BadRequest(_INVALID, path="", detail=detail)


@dataclass
class MultipartForm:
    """A form whose part of one name is a file; the other parts are texts of bounded length."""

    file: str
    longest: int
    """Bytes of a text."""
    texts: dict[str, list[str]] = field(default_factory=dict)
    """By name, each as often as it came; whole once the file is read to its end."""
    _name: str = ""
    _header: tuple[bytearray, bytearray] = field(default_factory=lambda: (bytearray(), bytearray()))
    _text: bytearray = field(default_factory=bytearray)
    _files: int = 0
    _parts: int = 0
    _over: bool = False
    _pieces: list[bytes] = field(default_factory=list)

    async def read(self, request: Request) -> AsyncIterator[bytes]:
        """Give the file. Raises ``UnsupportedMediaType``, ``BadRequest``."""
        kind, options = parse_options_header(request.headers.get("content-type", ""))
        if kind != MEDIA.encode():
            raise UnsupportedMediaType(detail=kind.decode("latin-1")[:100])
        if not options.get(b"boundary"):
            raise _broken("no boundary")
        try:
            parser = MultipartParser(options[b"boundary"], self._callbacks())
            async for octets in request.stream():
                parser.write(octets)
                for piece in self._waiting():
                    yield piece
            parser.finalize()
        except FormParserError as error:
            raise _broken(str(error)) from None
        if not self._over:
            raise _broken("it ends early")

    def has_file(self) -> bool:
        """Whether the file was there, be it empty."""
        return self._files > 0

    def _waiting(self) -> Iterator[bytes]:
        found, self._pieces = self._pieces, []
        yield from found

    def _callbacks(self) -> Any:  # the library names what it takes for those who check types alone
        return {
            "on_part_begin": self._begin,
            "on_header_field": lambda data, start, end: self._header[0].extend(data[start:end]),
            "on_header_value": lambda data, start, end: self._header[1].extend(data[start:end]),
            "on_header_end": self._header_end,
            "on_headers_finished": self._named,
            "on_part_data": self._data,
            "on_part_end": self._end,
            "on_end": self._finish,
        }

    def _begin(self) -> None:
        self._parts += 1
        if self._parts > _MOST_PARTS:
            raise _broken("too many parts")
        self._name, self._text = "", bytearray()

    def _header_end(self) -> None:
        name, value = (bytes(each) for each in self._header)
        for each in self._header:
            each.clear()
        if name.lower() == b"content-disposition":
            _, options = parse_options_header(value)
            self._name = options.get(b"name", b"").decode("utf-8", "replace")

    def _named(self) -> None:
        if not self._name:
            raise _broken("a part has no name")
        if self._name == self.file:
            self._files += 1
            if self._files > 1:
                raise _broken(f"{self.file} comes twice")

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._name == self.file:
            self._pieces.append(bytes(data[start:end]))
            return
        self._text += data[start:end]
        if len(self._text) > self.longest:
            text = f"String is too long ({len(self._text)} chars), maximum {self.longest}"
            raise BadRequest(text, path=self._name[:100])

    def _end(self) -> None:
        if self._name == self.file:
            return
        try:
            text = self._text.decode("utf-8")
        except UnicodeDecodeError:
            raise _broken(f"{self._name[:100]} is not valid UTF-8") from None
        if "\0" in text or "\0" in self._name:
            raise BadRequest("contains characters that are not allowed", path=self._name.replace("\0", "")[:100])
        self.texts.setdefault(self._name, []).append(text)

    def _finish(self) -> None:
        self._over = True
