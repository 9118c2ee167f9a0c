"""Imports of users over the wire: shapes and words as Auth0's, rows and files of all kinds, rehearsals, canaries."""

import json
import tracemalloc
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from authenticator import Authenticator
from elsewhere_made import made_elsewhere
from importing import HASH, errors, imported, job, only_error, people, rows, send, user, work
from keystead import worker
from keystead.db import jobs, tables
from keystead.db.import_jobs import finish
from keystead.rules.row_files import RowReader
from owners import first_owner
from world import PASSWORD, World

SQLITE = pytest.mark.parametrize("installation", ["sqlite"], indirect=True)


async def test_a_job_from_its_beginning_to_its_end(world: World) -> None:
    begun = await send(world, [*people(2), {"email": "not-an-email"}], external_id="x")
    assert begun.status_code == 202
    found = begun.json()
    assert set(found) == {"type", "status", "connection_id", "connection", "created_at", "id", "external_id"}
    assert (found["type"], found["status"], found["connection"]) == ("users_import", "pending", world.connection)
    waiting = await job(world, found["id"])
    assert (waiting["status"], waiting["percentage_done"], waiting["rows"]) == ("pending", 0, 3)
    assert (await world.manage("GET", f"/jobs/{found['id']}/errors")).status_code == 204
    assert await work(world) == 1

    done = await job(world, found["id"])
    assert (done["status"], done["percentage_done"]) == ("completed", 100)
    assert done["summary"] == {"failed": 1, "updated": 0, "inserted": 2, "total": 3}
    assert await errors(world, found["id"]) == [
        {
            "user": {"email": "not-an-email"},
            "errors": [
                {
                    "code": "FORMAT",
                    "message": "Object didn't pass validation for format email: not-an-email",
                    "path": "email",
                }
            ],
        }
    ]
    assert (await world.login("person-1@example.com", "shh")).status_code == 200
    (entry,) = (await world.manage("GET", "/logs", params={"q": "type:sui", "search_engine": "v3"})).json()
    assert {name: entry["details"][name] for name in ("inserted", "failed")} == {"inserted": 2, "failed": 1}
    assert await world.count(tables.JobFile) == 0, "hashes stay no longer than they are needed"
    world.clock.advance(hours=25)
    await world.db.write(worker.sweep, world.clock())
    world.forget_tokens()
    assert (await world.manage("GET", f"/jobs/{found['id']}")).status_code == 404


@SQLITE
async def test_what_is_refused_at_once(world: World) -> None:
    nowhere = "con_0123456789abcdef"
    off = await world.new_connection("Off")
    scripted = await world.new_connection("Theirs")
    await _set(world, off, active=False)
    await _set(world, scripted, options={"enabledDatabaseCustomization": True})
    good = b"[]"
    for fields, file, said in (
        ({"connection_id": None}, good, "Must provide 'connection_id' as multipart part."),
        ({}, b"", "Users file must not be empty."),
        (
            {"connection_id": "x"},
            good,
            "Payload validation error: 'String does not match pattern ^con_[A-Za-z0-9]{16}$' on property"
            " connection_id.",
        ),
        ({"connection_id": nowhere}, good, "The connection does not exist."),
        ({"connection_id": off}, good, "Connection must be enabled."),
        ({"connection_id": scripted}, good, "Custom Database Connections without import mode are not allowed."),
        (
            {"upsert": "yes"},
            good,
            "Payload validation error: 'Expected type boolean but found type string' on property upsert.",
        ),
        ({"other": "x"}, good, "Payload validation error: 'Additional properties not allowed: other'."),
        (
            {"canary": "ann"},
            good,
            "Payload validation error: 'must be a user, a colon and a password' on property canary.",
        ),
    ):
        answer = await send(world, file, **fields)
        assert (answer.status_code, answer.json()["message"]) == (400, said)
        assert answer.json()["errorCode"] == "invalid_body"
    form = {"connection_id": (None, world.connection_id)}
    answer = await world.manage("POST", "/jobs/users-imports", files=form)
    assert answer.json()["message"] == "Must provide 'users' file as multipart part."
    for content, kind in ((b"--x\r\nnonsense", "multipart/form-data; boundary=x"), (b"", "multipart/form-data")):
        token = await world.management_token()
        headers = {"authorization": f"Bearer {token}", "content-type": kind}
        answer = await world.client.post("/api/v2/jobs/users-imports", content=content, headers=headers)
        assert answer.json()["message"] == "Payload validation error: 'Invalid multipart payload format'."
    answer = await send(world, b"[" + b" " * 512_000 + b"]")
    assert answer.status_code == 413
    assert answer.json()["message"] == "Payload content length greater than maximum allowed: 512000."
    assert await world.count(tables.Job) == 0, "of what was refused nothing is left"

    assert [(await send(world, good)).status_code for _ in range(3)] == [202, 202, 429]
    answer = await send(world, good)
    assert answer.json()["message"] == (
        "There are 2 active import users jobs, please wait until some of them are finished and try again"
    )
    assert answer.json()["errorCode"] == "too_many_requests"


