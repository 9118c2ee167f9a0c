"""Many at once: every limit and every one-time thing holds, on both databases."""

import asyncio
import json
from collections import Counter
from collections.abc import Coroutine
from typing import Any

import httpx
import pytest

from account import SCOPE, MyAccount
from authenticator import Authenticator, Flaw
from conftest import Stencil
from keystead.db import tables
from keystead.rules.passkey_terms import PasskeyPolicy
from keystead.settings import Settings
from visitor import CALLBACK, Visitor, exchange
from world import PASSWORD, PUBLIC_URL, World, open_world

COST_12 = "$2b$12$NobodyHasThisPasswordu" + "." * 31
BLOCKED = "Your account has been blocked after multiple consecutive login attempts."


async def at_once(*requests: Coroutine[Any, Any, httpx.Response]) -> list[httpx.Response]:
    return await asyncio.gather(*requests)


def statuses(answers: list[httpx.Response]) -> Counter[int]:
    return Counter(answer.status_code for answer in answers)


# --- passwords ---------------------------------------------------------------------------------------------------


async def test_of_60_guesses_at_once_ten_are_tried(world: World) -> None:
    await world.person()
    answers = await at_once(*(world.login(password=f"guess {number}") for number in range(60)))
    assert statuses(answers) == {403: 10, 429: 50}
    assert world.hasher.verified == 10
    month = 30 * 86_400
    refused = [answer for answer in answers if answer.status_code == 429]
    assert {answer.json()["error"] for answer in refused} == {"too_many_attempts"}
    blocked = [answer for answer in refused if answer.json()["error_description"] == BLOCKED]
    assert {month - 60 <= int(answer.headers["retry-after"]) <= month for answer in blocked} == {True}
    assert Counter(await world.journal()) == {"ss": 1, "svr": 1, "fp": 10, "limit_wc": 50}


async def test_the_right_password_does_not_help_beyond_the_limit(world: World) -> None:
    await world.person()
    await at_once(*(world.guess() for _ in range(10)))
    before = world.hasher.verified
    answer = await world.login()
    assert answer.status_code == 429
    assert world.hasher.verified == before


async def test_success_forgives(world: World) -> None:
    await world.person()
    for _ in range(2):
        await at_once(*(world.guess() for _ in range(9)))
        assert (await world.login()).status_code == 200
        world.clock.advance(minutes=2)  # so many in one minute would be too many, whether right or wrong
    assert statuses(await at_once(*(world.guess() for _ in range(11)))) == {403: 10, 429: 1}


async def test_one_person_s_success_does_not_forgive_another_s_failures(world: World) -> None:
    await world.person()
    await world.person("eve@example.com")
    for _ in range(10):
        await world.guess()
        assert (await world.login("eve@example.com")).status_code == 200
    assert (await world.login()).status_code == 429


async def test_another_spelling_is_the_same_person(world: World) -> None:
    await world.person()
    spellings = ("ann@example.com", "ANN@example.com", " ann@example.com", "Ann@EXAMPLE.com ", "ann@EXAMPLE.COM")
    answers = await at_once(*(world.guess(spelling) for spelling in spellings * 3))
    assert statuses(answers) == {403: 10, 429: 5}
    assert world.hasher.verified == 10


async def test_another_person_and_another_connection_are_not_blocked(world: World) -> None:
    await world.new_connection("Second")
    await world.signup(connection="Second")
    await world.person()
    await world.person("bob@example.com")
    await at_once(*(world.guess() for _ in range(10)))
    assert (await world.login("bob@example.com")).status_code == 200
    assert (await world.login(realm="Second")).status_code == 200


async def test_nobody_is_blocked_like_somebody(world: World) -> None:
    for identifier in ("nobody@example.com", "no identifier at all", "x" * 9000):
        answers = await at_once(*(world.guess(identifier) for _ in range(15)))
        assert statuses(answers) == {403: 10, 429: 5}
        assert next(answer.json() for answer in answers if answer.status_code == 429) == {
            "error": "too_many_attempts",
            "error_description": BLOCKED,
        }


