"""The page about hashes of other systems: its examples are of the password that it names, and its limits are those."""

import json
import re
from pathlib import Path

import pytest

from keystead.rules import hash_recipes as bounds
from keystead.rules.password_hashes import STORED_CHARS, ImportedHash, of_stored, read_custom, read_text
from keystead.users.imported_hashes import matches

PAGE = (Path(__file__).parents[2] / "docs" / "password-hashes.md").read_text(encoding="utf-8")
PASSWORD = "open sesame"


def blocks(kind: str) -> list[str]:
    """Return what stands between fences of a kind."""
    return re.findall(rf"^```{kind}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


TEXTS = [line for block in blocks("text") for line in block.splitlines()]
OBJECTS = [block.strip() for block in blocks("json")]


def read(example: str) -> ImportedHash:
    """Read an example as a row of an import has it."""
    if example in TEXTS or "custom_password_hash" not in example:
        return read_text(example)
    return read_custom(json.loads(example)["custom_password_hash"])


@pytest.mark.parametrize("example", TEXTS + OBJECTS)
def test_examples(example: str) -> None:
    found = read(example)
    assert matches(of_stored(found.stored()), PASSWORD)
    if found.milliseconds < 20:
        assert not matches(found, PASSWORD + "!")


def test_firebase() -> None:
    """The recipe of the page, with the figures that Firebase publishes."""
    (recipe,) = blocks("python")
    space: dict[str, object] = {}
    exec(recipe, space)  # noqa: S102  # the page's own
    project = {
        "mem_cost": 14,
        "rounds": 8,
        "base64_salt_separator": "Bw==",
        "base64_signer_key": "jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==",
    }
    user = {
        "salt": "42xEC+ixf3L2lw==",
        "passwordHash": "lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ==",
    }
    of_firebase = space["of_firebase"]
    assert callable(of_firebase)
    assert matches(read_text(of_firebase(user, project)), "user1password")


def test_limits() -> None:
    rows = dict(re.findall(r"^\| ([\w ,:]+) \| ([^|]+) \|$", PAGE.partition("## Limits")[2], re.MULTILINE))
    told = {name: [int(number) for number in re.findall(r"[0-9]+", value)] for name, value in rows.items()}
    assert told == {
        "bcrypt: cost": [bounds.MOST_BCRYPT],
        "argon2: memory": [bounds.MOST_ARGON2_KIB],
        "argon2: memory times passes": [bounds.MOST_ARGON2_WORK],
        "argon2: lanes": [bounds.MOST_ARGON2_LANES],
        "PBKDF2: rounds": [bounds.MOST_PBKDF2, 2 * bounds.MOST_PBKDF2],
        "scrypt: cost times block size times parallelization": [bounds.MOST_SCRYPT, bounds.MOST_SCRYPT // 2],
        "crypt: rounds of SHA": [bounds.MOST_CRYPT],
        "phpass: rounds": [2, bounds.MOST_PHPASS],
        "salts, keys, separators": [bounds.MOST_SALT],
        "hashes": [bounds.LEAST_DIGEST, bounds.MOST_DIGEST],
        "what is stored": [STORED_CHARS],
    }


def test_every_format_has_an_example() -> None:
    """Of each of the names that reports know, but for kin of the same function."""
    kin = {"kratos", "django", "ldap", "werkzeug", "keycloak", "firebase", "aspnet", "custom", "wordpress"}
    names = {read(example).name for example in TEXTS + OBJECTS}
    assert {name.split(" ")[0] for name in names if " " in name} == kin
    plain = {"bcrypt", "argon2id", "pbkdf2-sha256", "scrypt", "md5-crypt", "apr1-crypt", "sha256-crypt", "sha512-crypt"}
    assert {name for name in names if " " not in name} == plain | {"phpass"}
