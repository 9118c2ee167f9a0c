"""Many at once: codes and links are used once, and guessed at no more often than they may be, on both databases."""

import asyncio

from keystead.db import tables
from visitor import Form, Visitor
from world import PASSWORD, World

CODES = {"email": {"verification_method": "code", "signup": {"status": "required", "verification": {"active": True}}}}


async def at_the_challenge(world: World) -> tuple[Visitor, Form]:
    """Sign up as far as the code."""
    await world.patch_options(attributes=CODES)
    visitor = Visitor.of(world)
    landed = await visitor.authorize(screen_hint="signup")
    landed = await visitor.send(landed.form("/signup/identifier"), email="ann@example.com")
    return visitor, landed.form("-identifier-challenge")


async def test_of_40_guesses_at_once_five_are_compared(world: World) -> None:
    visitor, form = await at_the_challenge(world)
    code = await world.code()
    wrong = [f"{(int(code) + number) % 10**6:06d}" for number in range(1, 41)]
    await asyncio.gather(*(visitor.client.post(form.action, data={"code": each}) for each in wrong))
    (row,) = await world.rows(tables.OneTimeCode)
    assert row["tries"] == 5
    assert (await visitor.send(form, code=code)).path == "/u/email-identifier-challenge", (
        "and then not even the right one"
    )


async def test_a_right_code_is_used_once(world: World) -> None:
    visitor, form = await at_the_challenge(world)
    code = await world.code()
    answers = await asyncio.gather(*(visitor.client.post(form.action, data={"code": code}) for _ in range(5)))
    assert await world.count(tables.OneTimeCode) == 0
    assert {answer.status_code for answer in answers} <= {303, 403}
    assert any(answer.status_code == 303 for answer in answers)


async def test_a_reset_link_sets_one_password(world: World) -> None:
    await world.signup()
    body = {"client_id": world.client_id, "connection": world.connection, "email": "ann@example.com"}
    await world.client.post("/dbconnections/change_password", json=body)
    link = (await world.link()).rstrip("#")
    passwords = [f"the new password {number}" for number in range(8)]
    answers = await asyncio.gather(*(world.client.post(link, data={"password": each}) for each in passwords))
    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 7
    logins = [(await world.login(password=each)).status_code for each in passwords]
    assert logins.count(200) == 1
    assert (await world.journal()).count("scp") == 1


async def test_a_link_verifies_once(world: World) -> None:
    await world.signup()
    link = (await world.link()).rstrip("#")
    answers = await asyncio.gather(*(world.client.post(link, data={"password": PASSWORD}) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 7
    assert (await world.journal()).count("sv") == 1


async def test_confirming_and_taking_over_at_once_ends_in_one_of_them(world: World) -> None:
    """Whoever is first decides; nothing is half done."""
    await world.signup()
    link = (await world.link()).rstrip("#")
    requests = [
        world.client.post(link, data={"password": PASSWORD}),
        world.client.post(link, data={"action": "take-over"}),
    ]
    answers = await asyncio.gather(*requests)
    assert sorted(answer.status_code for answer in answers) == [200, 400]
    emptied = answers[1].status_code == 200
    assert ((await world.login()).status_code == 403) is emptied
