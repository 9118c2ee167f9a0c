"""Archives of users: whoever moves with one finds everything as it was, and nobody smuggles anything in with one."""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc import jws
from joserfc.jwk import RSAKey
from sqlalchemy import select, update
from sqlmodel import Session

from authenticator import Authenticator
from breaking_off import Killed, killed_at
from keystead import worker
from keystead.db import accounts, job_files, tables
from keystead.rules import tar_files
from two_installations import another_database, another_world, everything, exported, finished, imported, sent
from world import PASSWORD, World

BEFORE = "another horse battery"
LATER = datetime(2026, 6, 2, 3, 4, 5, 678901, tzinfo=UTC)
EXTRAS = {"mfa_factors": [{"totp": {"secret": "JBSWY3DPEHPK3PXP"}}], "tokens": {"access_token": "ünlesbar"}}


@pytest.fixture
async def elsewhere(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    """A Keystead of its own, on whichever database the parameter names."""
    kind = getattr(request, "param", "sqlite")
    admin = request.getfixturevalue("postgres_url") if kind == "postgres" else ""
    with another_database(kind, tmp_path / "elsewhere", admin) as url:
        async with another_world(tmp_path / "elsewhere", url) as opened:
            yield opened


async def populate(world: World) -> Authenticator:
    """Have people of every kind, with all that an account can have."""
    await world.patch_options(password_options={"history": {"active": True, "size": 3}})
    ann = await world.person(password=BEFORE)
    changed = await world.manage("PATCH", f"/users/{ann}", {"password": PASSWORD})
    assert changed.status_code == 200, changed.text
    await world.tokens()
    device = Authenticator()
    await world.register(device, "key@example.com")
    assert (await world.passkey_login(device)).status_code == 200
    await world.register(Authenticator(), "lost@example.com")
    second = await world.new_connection("Staff", requires_username=True)
    bob = {"connection": "Staff", "email": "bob@example.com", "username": "bob", "password": PASSWORD}
    about = {"user_metadata": {"a": [1, 2.5, None, {"b": "\u2028\U0001f600"}]}, "app_metadata": {}, "blocked": True}
    made = await world.manage("POST", "/users", bob | about | {"phone_number": "+4930123456", "name": 'B"o\\b'})
    assert made.status_code == 201, made.text
    assert second
    sealer = world.app.state.flows.management.archive_imports.sealer

    def odd(session: Session) -> None:
        values = {"sealed_extras": sealer.seal(json.dumps(EXTRAS).encode(), "account-extras"), "blocked": False}
        values |= {"other_attributes": {"employee": 7}, "signed_out_at": LATER, "passkey_prompt_snoozed_until": LATER}
        values |= {"password_hash": "{pbkdf2}" + "x" * 3000, "last_password_reset": LATER, "must_verify": ["email"]}
        accounts.change(session, made.json()["user_id"], values)
        change = {"quarantine": "lost", "quarantined_at": LATER, "certificates": ["MIIB"], "sign_count": 41}
        change |= {"transports": ["usb", "nfc"], "attachment": "cross-platform", "name": "Key", "trust": "none"}
        lost = select(tables.Account.user_id).where(tables.Account.email == "lost@example.com").scalar_subquery()  # type: ignore[call-overload]
        session.connection().execute(update(tables.Passkey).where(tables.Passkey.user_id == lost).values(change))

    await world.db.write(odd)
    return device


PAIRS = [("sqlite", "postgres"), ("postgres", "sqlite"), ("sqlite", "sqlite")]


@pytest.mark.parametrize(
    ("installation", "elsewhere"), PAIRS, indirect=True, ids=["to postgres", "to sqlite", "again sqlite"]
)
async def test_they_are_the_same_elsewhere_and_back(world: World, elsewhere: World) -> None:
    device = await populate(world)
    before = await everything(world)
    people, counted = len(before["Account"]), {name: len(rows) for name, rows in before.items()}
    assert counted == {"Account": 4, "AccountIdentifier": 6, "Passkey": 2, "OldPassword": 1}
    await elsewhere.new_connection("Staff", requires_username=True)
    gone = await exported(world)
    refused = await imported(elsewhere, gone)
    assert refused["status"] == "failed"
    assert await elsewhere.count(tables.Account) == 0
    done = await imported(elsewhere, gone, key=refused_key(refused))
    assert done["status"] == "completed", done
    assert done["summary"] == {"failed": 0, "updated": 0, "inserted": people, "total": people}
    assert await everything(elsewhere) == before

    # They go on as if nothing had happened: by password, and by a passkey whose counter is as it was.
    assert (await elsewhere.login()).status_code == 200
    assert (await elsewhere.login(password=BEFORE)).status_code == 403
    assert (await elsewhere.passkey_login(device)).status_code == 200
    assert await elsewhere.count(tables.Administrator) == 0

    # And back: whoever is there already is not touched, whoever is gone comes again.
    back, kept = await exported(elsewhere), await everything(elsewhere)
    for row in before["Account"]:
        await world.delete_user(row["user_id"])
    done = await imported(world, back, key=refused_key(await imported(world, back)))
    assert done["summary"]["inserted"] == people
    assert await everything(world) == kept
    again = await imported(world, back, key=done["signed_by"])
    assert again["summary"] == {"failed": people, "updated": 0, "inserted": 0, "total": people}
    rows = (await world.manage("GET", f"/jobs/{again['id']}/errors")).json()
    assert {row["errors"][0]["code"] for row in rows} == {"DUPLICATED_USER"}
    assert await everything(world) == kept


def refused_key(job: dict[str, Any]) -> str:
    """Return the key that a refused archive was signed with."""
    return str(job["status_details"].rpartition(" ")[2].rstrip("."))


Files = dict[str, bytes]


def taken_apart(archive: bytes) -> Files:
    """Return the files of an archive, as anybody reads them."""
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as found:
        return {each.name: found.extractfile(each).read() for each in found.getmembers()}  # type: ignore[union-attr]


def put_together(files: Files) -> bytes:
    """Pack files again, as anybody would."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as packed:
        for name, content in files.items():
            about = tarfile.TarInfo(name)
            about.size = len(content)
            packed.addfile(about, io.BytesIO(content))
    return out.getvalue()


def signed_anew(files: Files, users: bytes) -> Files:
    """Return an archive with other users whose manifest is right, and whose signature is the old one."""
    manifest = json.loads(files["manifest.json"])
    manifest["files"][-1] |= {"size": len(users), "sha256": hashlib.sha256(users).hexdigest()}
    return files | {"manifest.json": json.dumps(manifest).encode(), "users.ndjson": users}


def swapped(files: Files) -> Files:
    return files | {"users.ndjson": files["users.ndjson"].replace(b"ann@example.com", b"eve@example.com")}


def by_another_key(files: Files) -> Files:
    """Sign with a key of one's own, and bring it along."""
    key = RSAKey.generate_key(2048, parameters={"kid": "mine"})
    changed = signed_anew(files, swapped(files)["users.ndjson"])
    header = {"alg": "RS256", "typ": "keystead-users+jws", "kid": "mine"}
    head, _, signature = jws.serialize_compact(header, changed["manifest.json"], key).split(".")
    public = {"keys": [key.as_dict(private=False)]}
    return changed | {"manifest.jws": f"{head}..{signature}".encode(), "jwks.json": json.dumps(public).encode()}


TAMPERED: dict[str, Callable[[bytes], bytes]] = {
    "another user in it": lambda archive: put_together(swapped(taken_apart(archive))),
    "and a manifest that fits": lambda archive: put_together(
        signed_anew(taken_apart(archive), swapped(taken_apart(archive))["users.ndjson"])
    ),
    "signed by whoever changed it": lambda archive: put_together(by_another_key(taken_apart(archive))),
    "no signature": lambda archive: put_together(
        {name: each for name, each in taken_apart(archive).items() if name != "manifest.jws"}
    ),
    "a signature of nothing": lambda archive: put_together(taken_apart(archive) | {"manifest.jws": b"e30..e30"}),
    "keys of nobody": lambda archive: put_together(taken_apart(archive) | {"jwks.json": b'{"keys": [{"kty": "oct"}]}'}),
    "other connections": lambda archive: put_together(taken_apart(archive) | {"connections.ndjson": b"{}\n"}),
    "users before the manifest": lambda archive: put_together(dict(reversed(taken_apart(archive).items()))),
    "a user behind the others": lambda archive: put_together(
        taken_apart(archive) | {"users.ndjson": taken_apart(archive)["users.ndjson"] + b"{}\n"}
    ),
    "cut off": lambda archive: archive[: len(archive) // 2],
    "a bit": lambda archive: archive[:-200] + bytes([archive[-200] ^ 1]) + archive[-199:],
    "no tar at all": lambda archive: gzip.compress(b"people" * 1000),
    "an endless heading": lambda archive: gzip.compress(bytes([0xFF]) * 512),
    "a bomb": lambda archive: gzip.compress(put_together({})[:0] + tar_files.heading("manifest.json", 2**40, 0)),
}


@pytest.mark.parametrize("installation", ["sqlite"], indirect=True)
async def test_whatever_was_changed_is_refused_as_a_whole(world: World) -> None:
    await world.person()
    archive = await exported(world)
    for row in (await everything(world))["Account"]:
        await world.delete_user(row["user_id"])
    for name, tampered in TAMPERED.items():
        job = await imported(world, tampered(archive))
        assert job["status"] == "failed", name
        assert job["status_details"].startswith("The archive cannot be used"), name
        assert (await world.manage("GET", f"/jobs/{job['id']}/errors")).json()["status"] == "failed"
        assert await world.count(tables.Account) == 0, name
        assert await world.count(tables.JobFile) > 0  # the export's own: that of a refused import is gone
    assert (await sent(world, b"[]")).status_code == 400
    assert (await sent(world, b"")).status_code == 400
    # Packed anew and else unchanged, it is as good as before.
    assert (await imported(world, put_together(taken_apart(archive))))["summary"]["inserted"] == 1
    assert (await world.login()).status_code == 200


def packed_as(*files: tuple[str, bytes]) -> bytes:
    """Pack files, of which two may have one name."""
    return gzip.compress(b"".join(tar_files.whole(*each, 0) for each in files) + tar_files.END)


@pytest.mark.parametrize("installation", ["sqlite"], indirect=True)
async def test_what_unfolds_to_more_than_it_says_is_refused_unread(world: World) -> None:
    """Zeros pack a thousandfold, and whatever comes before the users is read before anybody has vouched for it."""
    user_id = await world.person()
    files = list(taken_apart(await exported(world)).items())
    await world.delete_user(user_id)
    megabyte = bytes(1024 * 1024)
    bombs = {
        "manifest.json is in it twice": packed_as(*[("manifest.json", megabyte)] * 160),
        "jwks.json is in it twice": packed_as(*files[:-1], ("elsewhere/jwks.json", b""), files[-1]),
        "users.ndjson is in it twice": packed_as(*files, ("users.ndjson", megabyte * 16)),
        "there is too much in it besides users.ndjson": packed_as(("README", megabyte * 16), *files),
        "too much in it besides": packed_as(*files, *[("README", megabyte)] * 16),
    }
    for said, bomb in bombs.items():
        job = await imported(world, bomb)
        assert job["status"] == "failed", said
        assert said in job["status_details"], job
    # What somebody puts beside the files is no harm, nor what stands behind the end.
    behind = gzip.compress(bytes(1000)) + bytes(2_000_000)
    assert (await imported(world, packed_as(("README", b"Moved."), *files) + behind))["summary"]["inserted"] == 1


@pytest.mark.parametrize("installation", ["sqlite"], indirect=True)
async def test_a_job_that_ends_whoever_has_it_is_given_up(world: World) -> None:
    """Nobody is there to say that it failed: whoever has it next counts."""
    await world.person()
    management = world.app.state.flows.management
    archive = await exported(world)
    asked: dict[str, tuple[Any, Callable[[], Awaitable[httpx.Response]]]] = {
        "users_export": (management.user_exports, lambda: world.manage("POST", "/jobs/users-exports", {})),
        "users_archive_import": (management.archive_imports, lambda: sent(world, archive)),
    }
    for kind, (handler, ask) in asked.items():
        answer = await ask()
        for _ in range(12):
            with killed_at(4), pytest.raises(Killed):
                await worker.deliver_due(world.db, handler, world.clock)
            world.clock.advance(minutes=3)
        job = await finished(world, answer)
        assert (job["type"], job["status"]) == (kind, "failed"), job
        assert "came to an end" in job["status_details"], job
        assert await world.db.read(job_files.piece, job["id"], 0) is None


async def archive_of(world: World, *lines: dict[str, Any]) -> bytes:
    """Return an archive of these lines that the installation signed, whoever wrote them."""
    users = b"".join(json.dumps(each).encode() + b"\n" for each in lines)
    files = signed_anew(taken_apart(await exported(world)), users)
    making = world.app.state.flows.management.user_exports.archive
    signature, keys, _ = await making.signer.sign(files["manifest.json"])
    return put_together(files | {"manifest.jws": signature.encode(), "jwks.json": json.dumps(keys).encode()})


@pytest.mark.parametrize("installation", ["sqlite", "postgres"], indirect=True)
async def test_a_line_that_cannot_be_ends_alone(world: World) -> None:
    """Also where it is signed: whoever administers one installation must not break another, nor own it."""
    await world.person("there@example.com")
    device = Authenticator()
    await world.register(device, "key@example.com")
    (key,) = [row for row in taken_apart(await exported(world))["users.ndjson"].splitlines() if b"passkeys" in row]
    holder, ours = json.loads(key), (await world.manage("GET", f"/connections/{world.connection_id}")).json()["name"]

    def user(number: int, **members: Any) -> dict[str, Any]:
        handle = {"user_handle": f"aGFuZGxl{number:04d}"} | {
            "created_at": LATER.isoformat(),
            "updated_at": LATER.isoformat(),
        }
        return {"user_id": f"auth0|{number}", "connection": ours} | handle | members

    taken = [{"kind": "email", "value": "there@example.com"}]
    rows = {
        "CONNECTION_NOT_FOUND": [user(1, connection="Nowhere"), user(2, connection="keystead-administrators")],
        "CONFLICT_EMAIL": [user(3, email="there@example.com", identifiers=taken)],
        "DUPLICATED_USER": [user(4, user_id=holder["user_id"]), user(5, user_handle=holder["user_handle"])],
        "CONFLICT": [user(6, passkeys=holder["passkeys"])],
        "FORMAT": [
            *(user(7, role="owner"), user(8, user_id="root"), user(9, user_handle=""), user(10, user_metadata=[])),
            *(user(11, name="a\0b"), user(12, logins_count=2**40), user(13, created_at="2026-06-01T00:00:00")),
            *(user(14, passkeys=[holder["passkeys"][0] | {"rp_id": ""}]), user(15, app_metadata={"a": float("nan")})),
        ],
    }
    good = user(16, passkeys=[holder["passkeys"][0] | {"rp_id": "example.org", "id": "x", "credential_id": "eA=="}])
    job = await imported(world, await archive_of(world, *(row for each in rows.values() for row in each), good))
    wrong = sum(map(len, rows.values()))
    assert job["summary"] == {"failed": wrong, "updated": 0, "inserted": 1, "total": wrong + 1}, job
    assert job["passkeys_elsewhere"] == {"example.org": 1}
    told = (await world.manage("GET", f"/jobs/{job['id']}/errors")).json()
    assert [row["errors"][0]["code"] for row in told] == [code for code, each in rows.items() for _ in each]
    assert [row["user"]["line"] for row in told] == list(range(1, wrong + 1))
    assert "aGFuZGxl" not in json.dumps(told)
    assert await world.count(tables.Account) == 3
    assert await world.count(tables.Administrator) == 0
    entry = await world.last_entry()
    assert (entry["type"], entry["details"]["inserted"], entry["details"]["failed"]) == (
        "users_archive_imported",
        1,
        wrong,
    )


@pytest.mark.parametrize("installation", ["sqlite"], indirect=True)
async def test_old_tokens_of_an_id_open_nothing_of_whoever_comes_back_under_it(world: World) -> None:
    """Not by a date in the archive either: the account is as old as it was, and so are tokens of its id."""
    user_id = await world.person()
    token = (await world.tokens())["access_token"]
    archive = await exported(world)
    world.clock.advance(minutes=1)
    for number, packed in enumerate((archive, await archive_of(world, signed_out_in_2001(archive)))):
        await world.delete_user(user_id)
        assert (await imported(world, packed))["summary"]["inserted"] == 1, number
        assert (await world.userinfo(token)).status_code == 401, number
        assert (await world.userinfo((await world.tokens())["access_token"])).status_code == 200, number


def signed_out_in_2001(archive: bytes) -> dict[str, Any]:
    """Return the only user of an archive, with another moment of being signed out."""
    found: dict[str, Any] = json.loads(taken_apart(archive)["users.ndjson"])
    return found | {"signed_out_at": "2001-01-01T00:00:00Z"}


@pytest.mark.parametrize("installation", ["sqlite"], indirect=True)
async def test_another_connection_takes_them_all(world: World) -> None:
    user_id = await world.person()
    archive = await exported(world)
    await world.delete_user(user_id)
    second = await world.new_connection("Second")
    administrators = [row["id"] for row in await world.rows(tables.Connection) if row["for_administrators"]]
    for refused in ("con_0000000000000000", *administrators):
        assert (await sent(world, archive, connection_id=refused)).status_code == 400
    assert (await imported(world, archive, connection_id=second))["summary"]["inserted"] == 1
    assert [row["connection_id"] for row in await world.rows(tables.Account)] == [second]


@pytest.mark.parametrize("installation", ["sqlite"], indirect=True)
async def test_the_route_of_imports_takes_archives_too(world: World) -> None:
    """From whoever may import archives: hashes and handles of one's own choice are more than rows."""
    user_id = await world.person()
    archive = await exported(world)
    await world.delete_user(user_id)

    async def send(scope: str | None) -> Any:
        headers = {"authorization": f"Bearer {await world.management_token(scope)}"}
        files = {"users": ("users.tar.gz", archive)}
        return await world.client.post("/api/v2/jobs/users-imports", headers=headers, files=files)

    assert (await send("create:users")).status_code == 403
    job = await finished(world, await send(None))
    assert job["summary"] == {"failed": 0, "updated": 0, "inserted": 1, "total": 1}
    assert (await world.login()).status_code == 200