async def _set(world: World, connection_id: str, **values: Any) -> None:
    statement = update(tables.Connection).where(tables.Connection.id == connection_id).values(**values)  # type: ignore[arg-type]
    await world.db.write(lambda session: session.connection().execute(statement))


REFUSED = [
    ({"email": "ann@corp.local"}, "FORMAT", "email", "a domain that is reserved"),
    (
        {"email": "a@example.com", "password_hash": "5f4dcc3b5aa765d61d8327deb882cf99"},
        "PATTERN",
        "password_hash",
        "custom_",
    ),
    ({"email": 1}, "INVALID_TYPE", "email", "Expected type string but found type integer"),
    ({"given_name": "A"}, "OBJECT_REQUIRED", None, "Missing required property: email"),
    ({"email": "a@example.com", "shoe_size": 1}, "NOT_PASSED", None, "Additional properties not allowed: shoe_size"),
    ({"email": "a@example.com", "blocked": "no"}, "INVALID_TYPE", "blocked", "Expected type boolean"),
    ({"email": "a@example.com", "name": ""}, "MIN_LENGTH", "name", "String is too short (0 chars), minimum 1"),
    ({"email": "a@example.com", "name": "x" * 301}, "MAX_LENGTH", "name", "String is too long (301 chars)"),
    ({"email": "a@example.com", "picture": "ftp://x"}, "FORMAT", "picture", "strict-uri"),
    ({"email": "a@example.com", "user_id": "a/b"}, "PATTERN", "user_id", "String does not match pattern"),
    ({"email": "a@example.com", "phone_number": "123"}, "PATTERN", "phone_number", r"^\+[0-9]{1,15}$"),
    ({"email": "a@example.com", "username": "ann"}, "NOT_PASSED", "username", "Cannot set username"),
    ({"email": "a@example.com", "app_metadata": {"email": 1}}, "NOT_PASSED", "app_metadata", "must not have email"),
    ({"email": "a@example.com", "user_metadata": {"a.b": 1}}, "PATTERN", "user_metadata", "keys must not"),
    ({"email": "a@example.com", "user_metadata": {"a": "x" * 110_000}}, "MAX_LENGTH", "user_metadata", "too large"),
    ({"email": "a@example.com", "user_metadata": []}, "INVALID_TYPE", "user_metadata", "Expected type object"),
    ({"email": "a@example.com", "password_hash": "plain"}, "PATTERN", "password_hash", ""),
    (
        {"email": "a@example.com", "password_hash": HASH, "custom_password_hash": {}},
        "NOT_PASSED",
        None,
        "exclude each other",
    ),
    (
        {"email": "a@example.com", "custom_password_hash": {"algorithm": "rot13", "hash": {"value": "x"}}},
        "ENUM_MISMATCH",
        "custom_password_hash.algorithm",
        "",
    ),
    ({"email": "a@example.com", "mfa_factors": []}, "ARRAY_LENGTH_SHORT", "mfa_factors", "Array is too short (0)"),
    ({"email": "a@example.com", "mfa_factors": [{}] * 11}, "ARRAY_LENGTH_LONG", "mfa_factors", "maximum 10"),
    ({"email": "a@example.com", "mfa_factors": [{}]}, "ANY_OF_MISSING", "mfa_factors.0", "Exactly one of"),
    (
        {"email": "a@example.com", "mfa_factors": [{"totp": {"secret": "a1"}}]},
        "PATTERN",
        "mfa_factors.0.totp.secret",
        "^[A-Z2-7]+$",
    ),
    ({"email": "a@example.com", "mfa_factors": [{"phone": {}}]}, "OBJECT_REQUIRED", "mfa_factors.0.phone", "value"),
    ({"email": "a@example.com", "passkeys": [{}]}, None, None, ""),
    ([], "INVALID_TYPE", "", "Expected type object but found type array"),
    (None, "OBJECT_REQUIRED", None, "user"),
]


