"""Whom passkeys are for: what the setting may say, and which id and origins a page gets (PK-11, PK-13, PK-22)."""

from typing import Any

import pytest

from keystead.errors import BadRequest
from keystead.rules.relying_party import RelyingParty, edit, read

URL = "https://login.example.com"
LOCAL = "http://localhost:8000"
APP = "android:apk-key-hash:" + "A" * 42 + "E"


def party(public_url: str = URL, **said: Any) -> RelyingParty:
    """Return the relying party after a first PATCH."""
    return read(edit(None, said, public_url), public_url)


def test_without_a_word_it_is_the_public_host() -> None:
    found = read(None, URL)
    assert (found.id, found.name, found.origin) == ("login.example.com", "login.example.com", URL)
    assert (found.pages, found.ids, found.published) == ((URL,), ("login.example.com",), ())
    lists: dict[str, Any] = {"origins": [], "related_origins": [], "retiring": []}
    assert found.shown() == {"id": "login.example.com", "name": "login.example.com", **lists}


@pytest.mark.parametrize(
    ("public_url", "id"),
    [
        (URL, "login.example.com"),
        (URL, "example.com"),
        ("https://a.b.example.co.uk", "example.co.uk"),
        ("https://a.b.example.co.uk:8443", "b.example.co.uk"),
        ("https://me.github.io", "me.github.io"),
        ("https://login.house.test", "house.test"),
        ("https://xn--mnchen-3ya.de", "xn--mnchen-3ya.de"),
        ("https://intranet", "intranet"),
        (LOCAL, "localhost"),
    ],
)
def test_ids_that_fit(public_url: str, id: str) -> None:
    found = party(public_url, id=id)
    assert (found.id, found.name) == (id, id)


PARENT = "must be {} or a parent of it that can be registered"
NAME = "must be a domain name, without scheme, port, path or final dot"
ADDRESS = "must be a domain name: browsers know no passkeys for an address"


@pytest.mark.parametrize(
    ("public_url", "id", "why"),
    [
        (URL, "other.com", PARENT.format("login.example.com")),
        (URL, "www.example.com", PARENT.format("login.example.com")),
        (URL, "in.example.com", PARENT.format("login.example.com")),  # what the host ends in, and no parent of it
        (URL, "evil-login.example.com", PARENT.format("login.example.com")),
        (URL, "a.login.example.com", PARENT.format("login.example.com")),
        (URL, "com", "com is a public suffix"),
        ("https://a.example.co.uk", "co.uk", "co.uk is a public suffix"),
        ("https://me.github.io", "github.io", "github.io is a public suffix"),
        ("https://a.b.ck", "b.ck", "b.ck is a public suffix"),
        ("https://login.test", "test", PARENT.format("login.test")),
        ("https://a.localhost", "localhost", PARENT.format("a.localhost")),
        ("https://10.0.0.1", "10.0.0.1", ADDRESS),
        ("https://10.0.0.1", "0.1", ADDRESS),
        (URL, "0x7f", ADDRESS),
        (URL, "[::1]", NAME),
        (URL, "Example.com", "must be in lower case, as browsers write it"),
        (URL, "example.com.", NAME),
        (URL, ".example.com", NAME),
        (URL, "*.example.com", NAME),
        (URL, "https://example.com", NAME),
        (URL, "example.com:443", NAME),
        (URL, "example.com/", NAME),
        (URL, "example..com", NAME),
        (URL, "-a.example.com", NAME),
        (URL, f"{'a' * 64}.com", NAME),
        (URL, "a." * 126 + "com", NAME),
        (URL, "exämple.com", "must be in ASCII"),
        (URL, "\uff45xample.com", "must be in ASCII"),
        (URL, "", NAME),
        (URL, 7, "Expected type string but found type integer"),
    ],
)
def test_ids_that_do_not(public_url: str, id: object, why: str) -> None:
    with pytest.raises(BadRequest) as refused:
        party(public_url, id=id)
    assert refused.value.path == "id"
    assert refused.value.text.startswith(why)


@pytest.mark.parametrize(
    ("public_url", "origin"),
    [
        (URL, "https://login.example.com:8443"),
        (URL, "https://a.login.example.com"),
        (URL, APP),
        (LOCAL, "http://localhost"),
        (LOCAL, "http://localhost:3000"),
        (LOCAL, "https://localhost:3000"),
    ],
)
def test_origins_that_fit(public_url: str, origin: str) -> None:
    assert party(public_url, origins=[origin]).pages == (public_url, origin)


SHAPE = "must be an origin: scheme and host, with a port where it is not the usual one, and no path"
ELSEWHERE = "must be on login.example.com; pages on other domains go to related_origins"
PLAIN = "must begin with https://; http://localhost where the public URL is on this machine, too"


