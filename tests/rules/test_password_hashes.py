"""Hashes of other systems: what is read, what is refused, and that nothing else ever comes of it."""

import json
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystead.rules.hash_recipes import Argon2, Bcrypt, Crypt, Digest, Pbkdf2, Phpass, Scrypt
from keystead.rules.password_hashes import BadHash, ImportedHash, is_native, of_stored, read_custom, read_text

VECTORS = json.loads((Path(__file__).parents[1] / "data" / "password-hashes.json").read_text(encoding="utf-8"))
BCRYPT = "$2b$10$C9hB01.YxRSTcn/ZOOo4j.TW7xCKKFKBSF.C7E0xiUwumqIDqWUXG"
ARGON2 = "$argon2id$v=19$m={m},t={t},p={p}$J6Q/82PCyaNpYKRELJyTZg$m04qUAB8rexWDR4+/0f+SFB+4XMFxt7YAvAq2UycYos"
SHA256 = {"value": "d24e794fce503c3ddb1cd1ba1dd5d9b250cf9917336a0316fefd87fecf79200f", "encoding": "hex"}
SALTED = {"algorithm": "sha256", "hash": SHA256}
KEYED = {**SHA256, "digest": "sha256", "key": {"value": "736868", "encoding": "hex"}}
NO_HEX = {"value": "k", "encoding": "hex"}
ALGORITHMS = ("argon2", "bcrypt", "hmac", "ldap", "md5", "sha256", "pbkdf2", "scrypt")
SCRYPT = {"algorithm": "scrypt", "hash": SHA256, "keylen": 32}
PBKDF2 = "$pbkdf2-sha256$i={i},l={l}$c2FsdHNhbHQ$" + "A" * 43


def read(row: dict[str, Any]) -> ImportedHash:
    """Read a row of the table of vectors."""
    return read_text(row["text"]) if "text" in row else read_custom(row["custom"])


def custom(algorithm: str, value: object, encoding: object = "utf8", **more: Any) -> dict[str, Any]:
    return {"algorithm": algorithm, "hash": {"value": value, "encoding": encoding}, **more}


@pytest.mark.parametrize("row", VECTORS, ids=[f"{number}-{row['name']}" for number, row in enumerate(VECTORS)])
def test_what_is_stored_is_read_back(row: dict[str, Any]) -> None:
    found = read(row)
    assert found.name == row["name"]
    assert of_stored(found.stored()) == found
    assert found.stored().isascii()
    assert found.milliseconds > 0
    assert row.get("text", "").strip() in (found.stored(), "") or found.name.startswith("keycloak")
    assert is_native(found.stored()) == (found.stored() == row.get("text") and found.stored().startswith("$2"))


def test_every_kind_has_a_vector() -> None:
    kinds = {type(read(row).recipe) for row in VECTORS}
    assert kinds == {Argon2, Bcrypt, Crypt, Digest, Pbkdf2, Phpass, Scrypt}
    algorithms = {row["custom"]["algorithm"] for row in VECTORS if "custom" in row}
    assert algorithms == {*ALGORITHMS, "md4", "sha1", "sha512"}


def test_nothing_of_a_hash_is_printed() -> None:
    for row in VECTORS:
        shown = repr(read(row))
        assert "value" not in row.get("custom", {}) or row["custom"]["hash"]["value"] not in shown
        assert "text" not in row or row["text"] not in shown
        assert "x" * 20 not in shown
    assert "736868" not in repr(read_custom({"algorithm": "hmac", "hash": KEYED}))