@SQLITE
async def test_rows_that_are_refused(world: World) -> None:
    found = await imported(world, [row for row, *_ in REFUSED])
    assert found["summary"] == {"failed": len(REFUSED), "updated": 0, "inserted": 0, "total": len(REFUSED)}
    for (row, code, path, said), refused in zip(REFUSED, await errors(world, found["id"]), strict=True):
        if code is not None:
            (error,) = refused["errors"]
            assert (error["code"], error.get("path")) == (code, path), (row, error)
            assert said in error["message"], (row, error)
    secrets = json.dumps(await errors(world, found["id"]))
    assert HASH not in secrets
    assert '"password_hash": "***"' in secrets


@SQLITE
async def test_a_password_under_a_name_of_nobody_is_not_said_back(world: World) -> None:
    """Nor is it kept: in clear it would lie in the database for a day."""
    row = {"email": "ann@example.com", "password": PASSWORD, "legacy": {"pin": [PASSWORD]}, PASSWORD * 20: 1}
    found = await imported(world, [row], dry_run="true")
    (refused,) = await errors(world, found["id"])
    shown = {"email": "ann@example.com", "password": "***", "legacy": "***", (PASSWORD * 20)[:100]: "***"}
    assert refused["user"] == shown
    assert "Additional properties not allowed: password" in str(refused["errors"])
    assert [kept["found"]["user"] for kept in await world.rows(tables.JobRow)] == [shown]


@SQLITE
async def test_clashes_and_what_an_upsert_changes(world: World) -> None:
    await world.manage("PATCH", f"/connections/{world.connection_id}", {"options": WITH_NAMES})
    ann = {"email": "Ann@Example.com", "user_id": "a", "username": "ann1", "password_hash": HASH, "given_name": "Ann"}
    assert (await imported(world, [ann | {"app_metadata": {"a": 1, "b": 2}}]))["summary"]["inserted"] == 1
    file = [
        ann,
        {"email": "b@example.com", "user_id": "a"},
        {"email": "c@example.com", "username": "ANN1"},
        {"email": "d@example.com"},
        {"email": "D@example.com"},
        {"email": "strasse@example.com"},
        {"email": "straße@example.com"},
    ]
    for dry_run in ("true", "false"):
        found = await imported(world, file, dry_run=dry_run)
        assert [
            (each["row"], each["errors"][0]["code"], each["clash"])
            for each in await rows(world, found["id"])
            if each["verdict"] == "error"
        ] == [
            (1, "DUPLICATED_USER", {"user_id": "auth0|a"}),
            (2, "CONFLICT", {"user_id": "auth0|a"}),
            (3, "CONFLICT_USERNAME", {"user_id": "auth0|a"}),
            (5, "DUPLICATED_USER", {"row": 4}),
            (7, "CONFLICT_EMAIL", {"row": 6}),
        ]
        said = [each["errors"][0]["message"] for each in await errors(world, found["id"])]
        assert {said[0], said[3]} == {"The user already exist and upsert parameter is false"}
        assert found["summary"]["inserted"] == 2
    assert await world.count(tables.Account) == 3

    changed = {
        "email": "ann@example.com",
        "email_verified": True,
        "given_name": "Anna",
        "user_id": "z",
        "username": "q",
        "app_metadata": {"c": 3},
    }
    found = await imported(world, [changed, changed, {"email": "d@example.com"}], upsert="true")
    assert found["summary"] == {"failed": 1, "updated": 2, "inserted": 0, "total": 3}
    assert (await errors(world, found["id"]))[0]["errors"][0]["message"] == "The user is in the file twice"
    now = await user(world, "ann@example.com")
    assert (now["user_id"], now["username"], now["given_name"]) == ("auth0|a", "ann1", "Anna")
    assert (now["email_verified"], now["app_metadata"]) == (True, {"c": 3})


