"""What the hosted pages look like: colours, a logo and an icon of the tenant's own, made readable whatever they are."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from keystead.errors import BadRequest
from keystead.rules.complaints import parse
from keystead.rules.contrast import BLACK, SHAPE, WHITE, Colour, colour, contrast, readable, text_on

SETTING: Final = "branding"

_CLOSED: Final = ConfigDict(frozen=True, strict=True, extra="forbid")

_ADDRESS: Final = re.compile(
    r"https://[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){0,20}(?::[0-9]{1,5})?(?:[/?][A-Za-z0-9/?:@!$&()*+=.~_%-]*)?"
)
"""Nothing that ends a source of a policy, an attribute or a rule of a style sheet."""

# The grounds that text stands on in static/css/pages.css: the card, the page without one, and its glow.
_LIGHT: Final = (WHITE, Colour(0xF3, 0xF2, 0xEE))
_DARK: Final = (Colour(0x19, 0x1D, 0x1B), Colour(0x10, 0x13, 0x12))
_EDGE: Final = {"light": "#7f857f", "dark": "#7d8781"}
_DIM: Final = 0.2
"""Up to this luminance a page is dark enough to be looked at in the dark."""


def _colour(text: str) -> str:
    if colour(text) is None:
        raise ValueError(f"Object didn't pass validation for format html-color-or-null: {text[:100]}")
    return text


def _secure_address(text: str) -> str:
    """Take an address that can stand in a page, and whose origin can stand in a policy. Raises ``ValueError``."""
    if not _ADDRESS.fullmatch(text):
        raise ValueError(f"Object didn't pass validation for format strict-https-uri-or-null: {text[:100]}")
    return text


Html = Annotated[str, AfterValidator(_colour)]
Address = Annotated[str, Field(max_length=2048), AfterValidator(_secure_address)]


class Gradient(BaseModel):
    """``page_background`` as a gradient."""

    model_config = _CLOSED

    type: Literal["linear-gradient"]
    start: Html
    end: Html
    angle_deg: Annotated[int, Field(ge=0, le=360)] = 180


class Colours(BaseModel):
    """``colors``."""

    model_config = _CLOSED

    primary: Html | None = None
    page_background: Html | Gradient | None = None


class Branding(BaseModel):
    """``/api/v2/branding`` as the wire has it. What is ``None`` is Keystead's own."""

    model_config = _CLOSED

    colors: Colours | None = None
    favicon_url: Address | None = None
    logo_url: Address | None = None

    def origins(self) -> tuple[str, ...]:
        """Return the origins that pictures come from, in order and once each."""
        found = (urlsplit(url) for url in (self.logo_url, self.favicon_url) if url)
        return tuple(dict.fromkeys(f"https://{each.netloc.lower()}" for each in found))


def edit(current: Branding, body: Mapping[str, Any]) -> Branding:
    """Return what a PATCH makes of the branding: ``null`` takes a member back. Raises ``BadRequest`` by path."""
    if not body:
        raise BadRequest("Too few properties defined (0), minimum 1", path="")
    _check_font(body)
    before = shown(current)
    merged = before | {name: value for name, value in body.items() if name != "font"}
    if isinstance(body.get("colors"), dict):
        merged["colors"] = before.get("colors", {}) | body["colors"]
    return _kept(parse(Branding, merged))


def shown(branding: Branding) -> dict[str, Any]:
    """Return what is set, as it is stored and shown."""
    return branding.model_dump(mode="json", exclude_none=True)


def stylesheet(branding: Branding) -> str:
    """Return the rules that make the pages look like that, in light and dark; empty where they are as they are."""
    colors = branding.colors or Colours()
    found = _accents(colour(colors.primary)) if colors.primary else ""
    return found + (_background(colors.page_background) if colors.page_background else "")


def _check_font(body: Mapping[str, Any]) -> None:
    """Take a font that says nothing, and no other: it would be loaded from somebody else by whoever signs in."""
    font = body.get("font")
    if font is None or font == {"url": None}:
        return
    raise BadRequest("Fonts of other sites are not supported: pages use those of the device", path="font")


def _kept(branding: Branding) -> Branding:
    return branding.model_copy(update={"colors": None}) if branding.colors == Colours() else branding


def _accents(primary: Colour | None) -> str:
    assert primary is not None
    light, dark = _shades(primary, *_LIGHT, edge=_EDGE["light"]), _shades(primary, *_DARK, edge=_EDGE["dark"])
    return f":root {{ {light} }}\n@media (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}\n"


def _shades(primary: Colour, card: Colour, paper: Colour, *, edge: str) -> str:
    """Return the custom properties that follow from one colour, each readable where pages use it."""
    on_accent, glow = text_on(primary), card.mixed(primary, 0.12)
    link = readable(primary, card, paper, glow)
    strong = link.mixed(text_on(card), 0.3)
    # Away from the text on it, which is then read even better.
    pressed = primary.mixed(BLACK if on_accent == WHITE else WHITE, 0.2)
    seen = "transparent" if contrast(primary, card) >= SHAPE else edge
    shades = {"accent": primary, "accent-strong": pressed, "on-accent": on_accent, "accent-edge": seen}
    shades |= {"link": link, "link-strong": strong, "glow": glow}
    return " ".join(f"--{name}: {value};" for name, value in shades.items())


def _background(wanted: str | Gradient) -> str:
    """Return what is behind the card, where there is one: on a phone, text stands on the page itself."""
    ends = [wanted] if isinstance(wanted, str) else [wanted.start, wanted.end]
    if isinstance(wanted, str):
        ground = wanted
    else:
        ground = f"linear-gradient({wanted.angle_deg}deg, {wanted.start}, {wanted.end})"
    dim = all((found := colour(end)) is not None and found.luminance <= _DIM for end in ends)
    scheme = "" if dim else " and (prefers-color-scheme: light)"
    return f"@media (min-width: 34rem){scheme} {{ body {{ background: {ground}; }} }}\n"