@pytest.mark.parametrize(
    ("public_url", "origin", "why"),
    [
        (URL, "https://login.example.com/", SHAPE),
        (URL, "https://login.example.com/path", SHAPE),
        (URL, "https://login.example.com?", SHAPE),
        (URL, "https://login.example.com#", SHAPE),
        (URL, "https://me@login.example.com", SHAPE),
        (URL, "https://me:pw@login.example.com", SHAPE),
        (URL, "https://login.example.com:0443", SHAPE),
        (URL, "https://login.example.com:99999", SHAPE),
        (URL, "https://login.example.com:", SHAPE),
        (URL, "login.example.com", SHAPE),
        (URL, "ftp://login.example.com", SHAPE),
        (URL, "null", SHAPE),
        (URL, "*", SHAPE),
        (URL, "https://[::1]", SHAPE),
        (URL, "https://login.example.com:443", "must not name the usual port, as browsers leave it out"),
        (LOCAL, "http://localhost:80", "must not name the usual port, as browsers leave it out"),
        (URL, "https://Login.example.com", "must be in lower case, as browsers write it"),
        (URL, "HTTPS://login.example.com", SHAPE),
        (URL, "https://*.login.example.com", NAME),
        (URL, "https://login.example.com.", NAME),
        (URL, "https://lögin.example.com", "must be in ASCII; an international name is written with xn--"),
        (URL, "https://127.0.0.1", ADDRESS),
        (URL, "https://evil-login.example.com", ELSEWHERE),
        (URL, "https://example.com", ELSEWHERE),
        (URL, "https://login.example.com.evil.example", ELSEWHERE),
        (URL, "http://login.example.com", PLAIN),
        (URL, "http://localhost:3000", PLAIN),
        (LOCAL, "http://a.localhost:3000", PLAIN),
        (LOCAL, "http://127.0.0.1:3000", ADDRESS),
        (URL, "android:apk-key-hash:" + "A" * 42, SHAPE),
        (URL, "android:apk-key-hash:" + "A" * 44, SHAPE),
        (URL, "android:apk-key-hash:" + "A" * 42 + "=", SHAPE),
        (URL, "android:apk-key-hash:" + "A" * 42 + "B", "must end in the SHA-256 of a certificate, in base64url"),
        (URL, "ios:bundle-id:com.example", SHAPE),
    ],
)
def test_origins_that_do_not(public_url: str, origin: str, why: str) -> None:
    with pytest.raises(BadRequest) as refused:
        party(public_url, origins=[APP, origin])
    assert (refused.value.path, refused.value.text) == ("origins.1", why)


@pytest.mark.parametrize(
    ("origin", "why"),
    [
        ("http://shop.example", "must begin with https://"),
        ("https://co.uk", "must have a domain that can be registered: browsers pass over any other"),
        ("https://localhost", "must have a domain that can be registered: browsers pass over any other"),
        ("https://shop.example/", SHAPE),
        (APP, SHAPE),
    ],
)
def test_related_origins_that_do_not_fit(origin: str, why: str) -> None:
    with pytest.raises(BadRequest) as refused:
        party(related_origins=["https://shop.example", origin])
    assert (refused.value.path, refused.value.text) == ("related_origins.1", why)


def test_related_origins_are_counted_as_browsers_count() -> None:
    same = [f"https://shop.{country}" for country in ("com", "de", "co.uk", "fr")] + ["https://a.shop.com:8443"]
    five = ["https://two.example", "https://three.example", "https://four.example", "https://five.example"]
    assert party(related_origins=same + five).published == (*same, *five)
    with pytest.raises(BadRequest, match=r"6 domains \(shop, two, three, four, five, six\)") as refused:
        party(related_origins=[*same, *five, "https://six.example"])
    assert refused.value.path == "related_origins"
    with pytest.raises(BadRequest, match=r"6 domains \(example, shop, ") as refused:  # ours is published, too
        party(related_origins=same + five, retiring=["old.test"])
    assert refused.value.path == "related_origins"


@pytest.mark.parametrize(
    ("body", "path", "why"),
    [
        ({"ids": ["a.example"]}, "", "Additional properties not allowed: ids"),
        ({"ids": None}, "", "Additional properties not allowed: ids"),
        ({"origin": URL}, "", "Additional properties not allowed: origin"),
        ({"name": ""}, "name", "String is too short (0 chars), minimum 1"),
        ({"name": "n" * 65}, "name", "String is too long (65 chars), maximum 64"),
        ({"name": "Example\nLtd"}, "name", "String does not match pattern"),
        ({"origins": URL}, "origins", "Expected type array but found type string"),
        ({"origins": [APP, APP]}, "origins", "Array items are not unique"),
        ({"related_origins": ["https://a.example"] * 2}, "related_origins", "Array items are not unique"),
        ({"retiring": ["old.example"] * 2}, "retiring", "Array items are not unique"),
        ({"retiring": [f"a{number}.example" for number in range(11)]}, "retiring", "Array is too long (11)"),
        ({"retiring": ["old.example", "login.example.com"]}, "retiring.1", "login.example.com is the current id"),
        ({"retiring": ["Old.example"]}, "retiring.0", "must be in lower case"),
        ({"retiring": ["com"]}, "retiring.0", "com is a public suffix"),
        ({"retiring": ["10.0.0.1"]}, "retiring.0", ADDRESS),
    ],
)
def test_what_is_refused_by_path(body: dict[str, Any], path: str, why: str) -> None:
    with pytest.raises(BadRequest) as refused:
        edit(None, body, URL)
    assert refused.value.path == path
    assert refused.value.text.startswith(why)