WITH_NAMES = {
    "attributes": {
        "email": {"identifier": {"active": True}, "profile_required": True},
        "username": {"identifier": {"active": True}, "profile_required": False},
    }
}


@SQLITE
async def test_a_hash_is_replaced_until_it_is_used(world: World) -> None:
    custom = {"algorithm": "md5", "hash": {"value": "67A1E09BB1F83F5007DC119C14D663AA", "encoding": "hex"}}
    custom |= {"salt": {"value": "salt", "position": "prefix"}}
    ann, bob = {"email": "ann@example.com"}, {"email": "bob@example.com", "password_hash": HASH}
    wrong = custom | {"salt": {"value": "other", "position": "prefix"}}
    await imported(world, [ann | {"custom_password_hash": wrong}, bob])
    assert (await world.login(password="password")).status_code == 403
    found = await imported(
        world, [ann | {"custom_password_hash": custom}], upsert="true", canary="ann@example.com:password"
    )
    assert found["canaries"] == [{"user": "ann@example.com", "row": 1, "works": True, "why": "the password is right"}]
    assert (await world.login(password="password")).status_code == 200
    used = await imported(
        world,
        [ann | {"custom_password_hash": wrong}, {"email": "bob@example.com", "custom_password_hash": custom}],
        upsert="true",
        dry_run="true",
        canary=["ann@example.com:password", "bob@example.com:shh"],
    )
    assert [each["verdict"] for each in await rows(world, used["id"])] == ["skip", "skip"]
    assert [(each["works"], each["why"]) for each in used["canaries"]] == [
        (False, "the account keeps the password that it has")
    ] * 2


@SQLITE
async def test_old_tokens_of_an_id_open_nothing_of_whoever_gets_it(world: World) -> None:
    """Not even within the second of which tokens say that it is when they were issued."""
    user_id = await world.person()
    token = (await world.tokens())["access_token"]
    await world.delete_user(user_id)
    world.clock.advance(milliseconds=500)
    found = await imported(world, [{"email": "new@example.com", "user_id": user_id.partition("|")[2]}, *people(1)])
    assert found["summary"]["inserted"] == 2
    assert (await user(world, "new@example.com"))["user_id"] == user_id
    assert (await world.userinfo(token)).status_code == 401


async def test_passkeys_travel_with_their_users(world: World) -> None:
    await world.patch_options(authentication_methods={"passkey": {"enabled": True}, "password": {"enabled": True}})
    here, away = Authenticator(), Authenticator()
    key = {name: value for name, value in made_elsewhere(here).items() if name != "type"}
    lost = {
        name: value
        for name, value in made_elsewhere(away, rp_id="else.example", handle=key["user_handle"]).items()
        if name != "type"
    }
    row = {
        "email": "ann@example.com",
        "passkeys": [key | {"sign_count": 1, "name": "Phone", "created_at": "2024-03-01T09:00:00Z"}, lost],
    }
    rehearsed = await imported(world, [row], dry_run="true")
    assert rehearsed["rehearsal"]["passkeys_that_do_not_work"] == 1
    (found,) = await rows(world, rehearsed["id"])
    assert [each["works"] for each in found["passkeys"]] == [True, False]
    assert "relying_party" in found["passkeys"][1]["why"]
    assert await world.count(tables.Passkey) == 0

    assert (await imported(world, [row]))["summary"]["inserted"] == 1
    assert (await world.passkey_login(here)).status_code == 200
    other = {"email": "bob@example.com", "passkeys": [key]}
    assert await only_error(world, other) == {
        "code": "CONFLICT",
        "message": "The user_handle is another user's",
        "path": "user_handle",
    }
    handle_missing = {"email": "cat@example.com", "passkeys": [{n: v for n, v in key.items() if n != "user_handle"}]}
    assert (await only_error(world, handle_missing))["code"] == "OBJECT_REQUIRED"
    bad_key = {"email": "cat@example.com", "passkeys": [key | {"public_key": "AAAA"}]}
    assert (await only_error(world, bad_key))["path"] == "passkeys.0.public_key"


