"""What a script returns of a person: strictly read where it says who they are, leniently where it decorates (5.3)."""

from typing import Any

import pytest

from keystead.rules.connection_options import ConnectionOptions
from keystead.rules.connections import new_options, read_options
from keystead.rules.identifiers import Identifier
from keystead.rules.returned_profiles import UnusableProfile, hashes_in, is_mark, new_account, read, spelled

ANN: dict[str, Any] = {"user_id": "7", "email": "Ann@Example.com"}


def options(**more: Any) -> ConnectionOptions:
    custom = {"enabledDatabaseCustomization": True, "customScripts": {"login": "x"}}
    return read_options(new_options({**custom, **more}))


WRONG_IDS: tuple[Any, ...] = (
    None,
    True,
    [],
    {},
    7.5,
    "",
    "a b",
    "a\0b",
    "a\ud800b",
    "a/b",
    "a\nb",
    "a\u200bb",
    "x" * 256,
)
NAMED = options(attributes={"email": {"profile_required": True}, "username": {"signup": {"status": "optional"}}})


@pytest.mark.parametrize(
    ("given", "id"),
    [
        ({"user_id": "7"}, "7"),
        ({"user_id": 7}, "7"),
        ({"user_id": 0}, "0"),
        ({"user_id": 7.0}, "7"),
        ({"id": 7}, "7"),
        ({"user_id": "", "id": "7"}, "7"),
        ({"user_id": "shop|7"}, "shop|7"),
        ({"user_id": "x" * 255}, "x" * 255),
    ],
)
def test_ids_are_text(given: dict[str, Any], id: str) -> None:
    assert read(given | {"email": "ann@example.com"}, options()).user_id == f"auth0|{id}"


@pytest.mark.parametrize(
    "value",
    [
        *(None, True, 7, "ann", [ANN], {}, {"email": "ann@example.com"}),
        *({**ANN, "user_id": wrong} for wrong in WRONG_IDS),
        {"user_id": "7"},
        {"user_id": "7", "email": "nonsense"},
        {"user_id": "7", "email": "an\0n@example.com"},  # which is not the address with half of a pair there
        ANN | {"email_verified": "yes"},
        ANN | {"name": 7},
        ANN | {"user_metadata": []},
        ANN | {"app_metadata": {"a.b": 1}},
        ANN | {"app_metadata": {"long": "x" * 200_000}},
        ANN | {"long": "x" * 200_000},
        ANN | {"infinite": float("inf")},
    ],
)
def test_what_is_nobodys_profile_is_refused(value: object) -> None:
    with pytest.raises(UnusableProfile):
        read(value, options())


def test_a_profile_that_is_too_deep_is_refused() -> None:
    deep: list[Any] = []
    for _ in range(1000):
        deep = [deep]
    with pytest.raises(UnusableProfile):
        read(ANN | {"deep": deep}, options())


def test_identifiers_are_canonical_and_keep_their_spelling_for_scripts() -> None:
    found = read(ANN, options())
    assert found.identifiers == {"email": "ann@example.com"}
    ann = Identifier("email", "ann@example.com")
    assert spelled(found.extras, ann) == "Ann@Example.com"
    assert spelled(found.extras, Identifier("email", "bob@example.com")) == "bob@example.com", "once it has changed"
    assert spelled({}, ann) == "ann@example.com"


def test_an_identifier_that_cannot_be_read_locks_nobody_out() -> None:
    phones = options(attributes={"email": {}, "phone_number": {"signup": {"status": "optional"}}})
    assert read(ANN | {"phone_number": "0171 123"}, phones).identifiers["phone_number"] is None
    assert read(ANN | {"username": "ann"}, options()).identifiers == {"email": "ann@example.com"}, "no such kind here"
    with pytest.raises(UnusableProfile, match="a profile needs email"):
        read({"user_id": "7", "username": "ann"}, NAMED)


def test_who_was_found_by_an_identifier_has_it() -> None:
    by = Identifier("email", "ann@example.com", typed="ANN@example.com")
    found = read({"user_id": "7"}, NAMED, [by])
    assert found.identifiers["email"] == "ann@example.com"
    assert spelled(found.extras, by) == "ANN@example.com"
    assert read({"user_id": "7", "email": "else@example.com"}, NAMED, [by]).identifiers["email"] == "else@example.com"


