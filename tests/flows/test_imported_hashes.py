"""Logins of people whose hash another system made: every format, and what happens to it."""

import asyncio
import base64
import hashlib
import json
import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from typing import Any

import bcrypt
import pytest
from sqlmodel import Session

from guarding import BRUTE_FORCE, SUSPICIOUS_IP, guard
from keystead.db import accounts, tables
from keystead.errors import Busy
from keystead.rules.hash_recipes import ImportedHash
from keystead.rules.password_hashes import is_native, of_stored, read_custom, read_text
from keystead.secrecy import Secret
from keystead.users.hashing import BcryptHasher
from keystead.users.imported_hashes import matches
from keystead.users.md4 import pbkdf2_md4
from keystead.users.whirlpool import whirlpool
from world import PASSWORD, World

VECTORS = json.loads((Path(__file__).parents[1] / "data" / "password-hashes.json").read_text(encoding="utf-8"))
TRIED = [row for row in VECTORS if not row.get("long")]
"""One takes five seconds: the same function is tried with fewer rounds, and that one was compared by OpenSSL."""
NEW = "another horse battery"
BCRYPT_31 = "$2b$31$C9hB01.YxRSTcn/ZOOo4j.TW7xCKKFKBSF.C7E0xiUwumqIDqWUXG"
on_sqlite = pytest.mark.parametrize("installation", ["sqlite"], indirect=True)


def ssha(password: bytes, scheme: str = "{SSHA256}") -> str:
    return scheme + base64.b64encode(hashlib.sha256(password + b"salt").digest() + b"salt").decode()


async def keep(world: World, user_id: str, text: str) -> None:
    """Give an account a hash, as an import does."""
    await world.db.write(_keep, user_id, text)


def _keep(session: Session, user_id: str, text: str) -> None:
    assert accounts.change(session, user_id, {"password_hash": text})


async def kept(world: World, user_id: str) -> str:
    """Return the hash of an account."""
    (found,) = [row["password_hash"] for row in await world.rows(tables.Account) if row["user_id"] == user_id]
    return str(found)


async def set_length(world: World, exceeded: str) -> None:
    """Say what becomes of passwords that are too long for bcrypt."""
    options = {"complexity": {"min_length": 1, "max_length_exceeded": exceeded}}
    assert (await world.patch_options(password_options=options)).status_code == 200


@contextmanager
def hasher(world: World, **settings: Any) -> Iterator[None]:
    """Put another hasher into a running Keystead."""
    before = world.hasher.inner
    world.hasher.inner = BcryptHasher(**{"cost": 5, "workers": 1, "queue": 8, **settings})
    try:
        yield
    finally:
        world.hasher.inner.close()
        world.hasher.inner = before


# --- every format ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", TRIED, ids=[f"{number}-{row['name']}" for number, row in enumerate(TRIED)])
def test_vectors(row: dict[str, Any]) -> None:
    """Documented examples, and hashes that the real library of each format made; their source stands beside them."""
    found = read_text(row["text"]) if "text" in row else read_custom(row["custom"])
    assert matches(of_stored(found.stored()), row["password"])
    if found.milliseconds < 50:
        assert not matches(found, row["password"] + "x") or len(row["password"]) > 72
        assert not matches(found, "")
        assert not matches(found, row["password"].swapcase())


def test_the_long_one_is_what_openssl_says() -> None:
    """With the rounds of Auth0's example it takes seconds; these are the same parts with fewer rounds."""
    found = pbkdf2_md4(b"shh", bytes.fromhex("f8ddfbe41f2ad05c"), 3, 64)
    assert found.hex().startswith("bf62674bd0aa6177a93f124be6124443f8006cab0b4649ef40e3759a4143f820d634a86cb01d54bf")
    assert len(found) == 64


def test_what_takes_long_in_python_is_left_to_a_process() -> None:
    """Python computes one thing at a time: a login with such a hash would hold up everybody else's."""
    before = getrusage(RUSAGE_CHILDREN).ru_utime
    found = pbkdf2_md4(b"shh", bytes.fromhex("f8ddfbe41f2ad05c"), 20_001, 16)
    assert found.hex() == "75b8a512bac1848ce307fb52ca17428b"  # OpenSSL, with its provider of old digests
    assert getrusage(RUSAGE_CHILDREN).ru_utime > before


@pytest.mark.parametrize(
    ("message", "digest"),
    [
        (b"", "19fa61d75522a4669b44e39c1d2e1726c530232130d407f89afee0964997f7a7"),
        (b"abc", "4e2448a4c6f486bb16b6562c73b4020bf3043e3a731bce721ae1b303d97e6d4c"),
        (b"1234567890" * 8, "466ef18babb0154d25b9d38a6414f5c08784372bccb204d6549c4afadb601429"),
    ],
)
def test_whirlpool(message: bytes, digest: str) -> None:
    """The first half of the digests that its designers published."""
    assert whirlpool(message).hex()[:64] == digest


