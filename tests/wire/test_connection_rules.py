"""The rules between a connection's options, over HTTP: each has its text and the status 400, and changes nothing."""

from typing import Any

import pytest

from envelopes import dialect_of
from world import World

pytestmark = pytest.mark.anyio

OFF = {"identifier": {"active": False}}
SHARED = {"email": {"unique": False, **OFF}, "username": {}}
OTP = "one-time codes as a first factor are not available"
BOTH = "Cannot set both options."

RULES: list[tuple[dict[str, Any], str, str]] = [
    (
        {"attributes": {"email": {}}, "requires_username": True},
        "attributes",
        f"{BOTH}attributes and options.requires_username",
    ),
    (
        {"attributes": {"email": {}}, "validation": {"username": {"min": 1, "max": 15}}},
        "attributes",
        f"{BOTH}attributes and options.validation",
    ),
    ({"attributes": {}}, "attributes", "attributes must contain one active identifier"),
    ({"attributes": {"email": OFF}}, "attributes", "attributes must contain one active identifier"),
    *(
        (
            {"attributes": {"email": {}, kind: {"profile_required": True, "signup": {"status": status}}}},
            f"attributes.{kind}",
            f"attribute {kind} must also be required on signup",
        )
        for kind in ("email", "phone_number", "username")
        for status in ("optional", "inactive")
    ),
    (
        {"attributes": {"email": {"unique": False}, "username": {}}},
        "attributes.email.identifier",
        "a non-unique email attribute cannot be an active identifier",
    ),
    (
        {"attributes": {"username": {"validation": {"min_length": 9, "max_length": 8}}}},
        "attributes.username.validation",
        "min_length must not be greater than max_length",
    ),
    ({"attributes": {"email": {"identifier": {"default_method": "email_otp"}}}}, "attributes.email", OTP),
    ({"attributes": {"phone_number": {"identifier": {"default_method": "phone_otp"}}}}, "attributes.phone_number", OTP),
    (
        {"precedence": ["email", "username"]},
        "precedence",
        "precedence must contain email, phone_number and username once each",
    ),
    *(
        ({"password_options": {}, name: value}, "password_options", f"{BOTH}password_options and options.{name}")
        for name, value in {
            "passwordPolicy": "low",
            "password_complexity_options": {"min_length": 8},
            "password_history": {"enable": False},
            "password_dictionary": {"enable": False},
            "password_no_personal_info": {"enable": True},
        }.items()
    ),
    (
        {"password_options": {"complexity": {"character_type_rule": "three_of_four", "character_types": ["number"]}}},
        "password_options.complexity",
        "three_of_four needs all four character types to be listed",
    ),
    (
        {"requires_username": True, "authentication_methods": {"passkey": {"enabled": True}}},
        "authentication_methods.passkey",
        "passkeys need requires_username to be off, or attributes",
    ),
    (
        {"authentication_methods": {"password": {"enabled": False, "api_behavior": "optional"}}},
        "authentication_methods",
        "at least one authentication method must be enabled",
    ),
    (
        {"authentication_methods": {"password": {"enabled": False}, "passkey": {"enabled": True}}},
        "authentication_methods.password",
        "api_behavior must be optional where passwords are off",
    ),
    (
        {"authentication_methods": {"email_otp": {"enabled": True}}},
        "authentication_methods.email_otp.enabled",
        OTP,
    ),
]


def refusal(path: str, text: str) -> dict[str, Any]:
    message = f"Payload validation error: '{text}' on property options.{path}."
    return {"statusCode": 400, "error": "Bad Request", "message": message, "errorCode": "invalid_body"}


@pytest.mark.parametrize(("options", "path", "text"), RULES, ids=[f"{row[1]}: {row[2]}"[:70] for row in RULES])
async def test_options_that_contradict_each_other_are_refused(
    shared_world: World, options: dict[str, Any], path: str, text: str
) -> None:
    """By whoever makes a connection, and by whoever changes one."""
    before = (await shared_world.manage("GET", "/connections")).json()
    body = {"name": "Contradictory", "strategy": "auth0", "options": options}
    for answer in (
        await shared_world.manage("POST", "/connections", body),
        await shared_world.manage("PATCH", f"/connections/{shared_world.connection_id}", {"options": options}),
    ):
        assert (answer.status_code, answer.json()) == (400, refusal(path, text))
        assert dialect_of(answer) == "management"
    assert (await shared_world.manage("GET", "/connections")).json() == before


async def test_whether_several_may_have_an_address_is_settled_when_a_connection_is_made(world: World) -> None:
    path = "attributes.email.unique"
    answer = await world.patch_options(attributes=SHARED)
    assert (answer.status_code, answer.json()) == (400, refusal(path, "cannot add non-unique email attribute"))
    family = await world.new_connection("Family", attributes=SHARED)
    others: list[dict[str, Any]] = [
        {},
        {"attributes": {"username": {}}},
        {"attributes": {"email": OFF, "username": {}}},
    ]
    for options in others:
        answer = await world.manage("PATCH", f"/connections/{family}", {"options": options})
        assert (answer.status_code, answer.json()) == (400, refusal(path, "cannot remove non-unique email attribute"))
    kept = {"attributes": SHARED, "disable_signup": True}
    assert (await world.manage("PATCH", f"/connections/{family}", {"options": kept})).status_code == 200
