"""What log streams carry, in which pieces and forms, and how long they wait for whom."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from keystead.errors import BadRequest
from keystead.rules import log_categories, log_streams
from keystead.rules.events import TYPES
from keystead.rules.log_categories import CATEGORIES, category_of
from keystead.rules.log_entries import LogEntry
from keystead.rules.log_streams import MASK, MOST_BYTES, MOST_ENTRIES, Secrets, body_of, next_batch
from keystead.secrecy import Secret

MOMENT = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
NONE = dict.fromkeys(("user_id", "connection_id", "client_id", "description", "decision", "actor", "request_id"))


def entry(number: int, seal: int = 1, type: str = "s", **more: Any) -> LogEntry:
    found = LogEntry(f"{number:04d}", MOMENT, type, ip="", user_agent="", details={}, seal=seal, **NONE)
    return replace(found, **more)


def settings(*categories: str, format: str = "JSONLINES", since: datetime | None = None) -> dict[str, Any]:
    return {
        "sink": {"httpContentFormat": format},
        "filters": [{"type": "category", "name": each} for each in categories],
        "startFrom": since.isoformat() if since else None,
    }


def test_every_event_is_in_exactly_one_category() -> None:
    listed = [each for members in log_categories._MEMBERS.values() for each in members]
    assert sorted(listed) == sorted(set(listed))
    assert set(listed) <= set(TYPES), "of no event that we write"
    assert {each for each in TYPES if category_of(each) == "other"} == set(), "name a category for it"
    assert set(log_categories._MEMBERS) <= set(CATEGORIES)
    assert category_of("what is this") == "other"


@pytest.mark.parametrize(
    ("type", "category"),
    [
        ("s", "auth.login.success"),
        ("fp", "auth.login.fail"),
        ("ss", "auth.signup.success"),
        ("fs", "auth.signup.fail"),
        ("slo", "auth.logout.success"),
        ("ferrt", "auth.token_exchange.fail"),
        ("sapi", "management.success"),
        ("scp", "user.success"),
        ("fcp", "user.fail"),
        ("svr", "user.notification"),
        ("api_limit", "system.notification"),
    ],
)
def test_categories_are_those_of_auth0(type: str, category: str) -> None:
    assert category_of(type) == category


def test_a_batch_is_of_one_seal() -> None:
    """What is in a seal never changes: a second try is of the same entries, also when more was sealed meanwhile."""
    found = [entry(1, 1), entry(2, 1), entry(3, 2)]
    batch = next_batch(found, settings())
    assert batch is not None
    assert ([each.log_id for each in batch.entries], batch.last, batch.position) == (
        ["0001", "0002"],
        (1, "0002"),
        "1.0002",
    )
    assert next_batch(found[:2], settings()) == batch


def test_a_batch_is_bounded_by_number_and_size() -> None:
    many = [entry(number) for number in range(MOST_ENTRIES + 5)]
    batch = next_batch(many, settings())
    assert batch is not None
    assert len(batch.entries) == MOST_ENTRIES
    large = [entry(number, details={"text": "x" * (MOST_BYTES // 2 - 100)}) for number in range(3)]
    batch = next_batch(large, settings())
    assert batch is not None
    assert len(batch.entries) == 1
    assert len(body_of(batch, "JSONLINES", "")) < MOST_BYTES
    alone = next_batch([entry(1, details={"text": "x" * MOST_BYTES}), entry(2)], settings())
    assert alone is not None
    assert len(alone.entries) == 1


def test_what_nobody_wants_is_passed_over() -> None:
    found = [entry(1, 1, "s"), entry(2, 1, "fp"), entry(3, 1, "s"), entry(4, 2, "s")]
    batch = next_batch(found, settings("auth.login.fail"))
    assert batch is not None
    assert ([each.log_id for each in batch.entries], batch.last) == (["0002"], (2, "0004"))
    assert batch.position == "1.0002"
    nothing = next_batch(found, settings("auth.signup.fail"))
    assert nothing is not None
    assert (nothing.entries, nothing.last) == ((), (2, "0004"))
    assert next_batch([], settings()) is None
    later = next_batch(found, settings(since=MOMENT + timedelta(seconds=1)))
    assert later is not None
    assert later.entries == ()
    now = next_batch(found, settings(since=MOMENT))
    assert now is not None
    assert len(now.entries) == 3


def test_the_forms_of_a_body() -> None:
    batch = next_batch([entry(1), entry(2)], settings())
    assert batch is not None
    lines = body_of(batch, "JSONLINES", "login.example.com")
    assert [json.loads(line)["log_id"] for line in lines.splitlines()] == ["0001", "0002"]
    assert lines.endswith(b"\n")
    assert [each["log_id"] for each in json.loads(body_of(batch, "JSONARRAY", ""))] == ["0001", "0002"]
    one = next_batch([entry(1), entry(2)], settings(format="JSONOBJECT"))
    assert one is not None
    found = json.loads(body_of(one, "JSONOBJECT", "login.example.com"))
    assert found["log_id"] == "0001"
    assert found["data"] | {"details": {}} == found["data"]
    assert (found["data"]["type"], found["data"]["date"]) == ("s", "2026-06-01T12:00:00.000Z")
    assert (found["data"]["hostname"], found["data"]["is_mobile"]) == ("login.example.com", False)


def test_a_batch_keeps_its_name_and_each_stream_has_its_own() -> None:
    one, other = next_batch([entry(1), entry(2)], settings()), next_batch([entry(1)], settings())
    assert one is not None
    assert other is not None
    names = {one.name("lst_1"), one.name("lst_1"), one.name("lst_2"), other.name("lst_1")}
    assert len(names) == 3


def test_waits_grow_to_an_hour_and_receivers_may_ask_for_more() -> None:
    seconds = [log_streams.wait(failures, None).total_seconds() for failures in (1, 2, 3, 4, 5, 6, 7, 100)]
    assert seconds == [5, 20, 80, 320, 1280, 3600, 3600, 3600]
    assert log_streams.wait(1, 30).total_seconds() == 30
    assert log_streams.wait(2, 1).total_seconds() == 20
    assert log_streams.wait(1, 10**9) == timedelta(hours=24)


def test_a_stream_is_given_up_after_about_a_week() -> None:
    waited = sum((log_streams.wait(each, None) for each in range(1, log_streams.GIVEN_UP_AFTER)), timedelta())
    assert timedelta(days=6, hours=20) < waited < timedelta(days=7, hours=4)
    assert not log_streams.is_given_up(log_streams.GIVEN_UP_AFTER - 1, 500)
    assert log_streams.is_given_up(log_streams.GIVEN_UP_AFTER, 500)
    assert log_streams.is_given_up(1, 410)


FORBIDDEN = (
    *("Cookie", "Connection", "Content-Length", "Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X_Forwarded_For"),
    *("X-Real-IP", "X-HTTP-Method-Override", "Proxy-Authorization", "X-Original-URL", "Transfer_Encoding"),
)

SINK = {"httpEndpoint": "https://logs.example.com/in"}
NEW = {"name": "Logs", "type": "http", "sink": SINK}


@pytest.mark.parametrize(
    ("change", "path", "told"),
    [
        ({"type": "splunk"}, "type", "type splunk are not supported"),
        ({"type": "carrier pigeon"}, "type", "No enum match"),
        ({"name": ""}, "name", "too short"),
        ({"filters": [{"type": "category", "name": "auth.shoes"}]}, "filters.0.name", "No enum match"),
        ({"startFrom": "yesterday"}, "startFrom", "date-time"),
        ({"startFrom": "2026-01-01T00:00:00"}, "startFrom", "date-time"),
        ({"startFrom": "0001-01-01T00:00:00+09:00"}, "startFrom", "date-time"),
        ({"startFrom": 7}, "startFrom", "."),
        ({"pii_config": {}}, "", "Additional properties"),
        ({"sink": {}}, "sink", "Missing required property"),
        *(
            ({"sink": {"httpEndpoint": url}}, "sink.httpEndpoint", told)
            for url, told in [
                ("http://logs.example.com/in", "Must be an https URL"),
                ("ftp://logs.example.com/in", "Must be an https URL"),
                ("https://user:secret@logs.example.com/in", "format url"),
                ("https:///in", "format url"),
                ("https://logs.example.com/a b", "format url"),
                ("https://logs.example.com/\r\nx: y", "format url"),
                ("https://logs.example.com:0/", "format url"),
                ("https://logs.example.com:99999/", "format url"),
                ("https://logs.example.com\\@internal/", "format url"),
                ("https://logs.example.com/in#top", "format url"),
                ("https://logs.example.com/in\u00e4", "format url"),
                ("https://[::1/", "format url"),
                ("logs.example.com", "format url"),
                ("http://localhost.example.com/", "Must be an https URL"),
            ]
        ),
        *(
            ({"sink": SINK | {"httpCustomHeaders": [{"header": name, "value": "x"}]}}, "sink.httpCustomHeaders", told)
            for name, told in [
                ("Host", "Not a header"),
                ("keystead-signature", "Not a header"),
                *((name, "Not a header") for name in FORBIDDEN),
                ("a b", "Not a header"),
            ]
        ),
        ({"sink": SINK | {"httpCustomHeaders": [{"header": "X", "value": "a\r\nb"}]}}, "sink", "printable"),
        ({"sink": SINK | {"httpAuthorization": "a\nb"}}, "sink.httpAuthorization", "printable"),
        ({"sink": SINK | {"httpContentType": "text/plain\r\nx: y"}}, "sink.httpContentType", "pattern"),
        ({"sink": SINK | {"httpContentFormat": "XML"}}, "sink.httpContentFormat", "No enum match"),
        (
            {"sink": SINK | {"httpCustomHeaders": [{"header": "X", "value": "1"}, {"header": "x", "value": "2"}]}},
            "sink.httpCustomHeaders",
            "once",
        ),
    ],
)
def test_what_cannot_be_is_refused_by_name(change: dict[str, Any], path: str, told: str) -> None:
    with pytest.raises(BadRequest, match=told) as refused:
        log_streams.read_new(NEW | change)
    assert (refused.value.path or "").startswith(path)


@pytest.mark.parametrize(
    "url", ["http://localhost:8080/in", "http://127.0.0.1/", "http://[::1]:9/", "https://a.b/?c=d"]
)
def test_endpoints_that_can_be(url: str) -> None:
    assert log_streams.read_new(NEW | {"sink": {"httpEndpoint": url}}).sink.endpoint == url


STORED = Secrets(Secret("signing"), Secret("Bearer one"), (("X-Key", Secret("two")),))


def sink(**more: Any) -> log_streams.Sink:
    return log_streams.read_new(NEW | {"sink": SINK | more}).sink


def test_what_is_masked_stays_for_its_endpoint_alone() -> None:
    masked = sink(httpAuthorization=MASK, httpCustomHeaders=[{"header": "x-key", "value": MASK}])
    kept = log_streams.secrets_of(masked, SINK["httpEndpoint"], STORED)
    assert kept.authorization is not None
    assert (kept.authorization.reveal(), kept.headers[0][1].reveal()) == ("Bearer one", "two")
    assert kept.signing.reveal() == "signing"
    with pytest.raises(BadRequest, match="send the value itself"):
        log_streams.secrets_of(masked, "https://elsewhere.example.com/", STORED)
    unknown = sink(httpCustomHeaders=[{"header": "X-Other", "value": MASK}])
    with pytest.raises(BadRequest, match="send the value itself"):
        log_streams.secrets_of(unknown, SINK["httpEndpoint"], STORED)
    assert log_streams.secrets_of(sink(), SINK["httpEndpoint"], STORED).authorization is None


def test_secrets_are_written_and_read() -> None:
    found = log_streams.read_secrets(STORED.written())
    assert found.written() == STORED.written()
    assert "one" not in repr(found)