async def test_the_block_ends_after_thirty_days(world: World) -> None:
    await world.person()
    await at_once(*(world.guess() for _ in range(10)))
    world.clock.advance(days=29, hours=23)
    refused = await world.login()
    assert refused.status_code == 429
    world.clock.advance(seconds=int(refused.headers["retry-after"]))
    assert (await world.login()).status_code == 200


async def test_hammering_does_not_prolong_the_block(world: World) -> None:
    await world.person()
    await at_once(*(world.guess() for _ in range(10)))
    for _ in range(3):
        world.clock.advance(days=10)
        last = await world.guess()
    assert last.status_code == 403


async def test_protection_can_be_switched_off_and_on(world: World) -> None:
    await world.patch_options(brute_force_protection=False)
    await world.person()
    assert statuses(await at_once(*(world.guess() for _ in range(12)))) == {403: 12}
    await world.patch_options(brute_force_protection=True)
    world.clock.advance(minutes=2)
    assert statuses(await at_once(*(world.guess() for _ in range(12)))) == {403: 10, 429: 2}


async def test_the_hosted_pages_count_with_the_api(world: World) -> None:
    await world.person()
    visitor = Visitor.of(world)
    landed = await visitor.send((await visitor.authorize()).form("/login/identifier"), username="ann@example.com")
    for _ in range(5):
        await world.guess()
        assert (
            await visitor.send(landed.form("/login/password"), password=world.wrong_password())
        ).response.status_code == 403
    page = await visitor.send(landed.form("/login/password"), password=PASSWORD)
    assert page.response.status_code == 429
    assert int(page.response.headers["retry-after"]) > 86_400
    assert "Sign-in is blocked from here" in page.text
    assert (await world.login()).status_code == 429
    assert world.hasher.verified == 10


async def test_a_full_queue_refuses_at_once_and_costs_no_attempt(installation: Stencil) -> None:
    settings: Settings = installation.settings.model_copy(update={"hash_workers": 1, "hash_queue": 1})
    async with open_world(settings, installation.document) as world:
        await world.person()
        busy = [asyncio.ensure_future(world.hasher.inner.verify(b"x", COST_12)) for _ in range(2)]
        await asyncio.sleep(0)
        for answer in [await world.guess() for _ in range(4)]:
            assert answer.status_code == 503
            assert answer.json() == {
                "error": "temporarily_unavailable",
                "error_description": "The service is busy. Try again in a moment.",
            }
            assert int(answer.headers["retry-after"]) >= 1
        signup = await world.signup("bob@example.com")
        assert (signup.status_code, signup.json()["code"]) == (503, "temporarily_unavailable")
        assert not busy[0].done(), "the queue was not full all the time"
        await asyncio.gather(*busy)
        assert await world.count(tables.Account) == 1
        answers = [await world.guess() for _ in range(11)]
        assert statuses(answers) == {403: 10, 429: 1}


async def test_one_address_signs_up_once(world: World) -> None:
    answers = await at_once(*(world.signup(password=f"{PASSWORD} {number}") for number in range(15)))
    assert statuses(answers) == {200: 1, 400: 14}
    assert await world.count(tables.Account) == 1
    assert await world.count(tables.AccountIdentifier) == 1


# --- passkeys ----------------------------------------------------------------------------------------------------


async def test_of_50_answers_to_one_challenge_one_logs_in(world: World) -> None:
    device = Authenticator()
    await world.register(device)
    begun = (await world.begin_challenge()).json()
    response = device.get(begun["authn_params_public_key"], origin=PUBLIC_URL)
    answers = await at_once(*(world.exchange(begun["auth_session"], response) for _ in range(50)))
    assert statuses(answers) == {200: 1, 403: 49}
    assert {answer.json()["error_description"] for answer in answers if answer.status_code == 403} == {
        "Authentication session expired"
    }