@pytest.mark.parametrize(
    ("given", "code", "path"),
    [
        ([], "INVALID_TYPE", ""),
        ({"hash": SHA256}, "OBJECT_REQUIRED", "algorithm"),
        ({"algorithm": "sha256"}, "OBJECT_REQUIRED", "hash"),
        ({"algorithm": "sha3", "hash": SHA256}, "ENUM_MISMATCH", "algorithm"),
        ({"algorithm": "SHA256", "hash": SHA256}, "ENUM_MISMATCH", "algorithm"),
        ({"algorithm": 256, "hash": SHA256}, "INVALID_TYPE", "algorithm"),
        ({"algorithm": "sha256", "hash": "d24e"}, "INVALID_TYPE", "hash"),
        ({"algorithm": "sha256", "hash": {"encoding": "hex"}}, "OBJECT_REQUIRED", "hash.value"),
        ({"algorithm": "sha256", "hash": {"value": SHA256["value"]}}, "OBJECT_REQUIRED", "hash.encoding"),
        (SALTED | {"rounds": 2}, "NOT_PASSED", ""),
        (SALTED | {"hash": {**SHA256, "pepper": ""}}, "NOT_PASSED", "hash"),
        (SALTED | {"hash": {**SHA256, "digest": "md5"}}, "NOT_PASSED", "hash.digest"),
        (SALTED | {"hash": {**SHA256, "key": {"value": ""}}}, "NOT_PASSED", "hash.key"),
        (SALTED | {"cost": 2}, "NOT_PASSED", "cost"),
        (SALTED | {"keylen": 32}, "NOT_PASSED", "keylen"),
        (custom("sha256", SHA256["value"]), "ENUM_MISMATCH", "hash.encoding"),
        (custom("sha256", None, "hex"), "INVALID_TYPE", "hash.value"),
        (custom("sha256", "zz" * 32, "hex"), "PATTERN", "hash.value"),
        (custom("sha256", "d24", "hex"), "PATTERN", "hash.value"),
        (custom("sha256", "", "hex"), "PATTERN", "hash.value"),
        (custom("sha256", "ab" * 31, "hex"), "PATTERN", "hash.value"),
        (custom("md5", "ü" * 22, "base64"), "PATTERN", "hash.value"),
        (custom("sha1", "\ud800", "hex"), "PATTERN", "hash.value"),
        (custom("sha1", "a" * 5000, "hex"), "MAX_LENGTH", "hash.value"),
        (SALTED | {"salt": "abc"}, "INVALID_TYPE", "salt"),
        (SALTED | {"salt": {}}, "OBJECT_REQUIRED", "salt.value"),
        (SALTED | {"salt": {"value": 1}}, "INVALID_TYPE", "salt.value"),
        (SALTED | {"salt": {"value": "s" * 513}}, "MAXIMUM", "salt.value"),
        (SALTED | {"salt": {"value": "x", "encoding": "hex"}}, "PATTERN", "salt.value"),
        (SALTED | {"salt": {"value": "x", "encoding": "latin1"}}, "ENUM_MISMATCH", "salt.encoding"),
        (SALTED | {"salt": {"value": "x", "position": "middle"}}, "ENUM_MISMATCH", "salt.position"),
        (SALTED | {"password": {"encoding": "utf-8"}}, "ENUM_MISMATCH", "password.encoding"),
        (SALTED | {"password": {"encoding": ["utf8"]}}, "INVALID_TYPE", "password.encoding"),
        (SALTED | {"password": None}, "INVALID_TYPE", "password"),
        (custom("argon2", ARGON2.format(m=65536, t=2, p=1), salt={"value": "x"}), "NOT_PASSED", "salt"),
        (custom("ldap", "{MD5}fg9gFugfIyDJZk8GkjDopg==", salt={"value": "x"}), "NOT_PASSED", "salt"),
        (custom("pbkdf2", PBKDF2.format(i=1, l=32), salt={"value": "x"}), "NOT_PASSED", "salt"),
        (custom("argon2", ARGON2.format(m=65536, t=2, p=1), "hex"), "ENUM_MISMATCH", "hash.encoding"),
        (custom("argon2", BCRYPT), "PATTERN", "hash.value"),
        (custom("bcrypt", "$2x" + BCRYPT[3:]), "PATTERN", "hash.value"),
        (custom("bcrypt", BCRYPT.replace("$10$", "$+4$")), "PATTERN", "hash.value"),
        (custom("bcrypt", BCRYPT + "\n"), "PATTERN", "hash.value"),
        (custom("bcrypt", BCRYPT, "base64"), "ENUM_MISMATCH", "hash.encoding"),
        (custom("ldap", "{CRYPT}" + BCRYPT), "PATTERN", "hash.value"),
        (custom("ldap", "{CLEARTEXT}secret"), "PATTERN", "hash.value"),
        (custom("ldap", "fg9gFugfIyDJZk8GkjDopg=="), "PATTERN", "hash.value"),
        ({"algorithm": "hmac", "hash": SHA256}, "OBJECT_REQUIRED", "hash.digest"),
        ({"algorithm": "hmac", "hash": {**SHA256, "digest": "sha256"}}, "OBJECT_REQUIRED", "hash.key"),
        ({"algorithm": "hmac", "hash": {**KEYED, "digest": "sha3"}}, "ENUM_MISMATCH", "hash.digest"),
        ({"algorithm": "hmac", "hash": {**KEYED, "key": {"value": "k" * 513}}}, "MAXIMUM", "hash.key.value"),
        ({"algorithm": "hmac", "hash": KEYED | {"key": NO_HEX}}, "PATTERN", "hash.key.value"),
        ({"algorithm": "hmac", "hash": {**KEYED, "encoding": "utf8"}}, "ENUM_MISMATCH", "hash.encoding"),
        (custom("pbkdf2", "$pbkdf2-mdc2$i=10,l=16$c2FsdA$" + "A" * 22), "ENUM_MISMATCH", "hash.value"),
        (custom("pbkdf2", "$pbkdf2-RSA-MDC2$i=10,l=16$c2FsdA$" + "A" * 22), "ENUM_MISMATCH", "hash.value"),
        (custom("pbkdf2", "$pbkdf2-sha3$i=10,l=16$c2FsdA$" + "A" * 22), "ENUM_MISMATCH", "hash.value"),
        (custom("pbkdf2", PBKDF2.format(i=1, l=64)), "PATTERN", "hash.value"),
        ({"algorithm": "scrypt", "hash": SHA256}, "OBJECT_REQUIRED", "keylen"),
        (SCRYPT | {"keylen": "32"}, "INVALID_TYPE", "keylen"),
        (SCRYPT | {"keylen": True}, "INVALID_TYPE", "keylen"),
        (SCRYPT | {"keylen": 0}, "MINIMUM", "keylen"),
        (SCRYPT | {"keylen": 31}, "PATTERN", "hash.value"),
        (SCRYPT | {"hash": {"value": "ab", "encoding": "hex"}, "keylen": 1}, "MINIMUM", "keylen"),
        (SCRYPT | {"cost": 1}, "MINIMUM", "cost"),
        (SCRYPT | {"cost": 1000}, "PATTERN", "cost"),
        (SCRYPT | {"cost": 1.5}, "INVALID_TYPE", "cost"),
        (SCRYPT | {"cost": None}, "INVALID_TYPE", "cost"),
        (SCRYPT | {"blockSize": 0}, "MINIMUM", "blockSize"),
        (SCRYPT | {"parallelization": -1}, "MINIMUM", "parallelization"),
    ],
)  # fmt: skip
def test_refused_objects(given: Any, code: str, path: str) -> None:
    with pytest.raises(BadHash) as refused:
        read_custom(given)
    assert (refused.value.code, refused.value.path) == (code, path)
    assert refused.value.text


