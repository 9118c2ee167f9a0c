"""The doctor's verdicts, case by case."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from keystead.db.health import DatabaseFacts
from keystead.rules import health, reachability
from keystead.rules.health import Finding, Given
from keystead.rules.reachability import Certificate, Fetched
from keystead.rules.relying_party import read

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
LOCAL = Given("http://localhost:8000", "127.0.0.1", has_outbox=True)
SITE = Given("https://login.example.com", "127.0.0.1", has_mail=True, proxies=((4, 32, "10.0.0.1/32"),))
GIB = 1 << 30


def bad(findings: list[Finding]) -> list[str]:
    """Return what is not well: the status and the id."""
    return [f"{each.status} {each.id}" for each in findings if each.status != "ok"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (LOCAL, []),
        (SITE, []),
        (replace(SITE, public_url="http://login.example.com"), ["warning public_url", "skipped cookies"]),
        (replace(SITE, public_url="https://10.0.0.1"), ["warning public_url"]),
        (replace(SITE, hash_cost=9), ["warning hash_cost"]),
        (replace(LOCAL, hash_cost=4), []),
        (replace(SITE, has_mail=False), ["warning mail_setting"]),
        (replace(LOCAL, host="0.0.0.0"), ["warning outbox"]),  # noqa: S104 - nothing listens
        (replace(LOCAL, host="::1"), []),
        (replace(SITE, proxies=((4, 0, "0.0.0.0/0"),)), ["warning trusted_proxies"]),
        (replace(SITE, proxies=((4, 8, "10.0.0.0/8"), (6, 64, "fd00::/64"))), []),
        (replace(SITE, proxies=((6, 0, "::/0"),)), ["warning trusted_proxies"]),
        (replace(SITE, metrics_host="0.0.0.0"), ["warning metrics"]),  # noqa: S104
        (replace(SITE, metrics_host="127.0.0.1"), []),
        (replace(SITE, lacks_otel=True), ["warning traces"]),
        (replace(SITE, unknown=("KEYSTEAD_X: there is no such setting",)), ["warning settings"]),
    ],
)
def test_settings(given: Given, expected: list[str]) -> None:
    found = health.of_settings(given)
    assert bad(found) == expected
    assert all(each.remedy for each in found if each.is_bad)


def test_a_line_names_the_variable_at_fault() -> None:
    (line,) = [each.line for each in health.of_settings(replace(SITE, hash_cost=9)) if each.is_bad]
    assert line == "KEYSTEAD_HASH_COST: 9 is for tests; use 10 or more for people"


def party(url: str = "https://login.example.com", **stored: Any) -> Any:
    return read(stored, url)


@pytest.mark.parametrize(
    ("now", "passkeys", "expected"),
    [
        (party(), {}, []),
        (party(id="example.com"), {"example.com": 3}, []),
        (party(id="example.org"), {}, ["error relying_party"]),
        (party(id="ample.com"), {}, ["error relying_party"]),
        (party(retiring=["old.example.com"]), {"old.example.com": 1}, []),
        (party(retiring=["old.example.com"]), {}, ["warning relying_party"]),
        (party(retiring=["old.example.com"]), None, []),
        (party(), {"old.example.com": 2}, ["warning relying_party"]),
        (party(related_origins=[f"https://site{n}.com" for n in range(6)]), {}, ["error relying_party"]),
    ],
)
def test_relying_party(now: Any, passkeys: dict[str, int] | None, expected: list[str]) -> None:
    assert bad(health.relying_party(now, passkeys)) == expected


def test_an_id_that_no_longer_fits_can_be_put_right_by_the_remedy() -> None:
    (finding,) = health.relying_party(party(id="old.org", retiring=["older.org"]), {"older.org": 1, "gone.org": 2})[1:]
    assert json.loads(finding.remedy.partition("party ")[2]) == {"retiring": ["older.org", "gone.org"]}


SQLITE = DatabaseFacts("SQLite", "3.40", file="/x", journal_mode="wal", synchronous="normal", encoding="UTF-8")
POSTGRES = DatabaseFacts("PostgreSQL", "16", synchronous="on", encoding="UTF8", most_connections=100, connections=9)


@pytest.mark.parametrize(
    ("facts", "given", "expected"),
    [
        (SQLITE, SITE, []),
        (replace(SQLITE, journal_mode="delete"), SITE, ["warning database"]),
        (POSTGRES, SITE, []),
        (POSTGRES, replace(SITE, workers=12), []),
        (POSTGRES, replace(SITE, workers=13), ["error database"]),
        (replace(POSTGRES, encoding="SQL_ASCII"), SITE, ["error database"]),
        (replace(POSTGRES, synchronous="off"), SITE, ["warning database"]),
    ],
)
def test_database(facts: DatabaseFacts, given: Given, expected: list[str]) -> None:
    assert bad(health.database(facts, given)) == expected


def test_a_pool_that_fits() -> None:
    (finding,) = health.database(POSTGRES, replace(SITE, workers=13))
    assert finding.remedy == "KEYSTEAD_DATABASE_POOL=7"
    assert not bad(health.database(POSTGRES, replace(SITE, workers=13, pool=7)))


@pytest.mark.parametrize(
    ("finding", "status"),
    [
        (health.secret_keys(1, None), "ok"),
        (health.secret_keys(1, 0o100600), "ok"),
        (health.secret_keys(1, 0o100640), "error"),
        (health.sealed([], 3), "ok"),
        (health.sealed(["signing key k"], 2), "error"),
        (health.schema("0006", "0006"), "ok"),
        (health.schema("0005", "0006"), "error"),
        (health.schema(None, "0006"), "error"),
        (health.files({"/d": 0o040700, "/d/db": 0o100600}), "ok"),
        (health.files({"/d": 0o040755}), "warning"),
        (health.disk("/", 10 * GIB, 20 * GIB), "ok"),
        (health.disk("/", GIB // 2, 2 * GIB), "ok"),
        (health.disk("/", GIB // 2, 20 * GIB), "warning"),
        (health.disk("/", 1 << 20, 20 * GIB), "error"),
        (health.clock("c", "it", 4.9), "ok"),
        (health.clock("c", "it", -5.1), "warning"),
        (health.clock("c", "it", 61), "error"),
        (health.jobs([]), "ok"),
        (health.jobs([("message", "pending", 3, 299.0)]), "ok"),
        (health.jobs([("message", "pending", 3, 301.0)]), "warning"),
        (health.jobs([("message", "failed", 1, 0.0)]), "warning"),
        (health.jobs([("message", "failed", 1, 9999.0)]), "warning"),
        (health.jobs([("users_import", "failed", 1, 0.0), ("users_archive_import", "failed", 1, 0.0)]), "ok"),
        (health.journal(9, 10), "ok"),
        (health.journal(10, 10), "warning"),
        (health.administrators({"owner": 1}, None, NOW), "ok"),
        (health.administrators({"owner": 1}, None, NOW, invited=1), "ok"),
        (health.administrators({"viewer": 1}, None, NOW), "warning"),
        (health.administrators({}, NOW + timedelta(days=7), NOW, invited=1), "warning"),
        (health.administrators({}, NOW + timedelta(days=7), NOW), "ok"),
        (health.administrators({}, NOW + timedelta(days=1), NOW), "warning"),
        (health.administrators({}, NOW, NOW), "warning"),
        (health.hashing(60, SITE), "ok"),
        (health.hashing(10, SITE), "warning"),
        (health.hashing(10, LOCAL), "ok"),
        (health.hashing(1500, SITE), "warning"),
        (health.metadata(None, NOW.date()), "skipped"),
        (reachability.tls(Certificate(NOW + timedelta(days=14, hours=1)), NOW), "ok"),
        (reachability.tls(Certificate(NOW + timedelta(days=13)), NOW), "warning"),
        (reachability.tls(Certificate(failure="certificate has expired"), NOW), "error"),
    ],
    ids=str,
)
def test_verdicts(finding: Finding, status: str) -> None:
    assert finding.status == status
    assert bool(finding.remedy) is finding.is_bad


def answer(**probe: Any) -> Fetched:
    return Fetched(200, NOW, json.dumps({"status": "ok"} | ({"probe": probe} if probe else {})))


@pytest.mark.parametrize(
    ("fetched", "status", "says"),
    [
        (answer(proof="right"), "ok", "leads here"),
        (answer(proof="wrong"), "error", "not to this installation"),
        (answer(), "error", "not to this installation"),
        (Fetched(failure="ConnectError"), "error", "does not answer: ConnectError"),
        (Fetched(200, NOW, "<html>"), "error", "which is not ours"),
        (Fetched(200, NOW, "[]"), "error", "which is not ours"),
        (Fetched(301, NOW, ""), "error", "answers 301"),
        (Fetched(200, NOW, '{"status": "ok", "probe": []}'), "error", "not to this installation"),
    ],
)
def test_reached(fetched: Fetched, status: str, says: str) -> None:
    finding = reachability.reached("https://login.example.com", fetched, "right")
    assert finding.status == status
    assert says in finding.found


SEEN = {"peer": "10.0.0.1", "address": "203.0.113.9", "host": "login.example.com"}


@pytest.mark.parametrize(
    ("seen", "https", "status", "remedy"),
    [
        (SEEN | {"forwarded_for": True, "trusted": True}, True, "ok", ""),
        (SEEN | {"forwarded_for": True, "trusted": False}, True, "warning", "KEYSTEAD_TRUSTED_PROXIES=10.0.0.1"),
        (SEEN | {"forwarded_for": False, "trusted": True}, True, "warning", "X-Forwarded-For"),
        (SEEN | {"forwarded_for": False, "trusted": False}, True, "warning", "KEYSTEAD_TRUSTED_PROXIES=10.0.0.1"),
        (SEEN | {"forwarded_for": False, "trusted": False}, False, "ok", ""),
        (SEEN | {"forwarded_for": True, "trusted": True, "host": "backend:8000"}, True, "ok", ""),
    ],
)
def test_proxy(seen: dict[str, Any], https: bool, status: str, remedy: str) -> None:
    finding = reachability.proxy(seen, https, "login.example.com")
    assert finding.status == status
    assert remedy in finding.remedy


@pytest.mark.parametrize(
    ("fetched", "wanted", "status"),
    [
        (Fetched(200, NOW, '{"origins": ["https://a.com"]}'), {"origins": ["https://a.com"]}, "ok"),
        (Fetched(200, NOW, '{"origins": []}'), {"origins": ["https://a.com"]}, "error"),
        (Fetched(404, NOW, ""), {"origins": ["https://a.com"]}, "error"),
        (Fetched(302, NOW, ""), {"origins": ["https://a.com"]}, "error"),
        (Fetched(failure="no answer"), {"origins": ["https://a.com"]}, "error"),
    ],
)
def test_published(fetched: Fetched, wanted: Any, status: str) -> None:
    assert reachability.published("related_origins", "https://x/y", fetched, wanted).status == status


def test_only_errors_end_badly() -> None:
    assert reachability.worst([health.ok("a", ""), health.warning("b", ""), health.skipped("c", "")]) == 0
    assert reachability.worst([health.ok("a", ""), health.error("b", "")]) == 1
