"""The Signal API: exactly what is said, and what is never said."""

from dataclasses import replace

from keystead.rules.signals import Holder, Signal, of_owner, of_passkey, unknown

HANDLE, ONE, TWO, THREE = b"\xff\xfe" * 16, b"\xfb\xff\xfe", b"two", b"three"
ANN = Holder(
    handle=HANDLE,
    name="ann@example.com",
    display_name="Ann",
    passkeys={"login.example.com": (ONE, TWO), "old.example.com": (THREE,), "new.example.com": ()},
)
USER_ID = "__7__v_-__7__v_-__7__v_-__7__v_-__7__v_-__4"


def accepted(rp_id: str, *ids: str) -> Signal:
    options = {"rpId": rp_id, "userId": USER_ID, "allAcceptedCredentialIds": list(ids)}
    return Signal("allAcceptedCredentials", options)


def named(rp_id: str) -> Signal:
    options = {"rpId": rp_id, "userId": USER_ID, "name": "ann@example.com", "displayName": "Ann"}
    return Signal("currentUserDetails", options)


def test_whoever_is_signed_in_is_told_both_for_each_rp_id() -> None:
    assert of_owner(ANN) == (
        accepted("login.example.com", "-__-", "dHdv"),
        accepted("old.example.com", "dGhyZWU"),
        accepted("new.example.com"),
        named("login.example.com"),
        named("old.example.com"),
        named("new.example.com"),
    )


def test_whose_passkey_it_was_is_told_no_name() -> None:
    """Whoever sits at the browser by then may be somebody else."""
    assert of_passkey(ANN) == of_owner(ANN)[:3]


def test_nothing_of_a_blocked_account_is_accepted() -> None:
    """Its passkeys are hidden, by a list that can be taken back; never said to be unknown, which deletes them."""
    blocked = of_passkey(replace(ANN, blocked=True))
    assert blocked == (accepted("login.example.com"), accepted("old.example.com"), accepted("new.example.com"))


def test_what_nobody_owns_is_named_as_it_was_sent() -> None:
    assert unknown("login.example.com", "-__-") == (
        Signal("unknownCredential", {"rpId": "login.example.com", "credentialId": "-__-"}),
    )


def test_an_account_never_says_unknown() -> None:
    for blocked in (True, False):
        said = (*of_owner(replace(ANN, blocked=blocked)), *of_passkey(replace(ANN, blocked=blocked)))
        assert "unknownCredential" not in {each.type for each in said}