@SQLITE
async def test_nobody_gets_more_passkeys_than_anybody_may_have(world: World) -> None:
    """Not by one file after the other either: all of an account are listed, excluded and counted."""
    await world.person()
    keys = [made_elsewhere(Authenticator()) for _ in range(101)]
    given = [{name: value for name, value in each.items() if name != "type"} for each in keys]
    parts = (given[:60], given[60:], given[60:100])
    some, too_many, as_many = ({"email": "ann@example.com", "passkeys": each} for each in parts)
    assert (await imported(world, [some], upsert="true"))["summary"]["updated"] == 1
    refused = await imported(world, [too_many], upsert="true")
    assert refused["summary"] == {"failed": 1, "updated": 0, "inserted": 0, "total": 1}
    (found,) = await errors(world, refused["id"])
    (error,) = found["errors"]
    assert (error["code"], error["message"]) == ("ARRAY_LENGTH_LONG", "Array is too long (101), maximum 100")
    assert (await imported(world, [as_many], upsert="true"))["summary"]["updated"] == 1
    assert await world.count(tables.Passkey) == 100


@SQLITE
async def test_a_passkey_for_somebody_who_is_there_is_a_way_into_their_account(world: World) -> None:
    """It takes the scope that adds one by itself, held when the file was sent; and its owner is told."""
    await world.patch_options(authentication_methods={"passkey": {"enabled": True}, "password": {"enabled": True}})
    user_id, device = await world.person(), Authenticator()
    key = {name: value for name, value in made_elsewhere(device, name="Mallory's").items() if name != "type"}
    row = {"email": "ann@example.com", "nickname": "Annie", "passkeys": [key]}
    before = len(await world.letters())
    refused = await imported(world, [row, *people(1, passkeys=[])], scope="create:users", upsert="true")
    assert refused["summary"] == {"failed": 1, "updated": 0, "inserted": 1, "total": 2}
    (found,) = await errors(world, refused["id"])
    assert (found["errors"][0]["code"], found["errors"][0]["path"]) == ("NOT_PASSED", "passkeys")
    assert "create:authentication_methods" in found["errors"][0]["message"]
    assert (await user(world, "ann@example.com"))["nickname"] != "Annie"

    both = "create:users create:authentication_methods"
    assert (await imported(world, [row], scope=both, upsert="true", dry_run="true"))["summary"]["updated"] == 1
    assert (await world.count(tables.Passkey), len(await world.letters())) == (0, before)
    asked = await send(world, [row], scope=both, upsert="true")
    await work(world)
    assert (await job(world, asked.json()["id"]))["summary"]["updated"] == 1
    assert (await world.passkey_login(device)).status_code == 200
    newest, *others = await world.letters()
    assert len(others) == before
    assert (newest.to, newest.subject) == ("ann@example.com", "A passkey was added to your account")
    assert "Mallory's." in newest.text
    entries = await world.rows(tables.JournalRow)
    (entry,) = [each for each in entries if each["description"] == "Create an authentication method"]
    assert (entry["type"], entry["user_id"]) == ("sapi", user_id)
    (passkey,) = await world.rows(tables.Passkey)
    told = {"authentication_method_id": passkey["id"], "job_id": asked.json()["id"]}
    assert told.items() <= entry["details"].items()

    # With what the account has already, the same row needs nothing more.
    again = await imported(world, [row | {"nickname": "Nan"}], scope="create:users", upsert="true")
    assert again["summary"]["updated"] == 1
    assert len(await world.letters()) == before + 1