@pytest.mark.parametrize(
    ("encoding", "typed"), [("ascii", "p\N{SNOWMAN}ss"), ("latin1", "p\N{SNOWMAN}ss"), ("utf16le", "\ud800")]
)
def test_a_character_that_the_encoding_lacks_matches_nothing(encoding: str, typed: str) -> None:
    """Not even its substitute, which other systems hashed: whoever types the substitute would be let in."""
    codec = {"utf16le": "utf-16-le"}.get(encoding, encoding)
    digest = hashlib.sha256(typed.encode(codec, "replace")).hexdigest()
    found = read_custom(
        {"algorithm": "sha256", "hash": {"value": digest, "encoding": "hex"}, "password": {"encoding": encoding}}
    )
    assert not matches(found, typed)


def test_a_salt_of_bcrypt_that_was_never_tidied_up() -> None:
    """Of its last character only two bits count. Some libraries wrote what they were given."""
    tidy = bcrypt.hashpw(b"secret", b"$2b$04$abcdefghijklmnopqrstuu").decode()
    for last in "uvwx23":
        text = f"{tidy[:28]}{last}{tidy[29:]}"
        assert matches(of_stored(text), "secret")
        assert is_native(text) == (last == "u")


@pytest.mark.parametrize("text", ["$1$salt$" + "z" * 22, "$5$salt$" + "z" * 43, "$6$salt$" + "z" * 86])
def test_bits_that_no_hash_of_crypt_has(text: str) -> None:
    assert not matches(read_text(text), "secret")


def test_crypt_gets_no_password_of_pages() -> None:
    text = "$6$rounds=1000$salt$" + "z" * 86
    assert not matches(read_text(text), "x" * 4096)


# --- the first login -------------------------------------------------------------------------------------------------


async def test_the_first_login_replaces_it(world: World) -> None:
    user_id = await world.person()
    text = ssha(b"old password")
    await keep(world, user_id, text)
    assert (await world.login(password="not that")).status_code == 403
    assert await kept(world, user_id) == text
    assert (await world.login(password="old password")).status_code == 200
    native = await kept(world, user_id)
    assert is_native(native)
    assert bcrypt.checkpw(b"old password", native.encode())
    assert (await world.login(password="old password")).status_code == 200
    assert await kept(world, user_id) == native
    assert (await world.login(password=PASSWORD)).status_code == 403


async def test_two_first_logins_at_once(world: World) -> None:
    user_id = await world.person()
    await keep(world, user_id, ssha(b"old password"))
    answers = await asyncio.gather(*(world.login(password="old password") for _ in range(3)))
    assert [each.status_code for each in answers] == [200, 200, 200]
    assert bcrypt.checkpw(b"old password", (await kept(world, user_id)).encode())


async def test_a_password_that_changes_meanwhile_stays_changed(world: World) -> None:
    user_id, may_go_on, begun = await world.person(), threading.Event(), threading.Event()
    await keep(world, user_id, ssha(b"old password"))

    def slowly(found: ImportedHash, password: str) -> bool:
        begun.set()
        assert may_go_on.wait(20)
        return matches(found, password)

    with hasher(world, foreign=slowly, workers=2):
        waiting = asyncio.ensure_future(world.login(password="old password"))
        assert await asyncio.to_thread(begun.wait, 20)
        changed = {"password": NEW, "connection": world.connection}
        assert (await world.manage("PATCH", f"/users/{user_id}", changed)).status_code == 200
        may_go_on.set()
        await waiting
    assert bcrypt.checkpw(NEW.encode(), (await kept(world, user_id)).encode())


@on_sqlite
async def test_spellings(world: World) -> None:
    """Other systems hashed what was typed; we hash NFC. Whatever a login is typed in, both are tried."""
    user_id = await world.person()
    composed, apart = unicodedata.normalize("NFC", "pässwörd"), unicodedata.normalize("NFD", "pässwörd")
    plain = bcrypt.hashpw(apart.encode(), bcrypt.gensalt(4)).decode()
    for text, typed in [(ssha(apart.encode()), apart), (ssha(composed.encode()), apart), (plain, apart)]:
        await keep(world, user_id, text)
        assert (await world.login(password=typed)).status_code == 200
        assert (await world.login(password=composed)).status_code == 200
        assert (await world.login(password=apart)).status_code == 200
        assert bcrypt.checkpw(composed.encode(), (await kept(world, user_id)).encode())
    await keep(world, user_id, ssha(apart.encode()))
    assert (await world.login(password=composed)).status_code == 403  # nobody can tell how it was taken apart


