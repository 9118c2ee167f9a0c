"""What every user store does, wherever its people live: tests to inherit, for a fixture ``home`` to fill."""

import asyncio
from dataclasses import dataclass

import pytest

from customer import Customer
from keystead.db import connections, tables
from keystead.errors import IdentifierTaken, WeakPassword
from keystead.ports import Refused, UserStore
from keystead.rules.identifiers import Identifier
from keystead.rules.profiles import Draft, Profile
from keystead.rules.signups import read_draft
from keystead.secrecy import Secret
from world import PASSWORD, World

OTHER = "another horse battery"


@dataclass
class Home:
    """A Keystead whose default connection has its people somewhere, and where that is."""

    world: World
    customer: Customer | None = None

    async def store(self) -> UserStore:
        """Return the store as a request would get it."""
        record = await self.world.db.read(connections.get, self.world.connection_id)
        assert record is not None
        store: UserStore = self.world.app.state.flows.users.store_for(record)
        return store

    async def draft(self, email: str = "ann@example.com", **more: str) -> Draft:
        """Return a sign-up."""
        record = await self.world.db.read(connections.get, self.world.connection_id)
        assert record is not None
        return read_draft({"email": email, **more}, record.policy())

    async def has_always(self, email: str = "ann@example.com", password: str = PASSWORD, **more: str) -> str:
        """Have somebody live there who was there before anything else; return their user id."""
        if self.customer is not None:
            return f"auth0|{self.customer.add(email, password, **more)}"
        return (await (await self.store()).create(await self.draft(email, **more), Secret(password))).user_id

    async def verify(self, email: str = "ann@example.com", password: str = PASSWORD) -> Profile | Refused:
        """Try a password."""
        return await (await self.store()).verify(Identifier("email", email), Secret(password))

    async def id_of(self, email: str = "ann@example.com", password: str = PASSWORD) -> str:
        """Log in, and return the user id."""
        found = await self.verify(email, password)
        assert isinstance(found, Profile), found
        return found.user_id