HOSTILE = [
    b'[{"email": "a@example.com"}, {"n": ' + b"1" * 200_000 + b"}, " + b'{"email": "b@example.com"}]',
    b'[{"email": "a@example.com"}, {"n": ' + b"[" * 50_000 + b"]" * 50_000 + b'}, {"email": "b@example.com"}]',
    b'[{"email": "a@example.com"}, {"email": "\xff"}, {"email": "b@example.com"}]',
    b'[{"email": "a@example.com"}, {"email": "x@example.com", "email": "y@example.com"}, {"email": "b@example.com"}]',
    b'[{"email": "a@example.com"}, {"name": "\\u0000"}, {"email": "b@example.com"}]',
    b'[{"email": "a@example.com"}, {"a": 1e999}, {"email": "b@example.com"}]',
    b'[{"email": "a@example.com"}, {"a": NaN}, {"email": "b@example.com"}]',
    b'{"email": "a@example.com"}\n{"email": \n\n{"email": "b@example.com"}\n',
    b'\xef\xbb\xbf[{"email": "a@example.com"}, "}{][", {"email": "b@example.com"}]',
]


@SQLITE
@pytest.mark.parametrize("file", HOSTILE, ids=range(len(HOSTILE)))
async def test_a_row_of_poison_is_one_error(world: World, file: bytes) -> None:
    found = await imported(world, file)
    assert found["summary"] == {"failed": 1, "updated": 0, "inserted": 2, "total": 3}


@SQLITE
@pytest.mark.parametrize("file", [b"x", b'[{"email": "a@example.com"}', b'[{"email": "a@example.com"} {}]', b"[]x"])
async def test_of_a_file_that_is_none_nothing_is_imported(world: World, file: bytes) -> None:
    found = await imported(world, file)
    assert found["status"] == "failed"
    answer = await world.manage("GET", f"/jobs/{found['id']}/errors")
    assert answer.json()["status_details"].startswith("Failed to parse the users file")
    assert await world.count(tables.Account) == 0
    assert "fui" in await world.journal()


def test_a_file_of_any_size_takes_little_memory() -> None:
    """A row of 30 MB, and a hundred thousand small ones, with no more than a few rows' worth of memory."""
    tracemalloc.start()
    reader, found = RowReader(), 0
    pieces = [b'[{"email": "', *[b"x" * 1_000_000] * 30, b'"}', *[b',{"email": "a@example.com"}' * 1000] * 100, b"]"]
    for piece in pieces:
        found += sum(1 for _ in reader.feed(piece))
    found += sum(1 for _ in reader.close())
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found == 100_001
    assert most < 10_000_000


@SQLITE
async def test_two_workers_share_one_job(world: World) -> None:
    """One of them was slow: what it does after its lease is not kept."""
    begun = (await send(world, people(3))).json()["id"]
    slow = await world.db.write(jobs.claim, world.clock(), ("users_import",))
    assert slow is not None
    assert await work(world) == 0, "it is somebody's"
    world.clock.advance(minutes=3)
    assert await work(world) == 1
    importer = world.app.state.flows.management.user_import
    await importer.deliver(slow)
    assert not await world.db.write(finish, slow, world.clock(), {})
    assert (await job(world, begun))["summary"]["inserted"] == 3


@SQLITE
async def test_a_job_that_takes_too_long_is_given_up(world: World) -> None:
    begun = (await send(world, people(3))).json()["id"]
    world.clock.step = timedelta(hours=3)
    await work(world)
    world.clock.step = timedelta()
    world.forget_tokens()
    assert "longer than 2 hours" in (await job(world, begun))["status_details"]


@SQLITE
async def test_owners_are_told(world: World) -> None:
    await first_owner(world)
    await imported(world, people(1), send_completion_email="true")
    letter = next(each for each in await world.letters() if "import" in each.subject)
    assert letter.to == "root@example.com"
    assert "1 users new, 0 changed, 0 refused" in letter.text
    assert PASSWORD not in letter.text
