"""Nobody learns by asking who has an account (profile ``standard``; ASVS 6.3.8)."""

import re
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from authenticator import Authenticator, b64url
from visitor import Landed, Visitor
from world import PASSWORD, PUBLIC_URL, REALM_GRANT, World

ANN, NOBODY, BLOCKED, BARE = "ann@example.com", "nobody@example.com", "blocked@example.com", "bare@example.com"
WHO = {"somebody": ANN, "nobody": NOBODY, "somebody who is blocked": BLOCKED, "somebody without a password": BARE}

Seen = tuple[int, tuple[tuple[str, str], ...], str]


def seen(answer: httpx.Response, email: str = "") -> Seen:
    """Return what a stranger can compare: all but numbers that are different each time."""
    fresh = {"x-request-id", "date", "set-cookie", "content-length", "location"}
    fresh |= {"x-ratelimit-remaining", "x-ratelimit-reset"}  # how many were asked before, whoever was asked about
    kept = {name: value for name, value in answer.headers.items() if name not in fresh}
    headers = tuple(sorted((name, re.sub(r"dec_[\w-]{16}", "dec_", value)) for name, value in kept.items()))
    body = re.sub(r"state=[\w-]+", "state=", answer.text.replace(email, "") if email else answer.text)
    body = re.sub(r'"(challenge|auth_session|id|_id)":"[\w-]+"', r'"\1":""', body)
    return answer.status_code, headers, body


async def compare(ask: Callable[[str], Awaitable[httpx.Response]], *but: str) -> None:
    """Ask about each of them, and hold the answers against each other."""
    found = {name: seen(await ask(email), email) for name, email in WHO.items() if name not in but}
    first = next(iter(found.values()))
    assert {name: answer for name, answer in found.items() if answer != first} == {}


@pytest.fixture
async def town(world: World) -> World:
    """Ann, somebody who is blocked, and somebody without a password."""
    methods = {"password": {"api_behavior": "optional"}, "passkey": {"enabled": True}}
    await world.patch_options(authentication_methods=methods)
    await world.person(ANN)
    await world.person(BARE, None)
    await world.block(await world.person(BLOCKED))
    return world


async def test_the_password_grants(town: World) -> None:
    before = town.hasher.verified
    await compare(town.guess)
    await compare(lambda email: town.login(email, ""))
    await compare(lambda email: town.login(email, "x" * 10_000))
    await compare(lambda email: town.guess(email, grant_type=REALM_GRANT, realm=town.connection))
    await compare(lambda email: town.guess(email.upper()))
    assert town.hasher.verified == before + 20, "each of them cost the same hash"


async def test_beyond_the_limit(town: World) -> None:
    async def ten_and_one(email: str) -> httpx.Response:
        for _ in range(10):
            assert (await town.guess(email)).status_code == 403
        return await town.login(email, PASSWORD)

    await compare(ten_and_one)


async def test_what_a_failure_leaves_behind_looks_the_same(town: World) -> None:
    """One write for each, so that neither the clock nor the disk tells."""
    for email in WHO.values():
        entries, counts = len(await town.journal()), await town.counts()
        await town.guess(email)
        assert len(await town.journal()) == entries + 1
        assert await town.counts() == counts


async def test_the_challenge_knows_nobody(town: World) -> None:
    await compare(lambda email: town.begin_challenge(username=email, user_profile={"email": email}))
    assert "allowCredentials" not in (await town.begin_challenge()).text


async def test_signing_up_says_the_same_to_everybody_who_is_in_the_way(town: World) -> None:
    await compare(lambda email: town.signup(email, "another long password"), "nobody")
    await compare(town.begin_register, "nobody")
    await compare(lambda email: town.signup(email, "short"))
    await compare(lambda email: town.signup(email, PASSWORD, client_id="nobody"))
    await compare(lambda email: town.signup(email, PASSWORD, picture="no address"))
    await compare(lambda email: town.begin_register(email, user_profile={"email": email, "role": "owner"}))
    await compare(lambda email: town.begin_register(email, client_id="nobody"))


async def test_a_taken_address_says_less_than_which_field(town: World) -> None:
    """In the standard profile a sign-up does tell taken from free; it never tells what is taken, nor by whom."""
    optional = {"signup": {"status": "optional"}}
    await town.patch_options(attributes={"email": optional, "username": optional, "phone_number": optional})
    await town.signup("carl@example.com", username="carl", phone_number="+14155552671")
    answers = [
        await town.signup("carl@example.com"),
        await town.signup("new@example.com", username="carl"),
        await town.signup("new@example.com", phone_number="+14155552671"),
    ]
    assert len({seen(answer) for answer in answers}) == 1
    assert "carl" not in answers[0].text