async def test_of_50_answers_to_one_registration_one_signs_up(world: World) -> None:
    device = Authenticator()
    begun = (await world.begin_register()).json()
    response = device.create(begun["authn_params_public_key"], origin=PUBLIC_URL)
    answers = await at_once(*(world.exchange(begun["auth_session"], response) for _ in range(50)))
    assert statuses(answers) == {200: 1, 403: 49}
    assert (await world.count(tables.Account), await world.count(tables.Passkey)) == (1, 1)


async def test_of_many_registrations_of_one_address_one_signs_up(world: World) -> None:
    begun = [(await world.begin_register()).json() for _ in range(20)]
    answers = await at_once(
        *(
            world.exchange(
                each["auth_session"], Authenticator().create(each["authn_params_public_key"], origin=PUBLIC_URL)
            )
            for each in begun
        )
    )
    assert statuses(answers) == {200: 1, 400: 19}
    assert (await world.count(tables.Account), await world.count(tables.Passkey)) == (1, 1)
    refused = next(answer for answer in answers if answer.status_code == 400)
    assert refused.json() == {"error": "invalid_request", "error_description": "Invalid sign up"}


async def test_one_credential_id_is_registered_once(world: World) -> None:
    same = Flaw(credential_id=lambda _: b"the same credential id")
    begun = [(await world.begin_register(f"person{number}@example.com")).json() for number in range(10)]
    answers = await at_once(
        *(
            world.exchange(
                each["auth_session"],
                Authenticator().create(each["authn_params_public_key"], origin=PUBLIC_URL, flaw=same),
            )
            for each in begun
        )
    )
    assert statuses(answers) == {200: 1, 403: 9}
    refused = next(answer for answer in answers if answer.status_code == 403)
    assert refused.json() == {"error": "invalid_grant", "error_description": "Passkey could not be verified."}
    assert (await world.count(tables.Account), await world.count(tables.Passkey)) == (1, 1)


async def test_nobody_gets_more_passkeys_than_the_policy_allows(world: World) -> None:
    most = PasskeyPolicy().max_per_user
    device = Authenticator()
    await world.register(device)
    asked = {"audience": f"{PUBLIC_URL}/me/", "scope": SCOPE}
    account = MyAccount(world, (await world.passkey_login(device, **asked)).json()["access_token"])
    begun = [await account.begin() for _ in range(most + 5)]
    answers = await at_once(
        *(account.verify(each, device.create(each["authn_params_public_key"], origin=PUBLIC_URL)) for each in begun)
    )
    assert statuses(answers) == {201: most - 1, 400: 6}
    assert await world.count(tables.Passkey) == most
    refused = next(answer for answer in answers if answer.status_code == 400).json()
    assert refused["type"] == "urn:keystead:error:passkey-limit-reached"
    late = await account.start()
    assert late.json()["type"] == "urn:keystead:error:passkey-limit-reached"


async def test_of_two_registrations_for_the_last_place_one_is_stored(world: World) -> None:
    await world.person()
    assert (await world.patch_options(passkey_policy={"max_per_user": 1})).status_code == 200
    account = await MyAccount.of(world)
    begun = [await account.begin() for _ in range(2)]
    answers = await at_once(
        *(
            account.verify(each, Authenticator().create(each["authn_params_public_key"], origin=PUBLIC_URL))
            for each in begun
        )
    )
    assert statuses(answers) == {201: 1, 400: 1}
    assert await world.count(tables.Passkey) == 1