HOSTILE = [
    BCRYPT.replace("$10$", "$15$"),
    BCRYPT.replace("$10$", "$31$"),
    "{CRYPT}" + BCRYPT.replace("$10$", "$31$"),
    "bcrypt_sha256$" + BCRYPT.replace("$10$", "$31$"),
    "$wp$2y$31$" + BCRYPT[7:],
    ARGON2.format(m=4_194_304, t=1, p=1),
    ARGON2.format(m=262_144, t=5, p=1),
    ARGON2.format(m=8, t=131_073, p=1),
    ARGON2.format(m=65536, t=1, p=65),
    ARGON2.format(m=999_999_999_999, t=999_999_999_999, p=1),
    "{ARGON2}" + ARGON2.format(m=4_194_304, t=1, p=1),
    PBKDF2.format(i=5_000_001, l=32),
    f"$pbkdf2-sha1$i=2000001,l=100$c2FsdA${'A' * 134}",
    f"$pbkdf2-md4$i=100001,l=16$c2FsdA${'A' * 22}",
    f"$pbkdf2-md4$i=100000,l=65$c2FsdA${'A' * 87}",
    f"$pbkdf2-whirlpool$i=501,l=64$c2FsdA${'A' * 86}",
    f"pbkdf2_sha256$5000001$salt${'A' * 43}=",
    f"pbkdf2:sha256:99999999$salt${'a' * 64}",
    f"scrypt$1073741824$salt$8$1${'A' * 86}==",
    f"scrypt:1048576:8:3$salt${'a' * 128}",
    f"scrypt:16384:8:16385$salt${'a' * 128}",
    f"$scrypt$ln=30,r=8,p=1$c2FsdA${'A' * 43}",
    f"$scrypt$ln=21,r=8,p=1$c2FsdA${'A' * 43}",
    f"$firescrypt$ln=30,r=8,p=1$c2FsdA${'A' * 43}$Bw==${'A' * 43}",
    f"$5$rounds=999999999$salt${'A' * 43}",
    f"$6$rounds=1000001$salt${'A' * 86}",
    f"$sha512-crypt$rounds=1000001$salt${'A' * 86}",
    "$P$J" + "a" * 29 + ".",
    "$H$z" + "a" * 29 + ".",
    "AQAAAAF/////AAAAEAABAgMEBQYHCAkKCwwNDg+yWU7rLgUwPZb1Itsmra7cbxw2EFpwpVFIEtP+JIuUEw==",
    json.dumps(
        {
            "credentialData": {"hashIterations": 10**30, "algorithm": "pbkdf2-sha256"},
            "secretData": {"value": "A" * 86, "salt": "AAAA"},
        }
    ),
    "auth0$" + json.dumps(SCRYPT | {"cost": 1 << 30}),
    "auth0$" + json.dumps(SCRYPT | {"cost": 1 << 20, "blockSize": 8, "parallelization": 1 << 10}),
    "auth0$" + json.dumps(custom("bcrypt", BCRYPT.replace("$10$", "$31$"))),
]
"""What would hold a core for minutes, or take all memory, if it were computed."""


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_parameters_are_refused_without_any_work(text: str) -> None:
    """Counted in calls of functions, C's too: a thousand take far less than the five milliseconds that there are."""
    calls = 0

    def count(*_: object) -> None:
        nonlocal calls
        calls += 1

    sys.setprofile(count)
    try:
        with pytest.raises(BadHash) as refused:
            of_stored(text)
    finally:
        sys.setprofile(None)
    assert refused.value.code == "MAXIMUM"
    assert calls < 1000


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "secret",
        "!",
        "!xTk5",
        "*",
        "x",
        "elsewhere$",
        "elsewhere$0123456789abcdef",
        "auth0$",
        "auth0$[]",
        "auth0$" + "[" * 3000,
        "auth0$" + "{" * 5000,
        "$",
        "$2b$",
        BCRYPT[:-1],
        BCRYPT.replace("$10$", "$03$"),
        BCRYPT.replace("$2b$", "$2x$"),
        BCRYPT + "é",
        "$y$j9T$salt$hash",
        "$7$CU..../....salt$hash",
        "$argon2id$v=19$m=65536,t=2$c2FsdHNhbHQ$c2FsdHNhbHQ",
        "$argon2id$v=19$m=65536,t=2,p=1,data=AA$c2FsdHNhbHQ$c2FsdHNhbHQ",
        "$argon2id$v=18$m=65536,t=2,p=1$c2FsdHNhbHQ$c2FsdHNhbHQ",
        "$argon2id$v=19$m=65536,t=2,p=1$c2FsdHNhbHQ$",
        "$argon2id$v=19$m=7,t=2,p=1$c2FsdHNhbHQ$c2FsdHNhbHQ",
        "$argon2id$v=19$m=65536,t=0,p=1$c2FsdHNhbHQ$c2FsdHNhbHQ",
        "$pbkdf2-sha256$i=1000,l=0$c2FsdA$",
        "$pbkdf2-sha256$i=0,l=32$c2FsdA$" + "A" * 43,
        "$pbkdf2-sha256$" + "1" * 5000 + "$c2FsdA$" + "A" * 43,
        "$scrypt$ln=0,r=8,p=1$c2FsdA$" + "A" * 43,
        "$scrypt$ln=99,r=8,p=1$c2FsdA$" + "A" * 43,
        "$firescrypt$ln=14,r=8,p=1$c2FsdA$" + "A" * 43 + "$Bw==$AAAA",
        "$1$saltsaltsalt$" + "a" * 22,
        "$5$rounds=999$salt$" + "a" * 43,
        "$6$salt$" + "a" * 85,
        "$P$B" + "a" * 29,
        "$P$Baaaaaaaaaaaaaaaaaaaaaaaaaaaaaaz",
        "{SSHA}",
        "{SSHA",
        "{SSHA}gNmMpIzfWdmHR7ZEflSON1ppjww=",
        "{SHA}8qXMIArbGMtssMNLtYbzNeyae425VyoF",
        "{SSHA}not base64 at all",
        "{CRYPT}abJnggxhB/yWI",
        "{CRYPT}{CRYPT}" + BCRYPT,
        "{bcrypt}{SSHA}8qXMIArbGMtssMNLtYbzNeyae425VyoF",
        "{noop}secret",
        "{}",
        "{ }",
        '{"credentialData": "{", "secretData": "{}"}',
        '{"credentialData": {"algorithm": "pbkdf2-sha256"}, "secretData": {"value": "AAAA", "salt": "AAAA"}}',
        '{"credentialData": {"algorithm": [], "hashIterations": 1}, "secretData": {"value": "AAAA", "salt": "AAAA"}}',
        "$sha256$pf=e1NBTFR9$NW9w$0gfRVLCvtBCk20udLDEY5vNhujWx7RGjwRIS1ebMsLY=",
        "$hmac-sha256$AAAA$AAAA",
        "AAABAgMEBQYHCAkKCwwNDg+ukCEMDf0yyQ29NYubggHIVY0sdEUfdyeM+E1LtH1u",
        "AQAAAAkAACcQAAAAEAABAgMEBQYHCAkKCwwNDg+yWU7rLgUwPZb1Itsmra7cbxw2EFpwpVFIEtP+JIuUEw==",
        "AQAAAAEAACcQ/////wABAgMEBQYHCAkKCwwNDg+yWU7rLgUwPZb1Itsmra7cbxw2EFpwpVFIEtP+JIuUEw==",
        "md5$salt$" + "a" * 31,
        "pbkdf2_sha256$1000$sält$" + "A" * 43,
        "5f4dcc3b5aa765d61d8327deb882cf99",
    ],
)
def test_refused_texts(text: str) -> None:
    with pytest.raises(BadHash) as refused:
        of_stored(text)
    assert refused.value.text
    assert len(text) < 10 or text not in refused.value.text
    assert not is_native(text)