async def test_the_login_pages(town: World) -> None:
    async def identified(email: str) -> Landed:
        visitor = Visitor.of(town)
        return await visitor.send((await visitor.authorize()).form("/login/identifier"), username=email)

    async def page(email: str) -> httpx.Response:
        return (await identified(email)).response

    async def refused(email: str) -> httpx.Response:
        visitor = Visitor.of(town)
        landed = await visitor.send((await visitor.authorize()).form("/login/identifier"), username=email)
        return (await visitor.send(landed.form("/login/password"), password="wrong")).response

    await compare(page)
    await compare(refused)


async def test_the_sign_up_page_names_no_field(town: World) -> None:
    async def page(email: str) -> httpx.Response:
        visitor = Visitor.of(town)
        landed = await visitor.authorize(screen_hint="signup")
        return (await visitor.send(landed.form("/signup/identifier"), email=email)).response

    await compare(page, "nobody")
    text = (await page(ANN)).text
    assert "We could not sign you up with these details." in text
    assert "aria-invalid" not in text


async def test_a_passkey_s_refusals_are_one(town: World) -> None:
    """Unknown, badly signed, somebody else's, deleted: one answer. Beside it stands what the caller sent itself.

    That nobody has a credential is said for its device to forget it. Whoever asks must know its id, which is a secret
    between the two of us for as long as somebody has it.
    """
    ann, bob, elsewhere = Authenticator(), Authenticator(), Authenticator()
    await town.register(ann, "ann.passkey@example.com")
    await town.register(bob, "bob.passkey@example.com")
    options = (await town.begin_register("stranger@example.com")).json()["authn_params_public_key"]
    elsewhere.create(options, origin=PUBLIC_URL)
    answers: list[httpx.Response] = []
    for device, bend in ((elsewhere, _same), (ann, _badly_signed), (ann, _as_other(bob)), (ann, _same)):
        begun = (await town.begin_challenge()).json()
        response: Any = bend(device.get(begun["authn_params_public_key"], origin=PUBLIC_URL))
        if len(answers) == 3:
            (row,) = [each for each in (await town.manage("GET", "/users")).json() if "ann.passkey" in str(each)]
            await town.delete_user(row["user_id"])
        answers.append(await town.exchange(begun["auth_session"], response))
    assert len({seen(answer)[:2] for answer in answers}) == 1
    assert answers[0].status_code == 403
    bodies = [answer.json() for answer in answers]
    forgotten = [body.pop("signals", None) for body in bodies]
    assert [body == bodies[0] for body in bodies] == [True] * 4
    assert forgotten == [_forget(elsewhere), None, None, _forget(ann)]


def _forget(device: Authenticator) -> list[dict[str, Any]]:
    options = {"rpId": "localhost", "credentialId": b64url(device.credentials[0].id)}
    return [{"type": "unknownCredential", "options": options}]


def _same(response: Any) -> Any:
    return response


def _badly_signed(response: Any) -> Any:
    response["response"]["signature"] = "AAAA"
    return response


def _as_other(other: Authenticator) -> Callable[[Any], Any]:
    def bend(response: Any) -> Any:
        response["response"]["userHandle"] = b64url(other.credentials[0].user_handle)
        return response

    return bend


async def test_a_blocked_account_is_named_only_to_whoever_proves_to_own_it(town: World) -> None:
    assert (await town.guess(BLOCKED)).json()["error_description"] == "Wrong email or password."
    assert (await town.login(BLOCKED)).json()["error_description"] == "user is blocked"


async def test_a_client_is_not_to_be_found_by_asking(world: World) -> None:
    """Whether a client exists, is confidential, or got a wrong secret: one answer."""
    secret = await world.new_client(app_type="regular_web", grant_types=["password", "client_credentials"])
    names = (secret["client_id"], "no-such-client", world.first["clients"]["management"]["client_id"])
    for path, body in (("/oauth/token", {"grant_type": "password"}), ("/passkey/challenge", {})):
        for shown in ({}, {"client_secret": "wrong"}, {"client_secret": ""}):
            answers = {seen(await world.client.post(path, json=body | {"client_id": name} | shown)) for name in names}
            assert len(answers) == 1, (path, shown)
    taken = {seen(await world.signup(client_id=name)) for name in ("no-such-client", "another")}
    assert len(taken) == 1


async def test_a_connection_is_not_to_be_found_by_asking(world: World) -> None:
    other = await world.new_client(app_type="spa", grant_types=["password"])
    await world.new_connection("Secret", clients=[other["client_id"]])
    for name in ("Secret", "Administrators"):
        assert seen(await world.signup(connection=name)) == seen(await world.signup(connection="nowhere"))
        assert seen(await world.login(realm=name)) == seen(await world.login(realm="nowhere"))
        assert seen(await world.begin_challenge(realm=name)) == seen(await world.begin_challenge(realm="nowhere"))
        landed = await Visitor.of(world).authorize(connection=name)
        assert landed.answer == (await Visitor.of(world).authorize(connection="nowhere")).answer