class UserStoreConformance:
    """Inherit, and give a fixture ``home``."""

    async def test_who_lives_there_is_let_in_by_the_right_password_alone(self, home: Home) -> None:
        user_id = await home.has_always()
        for _ in range(2):  # the second time, what was learnt of the first is there
            found = await home.verify()
            assert isinstance(found, Profile)
            assert (found.user_id, found.email, found.connection_id) == (
                user_id,
                "ann@example.com",
                home.world.connection_id,
            )
            assert found.has_password
            refused = await home.verify(password=OTHER)
            assert isinstance(refused, Refused)
            assert refused.user_id == user_id
        assert await home.world.count(tables.Account) == 1

    async def test_nobody_no_identifier_and_no_possible_password_are_refused(self, home: Home) -> None:
        await home.has_always()
        store = await home.store()
        assert isinstance(await home.verify("nobody@example.com"), Refused)
        assert isinstance(await store.verify(None, Secret(PASSWORD)), Refused)
        for impossible in ("x" * 5000, "half \ud800 letter", "no\0thing", ""):
            assert isinstance(await home.verify(password=impossible), Refused)

    async def test_somebody_is_found_by_identifier_and_known_from_then_on(self, home: Home) -> None:
        user_id = await home.has_always()
        store = await home.store()
        found = await store.find(Identifier("email", "ann@example.com"))
        assert found is not None
        assert (found.user_id, found.has_password) == (user_id, True)
        assert await store.has(user_id)
        assert await store.find(Identifier("email", "nobody@example.com")) is None
        assert await home.id_of() == user_id, "being looked up takes nobody's password"

    async def test_who_is_created_can_log_in(self, home: Home) -> None:
        store = await home.store()
        draft = (await home.draft()).model_copy(update={"user_metadata": {"plan": "basic"}, "given_name": "Ann"})
        made = await store.create(draft, Secret(PASSWORD))
        assert (made.email, made.given_name, made.user_metadata) == ("ann@example.com", "Ann", {"plan": "basic"})
        assert await home.id_of() == made.user_id
        assert isinstance(await home.verify(password=OTHER), Refused)

    async def test_nobody_is_created_twice(self, home: Home) -> None:
        await home.has_always()
        store = await home.store()
        with pytest.raises(IdentifierTaken) as taken:
            await store.create(await home.draft(), Secret(OTHER))
        assert taken.value.attribute == "email"
        assert isinstance(await home.verify(password=OTHER), Refused)

    async def test_of_many_who_sign_up_at_once_with_one_address_one_is_made(self, home: Home) -> None:
        store, draft = await home.store(), await home.draft()
        made = await asyncio.gather(
            *(store.create(draft, Secret(f"{PASSWORD} {n}")) for n in range(4)), return_exceptions=True
        )
        (first,) = [each for each in made if isinstance(each, Profile)]
        assert all(isinstance(each, IdentifierTaken | Profile) for each in made), made
        let_in = [await home.verify(password=f"{PASSWORD} {n}") for n in range(4)]
        assert [each.user_id for each in let_in if isinstance(each, Profile)] == [first.user_id]
        assert await home.world.count(tables.Account) == 1

    async def test_the_policy_judges_new_passwords(self, home: Home) -> None:
        store = await home.store()
        with pytest.raises(WeakPassword):
            await store.create(await home.draft(), Secret("short"))
        user_id = await home.has_always()
        await home.id_of()
        with pytest.raises(WeakPassword):
            await store.set_password(user_id, Secret("short"))
        assert await home.id_of() == user_id

    async def test_a_password_is_replaced(self, home: Home) -> None:
        user_id = await home.has_always()
        await home.id_of()
        store = await home.store()
        before = [row["password_hash"] for row in await home.world.rows(tables.Account)]
        await store.set_password(user_id, Secret(OTHER))
        assert await home.id_of(password=OTHER) == user_id
        assert isinstance(await home.verify(), Refused)
        # What links to a reset are bound to.
        assert [row["password_hash"] for row in await home.world.rows(tables.Account)] != before

    async def test_first_logins_at_once_make_one_account(self, home: Home) -> None:
        user_id = await home.has_always()
        found = await asyncio.gather(*(home.id_of() for _ in range(4)))
        assert set(found) == {user_id}
        assert await home.world.count(tables.Account) == 1
        assert await home.world.count(tables.AccountIdentifier) == 1

    async def test_who_is_deleted_is_gone_here(self, home: Home) -> None:
        user_id = await home.has_always()
        await home.id_of()
        store = await home.store()
        await store.delete(user_id)
        await store.delete(user_id)
        assert await home.world.count(tables.Account) == 0

    async def test_a_block_metadata_and_sessions_are_ours(self, home: Home) -> None:
        """Over HTTP, as people and administrators meet it."""
        world, user_id = home.world, await home.has_always()
        tokens = await world.tokens(scope="openid offline_access")
        assert (await world.userinfo(tokens["access_token"])).json()["sub"] == user_id
        patched = await world.manage("PATCH", f"/users/{user_id}", {"app_metadata": {"plan": "gold"}, "blocked": True})
        assert patched.status_code == 200, patched.text
        assert (await world.login()).status_code == 401
        refresh = {"refresh_token": tokens["refresh_token"]}
        assert (await world.token("refresh_token", **refresh)).status_code == 403
        await world.block(user_id, False)
        await world.tokens()
        shown = (await world.manage("GET", f"/users-by-email?email={'ann@example.com'}")).json()
        assert [(each["user_id"], each["app_metadata"], each["blocked"]) for each in shown] == [
            (user_id, {"plan": "gold"}, False)
        ]

    async def test_sign_up_tells_nobody_who_is_there(self, home: Home) -> None:
        world = home.world
        await home.has_always("bob@example.com")
        assert (await world.signup()).status_code == 200
        for taken in ("ann@example.com", "bob@example.com"):
            answer = await world.signup(taken, OTHER)
            assert (answer.status_code, answer.json()["code"]) == (400, "invalid_signup")
        await world.tokens("ann@example.com")
        wrong, nobody = await world.guess(), await world.guess("nobody@example.com")
        assert (wrong.status_code, wrong.json()) == (nobody.status_code, nobody.json())
        entries = await world.journal()
        assert entries[-2:] == ["fp", "fu"]
        assert "ss" in entries

    async def test_an_administrator_makes_and_deletes_users(self, home: Home) -> None:
        world = home.world
        body = {
            "connection": world.connection,
            "email": "ann@example.com",
            "password": PASSWORD,
            "verify_email": False,
            "app_metadata": {"plan": "gold"},
        }
        made = await world.manage("POST", "/users", body)
        assert made.status_code == 201, made.text
        assert made.json()["app_metadata"] == {"plan": "gold"}
        again = await world.manage("POST", "/users", body)
        assert (again.status_code, again.json()["errorCode"]) == (409, "auth0_idp_error")
        await world.tokens()
        await world.delete_user(made.json()["user_id"])
        assert await world.count(tables.Account) == 0
        assert (await world.login()).status_code == 403