def test_the_bounds_themselves_are_taken() -> None:
    for text in (
        BCRYPT.replace("$10$", "$14$"),
        ARGON2.format(m=262_144, t=4, p=64),
        PBKDF2.format(i=5_000_000, l=32),
        f"$scrypt$ln=20,r=8,p=2$c2FsdA${'A' * 43}",
        f"$6$rounds=1000000$salt${'A' * 86}",
    ):
        assert of_stored(text).stored() == text


def test_a_password_in_clear_is_called_one() -> None:
    with pytest.raises(BadHash, match="a password in clear"):
        read_text("{noop}secret")


def test_what_is_too_long_to_be_stored_is_refused() -> None:
    key = {**KEYED, "key": {"value": "\x01" * 500}}
    long = {"algorithm": "hmac", "hash": key, "salt": {"value": "\x01" * 500}}
    with pytest.raises(BadHash, match="longer than 4000 characters"):
        read_custom(long)
    with pytest.raises(BadHash) as refused:
        read_text("x" * 4001)
    assert refused.value.code == "MAX_LENGTH"


@pytest.mark.parametrize("cost", ["04", "10", "16"])
@pytest.mark.parametrize("ident", ["2a", "2b", "2y"])
def test_native(cost: str, ident: str) -> None:
    text = f"${ident}${cost}${BCRYPT[7:]}"
    assert is_native(text)
    assert not is_native(text + "\n")
    assert not is_native(f"${ident}$17${BCRYPT[7:]}")