async def test_of_two_passkeys_that_are_removed_at_once_one_stays(world: World) -> None:
    """Each is the other's reason why it may go: without a lock their owner would be locked out."""
    devices = [Authenticator(), Authenticator()]
    await world.register(devices[0])
    visitor = Visitor.of(world)
    await visitor.log_in_with(devices[0], await visitor.open("/u/account/passkeys"))
    headers = {"origin": PUBLIC_URL, "sec-fetch-site": "same-origin"}
    begun = (await visitor.client.post("/u/account/passkeys/options", headers=headers)).json()
    response = json.dumps(devices[1].create(begun["authn_params_public_key"], origin=PUBLIC_URL))
    answer = {"auth_session": begun["auth_session"], "response": response}
    assert (await visitor.client.post("/u/account/passkeys", data=answer, headers=headers)).status_code == 303
    sent = [{"remove": row["id"]} for row in await world.rows(tables.Passkey)]
    removals = (visitor.client.post("/u/account/passkeys", data=each, headers=headers) for each in sent)
    assert statuses(await at_once(*removals)) == {303: 1, 409: 1}
    assert await world.count(tables.Passkey) == 1


@pytest.mark.parametrize("rounds", [5])
async def test_a_copied_key_with_the_same_counter_gets_in_once(world: World, rounds: int) -> None:
    device = Authenticator(synced=False, counts=True)
    await world.register(device)
    for _ in range(rounds):
        begun = [(await world.begin_challenge()).json() for _ in range(2)]
        responses = []
        for each in begun:
            responses.append(device.get(each["authn_params_public_key"], origin=PUBLIC_URL))
            device.credentials[0].sign_count -= 1
        device.credentials[0].sign_count += 1
        answers = await at_once(
            *(world.exchange(each["auth_session"], response) for each, response in zip(begun, responses, strict=True))
        )
        assert statuses(answers) == {200: 1, 403: 1}


# --- codes and refresh tokens ------------------------------------------------------------------------------------


async def test_of_50_exchanges_of_one_code_one_succeeds_and_nothing_of_it_survives(world: World) -> None:
    await world.person()
    visitor = Visitor.of(world)
    landed = await visitor.log_in(await visitor.authorize(scope="openid offline_access"))
    answers = await at_once(*(exchange(world, landed.answer["code"]) for _ in range(50)))
    assert statuses(answers) == {200: 1, 403: 49}
    given = next(answer for answer in answers if answer.status_code == 200).json()
    assert await world.count(tables.RefreshToken) == 0
    assert (await world.token("refresh_token", refresh_token=given["refresh_token"])).status_code == 403


async def test_of_50_rotations_at_once_one_succeeds_and_the_family_ends(world: World) -> None:
    await world.person()
    await world.patch_client(world.client_id, refresh_token={"rotation_type": "rotating"})
    token = (await world.tokens(scope="openid offline_access"))["refresh_token"]
    other = (await world.tokens(scope="openid offline_access"))["refresh_token"]
    answers = await at_once(*(world.token("refresh_token", refresh_token=token) for _ in range(50)))
    assert statuses(answers) == {200: 1, 403: 49}
    assert "ferrt" in await world.journal()
    given = next(answer for answer in answers if answer.status_code == 200).json()
    assert (await world.token("refresh_token", refresh_token=given["refresh_token"])).status_code == 403
    assert (await world.token("refresh_token", refresh_token=other)).status_code == 200


async def test_one_login_gives_one_code(world: World) -> None:
    await world.person()
    visitor = Visitor.of(world)
    landed = await visitor.send((await visitor.authorize()).form("/login/identifier"), username="ann@example.com")
    offered = await visitor.send(landed.form("/login/password"), password=PASSWORD)
    skip = offered.form("/u/passkey-enrollment").action
    await visitor.client.post(skip, data={"action": "skip"})
    done = skip.replace("/u/passkey-enrollment", "/u/login")
    answers = await at_once(*(visitor.client.get(done) for _ in range(20)))
    assert statuses(answers) == {303: 1, 400: 19}
    assert await world.count(tables.AuthorizationCode) == 1
    target = next(answer.headers["location"] for answer in answers if answer.status_code == 303)
    assert target.startswith(CALLBACK)