# --- a PATCH -----------------------------------------------------------------------------------------------------


def test_members_are_merged_and_null_resets() -> None:
    stored = edit(None, {"id": "example.com", "name": "Example", "origins": [APP]}, URL)
    stored = edit(stored, {"name": None, "origins": None, "related_origins": ["https://shop.example"]}, URL)
    assert stored == {
        "id": "example.com",
        "retiring": ["login.example.com"],
        "related_origins": ["https://shop.example"],
    }


def test_an_id_that_is_replaced_retires() -> None:
    stored = edit(None, {"id": "example.com"}, URL)
    assert read(stored, URL).ids == ("example.com", "login.example.com")
    stored = edit(stored, {"id": None}, URL)  # and back: what is current is not retiring
    assert read(stored, URL).ids == ("login.example.com", "example.com")
    stored = edit(stored, {"id": "example.com", "retiring": ["older.example"]}, URL)
    assert read(stored, URL).ids == ("example.com", "older.example")
    stored = edit(stored, {"id": "login.example.com", "retiring": None}, URL)
    assert read(stored, URL).ids == ("login.example.com",)
    stored = edit(stored, {"id": "login.example.com", "name": "Example"}, URL)
    assert read(stored, URL).ids == ("login.example.com",)


def test_the_public_url_moves_and_the_stored_id_with_it() -> None:
    moved = "https://login.new.example"
    stored = edit(None, {"id": "login.example.com"}, URL)
    assert read(stored, moved).published == (moved,), "the old host says that the new one may use its id"
    with pytest.raises(BadRequest) as refused:
        edit(stored, {"name": "New"}, moved)
    assert refused.value.path == "id"
    after = read(edit(stored, {"id": "new.example"}, moved), moved)
    assert after.ids == ("new.example", "login.example.com")
    assert after.published == (moved,)


def test_an_origin_of_an_older_id_stays_as_long_as_the_id() -> None:
    said = {"id": "example.com", "origins": ["https://www.old.test"], "retiring": ["old.test"]}
    stored = edit(None, said, URL)
    with pytest.raises(BadRequest, match=r"must be on example\.com;") as refused:
        edit(stored, {"retiring": None}, URL)
    assert refused.value.path == "origins.0"
    assert edit(stored, {"retiring": None, "origins": None}, URL) == {"id": "example.com"}


# --- which id a page gets ----------------------------------------------------------------------------------------

MOVING = party(id="example.com", retiring=["old.test", "older.test"], related_origins=["https://shop.example"])
SHOPS = ("https://www.old.test", "https://a.older.test:8443", "https://stranger.test", "https://evil-old.test")


@pytest.mark.parametrize(
    ("page", "id"),
    [
        (URL, "example.com"),
        ("https://shop.example", "example.com"),
        ("https://www.old.test", "old.test"),
        ("https://a.older.test:8443", "older.test"),
        ("https://stranger.test", "example.com"),  # allowed, and no id fits: the browser will say so
        ("https://evil-old.test", "example.com"),
        ("https://old.test", "example.com"),  # not allowed, so that it decides nothing
        ("https://www.old.test.", "example.com"),
        ("HTTPS://www.old.test", "example.com"),
        ("https://www.old.test:443", "example.com"),
        ("null", "example.com"),
        ("", "example.com"),
    ],
)
def test_the_newest_id_that_a_browser_takes_there(page: str, id: str) -> None:
    assert MOVING.id_for(page, (*MOVING.pages, *SHOPS)) == id


def test_a_related_page_may_use_older_ids_only_where_the_newest_does_not_do() -> None:
    both = party(id="example.com", retiring=["old.test"], related_origins=["https://www.old.test"])
    assert both.id_for("https://www.old.test", both.pages) == "example.com"


@pytest.mark.parametrize(
    ("said", "published"),
    [
        ({}, ()),
        ({"id": "example.com", "retiring": ["login.example.com"]}, ()),  # a browser takes both on our pages
        ({"retiring": ["www.example.com"]}, (URL,)),
        ({"related_origins": ["https://shop.example"]}, ("https://shop.example",)),
        ({"related_origins": ["https://shop.example", URL], "retiring": ["old.test"]}, (URL, "https://shop.example")),
    ],
)
def test_what_is_published(said: dict[str, Any], published: tuple[str, ...]) -> None:
    assert party(**said).published == published