@on_sqlite
async def test_passwords_that_are_too_long_for_our_own(world: World) -> None:
    user_id, long = await world.person(), "x" * 100
    of_bcrypt = read_custom(
        {"algorithm": "bcrypt", "hash": {"value": bcrypt.hashpw(b"x" * 72, bcrypt.gensalt(4)).decode()}}
    ).stored()
    for text in (ssha(long.encode()), of_bcrypt):
        await set_length(world, "error")
        await keep(world, user_id, text)
        for _ in range(2):
            assert (await world.login(password=long)).status_code == 200
            assert await kept(world, user_id) == text
        assert (await world.login(password="y" * 100)).status_code == 403
        assert (await world.login(password="x" * 5000)).status_code == 403
        await set_length(world, "truncate")
        assert (await world.login(password=long)).status_code == 200
        assert bcrypt.checkpw(b"x" * 72, (await kept(world, user_id)).encode())
    await set_length(world, "error")  # one of ours was never of more
    assert (await world.login(password=long)).status_code == 403


@on_sqlite
async def test_the_history_knows_it(world: World) -> None:
    user_id = await world.person()
    await world.patch_options(
        password_options={"complexity": {"min_length": 1}, "history": {"active": True, "size": 3}}
    )
    await keep(world, user_id, ssha(b"old password"))
    path, where = f"/users/{user_id}", {"connection": world.connection}
    again = await world.manage("PATCH", path, {"password": "old password", **where})
    assert (again.status_code, "previously been used" in again.text) == (400, True)
    assert (await world.manage("PATCH", path, {"password": NEW, **where})).status_code == 200
    again = await world.manage("PATCH", path, {"password": "old password", **where})
    assert (again.status_code, "previously been used" in again.text) == (400, True)


# --- what a refusal costs, and what is never computed ----------------------------------------------------------------


@on_sqlite
async def test_a_refusal_costs_what_it_costs_for_nobody_besides(world: World) -> None:
    """Counted, not timed: bcrypt in units of its cost, and comparisons with hashes of other systems.

    What is in the column and is no hash within the bounds is not computed, and never an error.
    """
    user_id = await world.person()
    for limit in (BRUTE_FORCE, SUSPICIOUS_IP):
        await guard(world.db, limit, enabled=False)
    work, foreign = 0, 0

    def counted(password: bytes, stored: bytes) -> bool:
        nonlocal work
        assert int(stored[4:6]) <= 5
        work += 1 << int(stored[4:6])
        return bcrypt.checkpw(password, stored)

    def noted(found: ImportedHash, password: str) -> bool:
        nonlocal foreign
        foreign += 1
        return matches(found, password)

    cases = {
        ssha(b"old password"): 1,
        "elsewhere$": 0,
        "elsewhere$abc": 0,
        BCRYPT_31: 0,
        "{CRYPT}" + BCRYPT_31: 0,
        "$argon2id$v=19$m=4194304,t=1,p=1$c2FsdHNhbHQ$c2FsdHNhbHQ": 0,
        "$scrypt$ln=30,r=8,p=1$c2FsdA$c2FsdHNhbHQ": 0,
        "auth0$[": 0,
        "no hash at all \N{SNOWMAN}": 0,
        "": 0,
    }
    with hasher(world, compare=counted, foreign=noted):
        assert (await world.login("nobody@example.com")).status_code == 403
        assert work == 1 << 5
        for text, comparisons in cases.items():
            await keep(world, user_id, text)
            world.clock.advance(minutes=5)
            for typed, times in (
                (PASSWORD, 1),
                ("pa\N{COMBINING DIAERESIS}ssword", 2),
                ("x" * 100, 1),
                ("x" * 5000, 1),
            ):
                work = foreign = 0
                assert (await world.login(password=typed)).status_code == 403
                assert work == times << 5, (text, typed)
                assert foreign == (comparisons * times if len(typed) < 5000 else 0), (text, typed)


@on_sqlite
async def test_a_hash_that_there_is_no_memory_for_is_not_a_wrong_password(world: World) -> None:
    user_id = await world.person()
    await keep(world, user_id, ssha(b"old password"))

    def lacking(found: ImportedHash, password: str) -> bool:
        raise MemoryError

    with hasher(world, foreign=lacking):
        for _ in range(12):
            assert (await world.login(password="old password")).status_code == 503
    assert (await world.login(password="old password")).status_code == 200


async def test_a_hasher_by_itself() -> None:
    """Bytes will do; what was typed is for those whose spelling is another, or who do not fit."""
    own = BcryptHasher(4, workers=1, queue=1)
    text = ssha(b"old password")
    assert (await own.verify(b"old password", text)).ok
    assert not (await own.verify(None, text)).ok
    found = await own.verify(b"old password", text, typed=Secret("old password"))
    assert found.ok
    assert found.better is not None
    assert (await own.verify(b"old password", found.better)).ok
    assert not (await own.verify(None, found.better, typed=Secret("old password"))).ok
    assert (await own.verify(None, text, typed=Secret("old password"))).better is None
    with pytest.raises(Busy):
        await asyncio.gather(*(own.verify(b"x", text, typed=Secret("x")) for _ in range(3)))
    own.close()