@pytest.mark.parametrize("said", [{"email": None}, {"email": ""}, {"email": "nonsense"}, {}])
def test_what_was_typed_is_nobodys_address_where_it_is_their_username(said: dict[str, Any]) -> None:
    """Whoever has somebody's address for a username logs in by it, and it stays somebody's."""
    own = options(attributes={"email": {}, "username": {"signup": {"status": "optional"}}})
    by = Identifier("email", "victim@corp.com", typed="Victim@corp.com")
    found = read({"user_id": "7", "username": "victim@corp.com"} | said, own, [by])
    assert (found.identifiers.get("email"), found.identifiers["username"]) == (None, "victim@corp.com")
    assert "email" not in found.extras.get("as_spelled", {})
    by = Identifier("username", "victim@corp.com", (Identifier("email", "victim@corp.com"),), "victim@corp.com")
    assert "username" not in read({"user_id": "7", "email": "Victim@Corp.com"}, own, [by]).identifiers


def test_what_the_profile_says_is_none_is_none() -> None:
    own = options(attributes={"email": {}, "username": {"signup": {"status": "optional"}}})
    by = Identifier("email", "ann@example.com", typed="ann@example.com")
    assert read({"user_id": "7", "username": "ann", "email": None}, own, [by]).identifiers["email"] is None
    assert read({"user_id": "7", "username": "ann"}, own, [by]).identifiers["email"] == "ann@example.com"
    with pytest.raises(UnusableProfile, match="a profile needs email"):
        read({"user_id": "7", "email": None}, own, [by])


def test_what_is_stored_of_the_rest() -> None:
    given = ANN | {
        "name": "A" * 400,
        "nickname": None,
        "picture": "javascript:alert(1)",
        "email_verified": 1,
        "city": "Ber\0lin",
        "gender": "secret",
        "nothing": None,
        "blocked": True,
        "identities": [{"evil": True}],
        "logins_count": 7,
        "password": "x",
        "passwordHash": "$2b$x",
        "salt": "x",
        "access_token": "at",
        "mfa_factors": [{"totp": {"secret": "S"}}],
    }
    found = read(given, options(non_persistent_attrs=["gender"]))
    assert (found.names["name"], found.names["nickname"]) == ("A" * 300, None)
    assert "picture" not in found.names
    assert found.email_verified is True
    assert found.others == {"city": "Ber\ufffdlin"}
    assert found.extras == {
        "access_token": "at",
        "mfa_factors": [{"totp": {"secret": "S"}}],
        "as_spelled": {"email": "Ann@Example.com"},
    }
    draft = new_account(found, options(), None)
    assert (draft.local_id, draft.email_verified, draft.blocked) == ("7", True, None)


HASHES = (
    *("password", "passwd", "pass", "user_pass", "userPass", "pass_hash", "passphrase", "passcode", "pwd", "user_pwd"),
    *("pw", "pw_2", "hashed_pw", "userPw", "pw-hash", "hash", "passwordHash", "bcrypt_hash", "salt", "PasswordSalt"),
    *("secret", "client_secret", "digest", "password_digest", "sha1Digest"),
)
HARMLESS = (
    *("passport", "passport_number", "passengers", "compass", "passions", "hashtag", "hashtags", "geohash"),
    *("secretary", "pwa_installed", "spwan", "city"),
)


@pytest.mark.parametrize("name", HASHES)
def test_no_hash_is_kept_at_any_depth(name: str) -> None:
    given = ANN | {name: "x", "account": {name: "x", "plan": "gold"}, "logins": [{"by": [{name: "x"}]}]}
    assert read(given, options()).others == {"account": {"plan": "gold"}, "logins": [{"by": [{}]}]}
    assert sorted(hashes_in(given)) == sorted([name, f"account.{name}", f"logins.0.by.0.{name}"])


@pytest.mark.parametrize("name", HARMLESS)
def test_what_only_sounds_like_a_hash_is_kept(name: str) -> None:
    given = ANN | {name: "x", "account": {name: "x"}}
    assert read(given, options()).others == {name: "x", "account": {name: "x"}}


def test_what_is_read_on_purpose_is_no_hash() -> None:
    read_here = {"last_password_reset": "2020", "access_token": "at", "mfa_factors": [{"totp": {"secret": "S"}}]}
    assert list(hashes_in(ANN | read_here)) == []
    deep: dict[str, Any] = {}
    for _ in range(2000):
        deep = {"a": deep}
    assert list(hashes_in({"deep": deep})) == []


def test_no_hash_of_ours_is_a_mark() -> None:
    assert is_mark("elsewhere$x")
    assert not any(is_mark(each) for each in (None, "", "$2b$10$x", "elsewhere"))
