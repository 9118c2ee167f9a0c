"""What a tenant's colours and addresses make of the pages, and what is refused."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystead.errors import BadRequest
from keystead.rules.branding import Branding, edit, shown, stylesheet
from keystead.rules.contrast import SHAPE, TEXT, Colour, colour, contrast

GRADIENT = {"type": "linear-gradient", "start": "#102030", "end": "#405060", "angle_deg": 45}
LIGHT, DARK = Colour(0xFF, 0xFF, 0xFF), Colour(0x19, 0x1D, 0x1B)
MUTED = {LIGHT: Colour(0x58, 0x5E, 0x5A), DARK: Colour(0xA9, 0xB1, 0xAC)}
"""The weakest text of each scheme, beside what is made of the brand."""


def made(**members: Any) -> Branding:
    return edit(Branding(), members)


def properties(css: str) -> list[dict[str, Colour | None]]:
    """Return the custom properties of both schemes; what is no colour is ``None``."""
    blocks = re.findall(r":root \{([^}]*)\}", css)
    return [{name: colour(value) for name, value in re.findall(r"--([a-z-]+): ([^;]+);", block)} for block in blocks]


def of(found: dict[str, Colour | None], name: str) -> Colour:
    """Return a property that must be a colour."""
    value = found[name]
    assert value is not None
    return value


@given(st.integers(0, 0xFFFFFF))
def test_whatever_the_colour_all_that_is_made_of_it_can_be_read(number: int) -> None:
    css = stylesheet(made(colors={"primary": f"#{number:06x}"}))
    schemes = properties(css)
    assert len(schemes) == 2
    for found, card in zip(schemes, (LIGHT, DARK), strict=True):
        accent, on_accent, strong = of(found, "accent"), of(found, "on-accent"), of(found, "accent-strong")
        link, link_strong, glow = of(found, "link"), of(found, "link-strong"), of(found, "glow")
        assert accent == colour(f"#{number:06x}")
        assert contrast(on_accent, accent) >= TEXT
        assert contrast(on_accent, strong) >= TEXT
        for ground in (card, glow):
            assert contrast(link, ground) >= TEXT
            assert contrast(link_strong, ground) >= TEXT
            assert contrast(MUTED[card], ground) >= TEXT
        # A button that the card would swallow has an edge.
        assert contrast(accent, card) >= SHAPE or found["accent-edge"]


def test_nothing_set_is_no_style_sheet() -> None:
    assert stylesheet(Branding()) == ""
    assert stylesheet(made(logo_url="https://cdn.example/logo.svg")) == ""


def test_a_background_is_there_where_the_card_stands_on_it() -> None:
    bright = stylesheet(made(colors={"page_background": "#ffeecc"}))
    assert bright == "@media (min-width: 34rem) and (prefers-color-scheme: light) { body { background: #ffeecc; } }\n"
    dim = stylesheet(made(colors={"page_background": "#101020"}))
    assert dim == "@media (min-width: 34rem) { body { background: #101020; } }\n"
    gradient = stylesheet(made(colors={"page_background": GRADIENT}))
    assert "background: linear-gradient(45deg, #102030, #405060);" in gradient


def test_a_change_leaves_what_it_does_not_name() -> None:
    first = made(colors={"primary": "#123456"}, logo_url="https://cdn.example/a.png")
    second = edit(first, {"colors": {"page_background": "#fff"}, "favicon_url": "https://icons.example:8443/i?v=1"})
    assert shown(second) == {
        "colors": {"primary": "#123456", "page_background": "#fff"},
        "logo_url": "https://cdn.example/a.png",
        "favicon_url": "https://icons.example:8443/i?v=1",
    }
    assert second.origins() == ("https://cdn.example", "https://icons.example:8443")
    assert edit(second, shown(second)) == second
    third = edit(second, {"colors": {"primary": None, "page_background": None}, "logo_url": None, "favicon_url": None})
    assert shown(third) == {}
    assert shown(edit(second, {"colors": None})) == {name: shown(second)[name] for name in ("logo_url", "favicon_url")}


@pytest.mark.parametrize("font", [None, {"url": None}])
def test_no_font_is_no_change(font: Any) -> None:
    assert edit(Branding(), {"font": font}) == Branding()


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({}, ""),
        ({"colors": "red"}, "colors"),
        ({"colors": {"primary": "red"}}, "colors.primary"),
        ({"colors": {"primary": "#12345"}}, "colors.primary"),
        ({"colors": {"primary": 7}}, "colors.primary"),
        ({"colors": {"secondary": "#123456"}}, "colors"),
        ({"colors": {"page_background": "#fff;}"}}, "colors.page_background"),
        ({"colors": {"page_background": GRADIENT | {"angle_deg": 361}}}, "colors.page_background"),
        ({"colors": {"page_background": GRADIENT | {"type": "radial-gradient"}}}, "colors.page_background"),
        ({"logo": "x"}, ""),
        ({"font": {"url": "https://fonts.example/a.woff2"}}, "font"),
        ({"font": "x"}, "font"),
        *[
            ({member: url}, member)
            for member in ("logo_url", "favicon_url")
            for url in (
                "",
                "logo.png",
                "http://cdn.example/a.png",
                "HTTPS://cdn.example/a.png",
                "https:///a.png",
                "https://user@cdn.example/a.png",
                "https://cdn.example/a b.png",
                'https://cdn.example/"onerror=x',
                "https://cdn.example/a;script-src *",
                "https://cdn.example;script-src",
                "https://*.example/a.png",
                "https://cdn.example/a,b",
                "https://cdn.example:x/a",
                "https://cdn.example/\N{LATIN SMALL LETTER E WITH ACUTE}",
                "https://cdn.example/a\n",
                "javascript:alert(1)",
                "data:image/png;base64,AAAA",
            )
        ],
        ({"logo_url": "https://cdn.example/" + "a" * 2048}, "logo_url"),
    ],
)
def test_what_is_no_branding_is_refused_by_path(body: dict[str, Any], path: str) -> None:
    with pytest.raises(BadRequest) as refused:
        edit(Branding(), body)
    assert (refused.value.path or "").startswith(path)