ALPHABET = st.sampled_from("$2ab{}AQ/+=.,:!*0159mtplrin-_\"'\\é\ud800\0 \n" + "argon2idscryptpbkdf2_sha256")
PIECES = st.sampled_from(
    [*{row["text"][:width] for row in VECTORS if "text" in row for width in (4, 8, 12, 30)}, *HOSTILE, "{", "$", "}"]
)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)
MEMBER = JSON | st.sampled_from(["hex", "base64", "utf8", "prefix", "sha256", "md4", "latin1", "ab" * 32, BCRYPT])
OBJECTS = st.fixed_dictionaries(
    {"algorithm": st.sampled_from(ALGORITHMS) | JSON},
    optional={
        "hash": st.dictionaries(st.sampled_from(["value", "encoding", "digest", "key"]), MEMBER) | JSON,
        "salt": st.dictionaries(st.sampled_from(["value", "encoding", "position"]), MEMBER) | JSON,
        "password": st.dictionaries(st.just("encoding"), MEMBER) | JSON,
        **dict.fromkeys(("keylen", "cost", "blockSize", "parallelization", "more"), JSON),
    },
)


@given(st.text(ALPHABET) | st.tuples(PIECES, st.text(ALPHABET)).map("".join) | st.text())
def test_a_text_is_read_or_refused(text: str) -> None:
    with suppress(BadHash):
        assert of_stored(text).stored() == text.strip() or text.strip().startswith(("{", "auth0$"))


@given(OBJECTS | JSON)
def test_an_object_is_read_or_refused(given: Any) -> None:
    with suppress(BadHash):
        found = read_custom(given)
        assert of_stored(found.stored()) == found
