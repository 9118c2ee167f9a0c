"""Attack protection: settings over HTTP, and what each does to logins and sign-ups (AP-1 to AP-9)."""

import asyncio
from typing import Any, Final

import pytest

from keystead.db import tables
from world import World

pytestmark = pytest.mark.anyio

BRUTE_FORCE: Final = "/attack-protection/brute-force-protection"
SUSPICIOUS_IP: Final = "/attack-protection/suspicious-ip-throttling"
BOT_DETECTION: Final = "/attack-protection/bot-detection"
CAPTCHA: Final = "/attack-protection/captcha"
LOCK: Final = "/keystead/attack-protection"

DEFAULTS: Final[dict[str, dict[str, Any]]] = {
    BRUTE_FORCE: {
        "enabled": True,
        "shields": ["block", "user_notification"],
        "mode": "count_per_identifier_and_ip",
        "allowlist": [],
        "max_attempts": 10,
    },
    SUSPICIOUS_IP: {
        "enabled": True,
        "shields": ["admin_notification", "block"],
        "allowlist": [],
        "stage": {
            "pre-login": {"max_attempts": 100, "rate": 864_000},
            "pre-user-registration": {"max_attempts": 50, "rate": 1_728_000},
        },
    },
    LOCK: {"lock_scope": "device_aware", "max_attempts_by_strangers": 100},
    BOT_DETECTION: {
        "bot_detection_level": "medium",
        "challenge_password_policy": "never",
        "challenge_passwordless_policy": "never",
        "challenge_password_reset_policy": "never",
        "allowlist": [],
        "monitoring_mode_enabled": False,
    },
    CAPTCHA: {},
}

HUNDRED = [f"198.51.100.{number}" for number in range(100)]
SCOPES = pytest.mark.parametrize("scope", ["auth0", "device_aware"])


async def change(world: World, path: str, **members: Any) -> dict[str, Any]:
    """Change settings, and return what they are then."""
    answer = await world.manage("PATCH", path, members)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def entries(world: World, *types: str) -> list[dict[str, Any]]:
    """Return what the journal has of some types."""
    return [each for each in await world.rows(tables.JournalRow) if each["type"] in types]


async def guesses(world: World, times: int, **more: Any) -> list[int]:
    """Guess so often, and return the statuses."""
    return [(await world.guess(**more)).status_code for _ in range(times)]


async def is_refused(world: World, **more: Any) -> bool:
    """Whether the right password is refused, untried, as one too many."""
    before = world.hasher.verified
    answer = await world.login(**more)
    if answer.status_code == 200:
        return False
    assert (answer.status_code, answer.json()["error"]) == (429, "too_many_attempts")
    assert world.hasher.verified == before
    return True


# --- settings ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", DEFAULTS)
async def test_defaults(world: World, path: str) -> None:
    answer = await world.manage("GET", path, scope="read:attack_protection")
    assert (answer.status_code, answer.json()) == (200, DEFAULTS[path])


CHANGES: Final[list[tuple[str, dict[str, Any], str]]] = [
    (BRUTE_FORCE, {"max_attempts": 100, "mode": "count_per_identifier"}, "Update brute force settings"),
    (BRUTE_FORCE, {"enabled": False, "shields": []}, "Update brute force settings"),
    (BRUTE_FORCE, {"allowlist": HUNDRED}, "Update brute force settings"),
    (BRUTE_FORCE, {"allowlist": ["203.0.113.9", "10.0.0.0/8", "2001:db8::1", "2001:db8::/32"]}, "Update brute force"),
    (SUSPICIOUS_IP, {"enabled": False, "shields": ["block"]}, "Update suspicious IP throttling settings"),
    (SUSPICIOUS_IP, {"allowlist": ["10.0.0.0/8"]}, "Update suspicious IP throttling settings"),
    (LOCK, {"lock_scope": "auth0", "max_attempts_by_strangers": 10_000}, "Update whom locks lock out"),
    (BOT_DETECTION, {"bot_detection_level": "high", "challenge_password_policy": "always"}, "Update bot detection"),
    (BOT_DETECTION, {"monitoring_mode_enabled": True, "allowlist": ["10.0.0.0/8"]}, "Update bot detection settings"),
    (CAPTCHA, {"active_provider_id": "auth_challenge", "auth_challenge": {"fail_open": True}}, "Update captcha"),
    (CAPTCHA, {"simple_captcha": {}, "hcaptcha": {"site_key": "a"}}, "Update captcha settings"),
]


@pytest.mark.parametrize(("path", "body", "description"), CHANGES)
async def test_a_change_is_kept_and_recorded(world: World, path: str, body: dict[str, Any], description: str) -> None:
    answer = await world.manage("PATCH", path, body, scope="update:attack_protection")
    assert (answer.status_code, answer.json()) == (200, DEFAULTS[path] | body)
    entry = await world.last_entry()
    assert entry["type"] == "sapi"
    assert entry["description"].startswith(description)
    assert sorted(entry["details"]["changed"]) == sorted(body)
    assert (await world.manage("GET", path)).json() == DEFAULTS[path] | body
    # What was shown can be sent back, and changes nothing.
    assert await change(world, path, **(DEFAULTS[path] | body)) == DEFAULTS[path] | body
    assert (await world.last_entry())["details"]["changed"] == []


async def test_a_stage_keeps_what_is_not_named(world: World) -> None:
    await change(world, SUSPICIOUS_IP, stage={"pre-login": {"max_attempts": 2_500}})
    found = await change(world, SUSPICIOUS_IP, stage={"pre-user-registration": {"rate": 1_200}})
    assert found["stage"] == {
        "pre-login": {"max_attempts": 2_500, "rate": 864_000},
        "pre-user-registration": {"max_attempts": 50, "rate": 1_200},
    }


async def test_null_is_as_if_it_were_not_there(world: World) -> None:
    await change(world, BRUTE_FORCE, max_attempts=7)
    assert (await change(world, BRUTE_FORCE, max_attempts=None, mode=None))["max_attempts"] == 7


def stage(name: str, **members: Any) -> dict[str, Any]:
    return {"stage": {name: members}}


def path_of(name: str, member: str) -> str:
    return f"on property stage.{name}.{member}"


LOGIN, SIGNUP = "pre-login", "pre-user-registration"
NO_ADDRESS = "Not an IP address or a CIDR range"
WRONG: Final[list[tuple[str, dict[str, Any], str]]] = [
    (BRUTE_FORCE, {"max_attempts": 0}, "'Value 0 is less than minimum 1' on property max_attempts"),
    (BRUTE_FORCE, {"max_attempts": 101}, "'Value 101 is greater than maximum 100' on property max_attempts"),
    (BRUTE_FORCE, {"max_attempts": "9"}, "'Expected type integer but found type string' on property max_attempts"),
    (BRUTE_FORCE, {"max_attempts": 9.5}, "'Expected type integer but found type number' on property max_attempts"),
    (BRUTE_FORCE, {"max_attempts": True}, "'Expected type integer but found type boolean' on property max_attempts"),
    (BRUTE_FORCE, {"enabled": "yes"}, "'Expected type boolean but found type string' on property enabled"),
    (BRUTE_FORCE, {"shields": ["admin_notification"]}, "'No enum match for: admin_notification' on property shields.0"),
    (BRUTE_FORCE, {"shields": "block"}, "'Expected type array but found type string' on property shields"),
    (BRUTE_FORCE, {"mode": "per_ip"}, "'No enum match for: per_ip' on property mode"),
    (BRUTE_FORCE, {"more": 1}, "'Additional properties not allowed: more'"),
    (BRUTE_FORCE, {"allowlist": ["10.0.0.0/33"]}, f"'{NO_ADDRESS}: 10.0.0.0/33' on property allowlist.0"),
    (BRUTE_FORCE, {"allowlist": ["10.0.0.1", "10.0.0"]}, f"'{NO_ADDRESS}: 10.0.0' on property allowlist.1"),
    (BRUTE_FORCE, {"allowlist": ["example.com"]}, f"'{NO_ADDRESS}: example.com' on property allowlist.0"),
    (BRUTE_FORCE, {"allowlist": [""]}, f"'{NO_ADDRESS}: ' on property allowlist.0"),
    (BRUTE_FORCE, {"allowlist": [1]}, "'Expected type string but found type integer' on property allowlist.0"),
    (BRUTE_FORCE, {"allowlist": [*HUNDRED, "::1"]}, "'Array is too long (101), maximum 100' on property allowlist"),
    (SUSPICIOUS_IP, {"allowlist": [*HUNDRED, "::1"]}, "'Array is too long (101), maximum 100' on property allowlist"),
    (SUSPICIOUS_IP, {"shields": ["user_notification"]}, "'No enum match for: user_notification' on property shields.0"),
    (SUSPICIOUS_IP, {"stage": None, "mode": 1}, "'Additional properties not allowed: mode'"),
    (SUSPICIOUS_IP, {"stage": {LOGIN: None}}, f"'Expected type object but found type null' on property stage.{LOGIN}"),
    (SUSPICIOUS_IP, {"stage": {"login": {}}}, "'Additional properties not allowed: login' on property stage"),
    (
        SUSPICIOUS_IP,
        stage(LOGIN, shields=[]),
        f"'Additional properties not allowed: shields' on property stage.{LOGIN}",
    ),
    (SUSPICIOUS_IP, stage(LOGIN, max_attempts=0), f"'Value 0 is less than minimum 1' {path_of(LOGIN, 'max_attempts')}"),
    (
        SUSPICIOUS_IP,
        stage(LOGIN, max_attempts=2501),
        f"'Value 2501 is greater than maximum 2500' {path_of(LOGIN, 'max_attempts')}",
    ),
    (SUSPICIOUS_IP, stage(LOGIN, rate=34_559), f"'Value 34559 is less than minimum 34560' {path_of(LOGIN, 'rate')}"),
    (
        SUSPICIOUS_IP,
        stage(LOGIN, rate=None),
        f"'Expected type integer but found type null' {path_of(LOGIN, 'rate')}",
    ),
    (
        SUSPICIOUS_IP,
        stage(SIGNUP, max_attempts=72_001),
        f"'Value 72001 is greater than maximum 72000' {path_of(SIGNUP, 'max_attempts')}",
    ),
    (SUSPICIOUS_IP, stage(SIGNUP, rate=1_199), f"'Value 1199 is less than minimum 1200' {path_of(SIGNUP, 'rate')}"),
    (LOCK, {"lock_scope": "none"}, "'No enum match for: none' on property lock_scope"),
    (
        LOCK,
        {"max_attempts_by_strangers": 0},
        "'Value 0 is less than minimum 1' on property max_attempts_by_strangers",
    ),
    (
        LOCK,
        {"max_attempts_by_strangers": 10_001},
        "'Value 10001 is greater than maximum 10000' on property max_attempts_by_strangers",
    ),
    (BOT_DETECTION, {"bot_detection_level": "off"}, "'No enum match for: off' on property bot_detection_level"),
    (BOT_DETECTION, {"allowlist": ["x"]}, f"'{NO_ADDRESS}: x' on property allowlist.0"),
    (CAPTCHA, {"active_provider_id": "x"}, "'No enum match for: x' on property active_provider_id"),
    (CAPTCHA, {"arkose": {"secret": "x"}}, "'Missing required property: site_key' on property arkose"),
    (CAPTCHA, {"simple_captcha": {"a": 1}}, "'Additional properties not allowed: a' on property simple_captcha"),
]


@pytest.mark.parametrize("installation", ["sqlite"], indirect=True)
async def test_what_is_wrong_is_refused_by_path(world: World) -> None:
    for path, body, message in WRONG:
        answer = await world.manage("PATCH", path, body)
        assert answer.status_code == 400, (path, body)
        assert answer.json() == {
            "statusCode": 400,
            "error": "Bad Request",
            "message": f"Payload validation error: {message}.",
            "errorCode": "invalid_body",
        }
        assert (await world.manage("GET", path)).json() == DEFAULTS[path], body


@pytest.mark.parametrize("path", DEFAULTS)
async def test_each_needs_its_scope(world: World, path: str) -> None:
    assert (await world.manage("GET", path, scope="update:attack_protection")).status_code == 403
    assert (await world.manage("PATCH", path, {}, scope="read:attack_protection")).status_code == 403


async def test_the_secrets_of_captchas_are_taken_and_not_kept(world: World) -> None:
    """Nothing here uses them: they are neither shown nor in the database."""
    arkose = {"site_key": "public", "client_subdomain": "c", "verify_subdomain": "v", "fail_open": False}
    enterprise = {"site_key": "public", "project_id": "p"}
    found = await change(
        world,
        CAPTCHA,
        arkose=arkose | {"secret": "hidden one"},
        recaptcha_v2={"site_key": "public", "secret": "hidden one"},
        recaptcha_enterprise=enterprise | {"api_key": "hidden one"},
    )
    assert found == {"arkose": arkose, "recaptcha_v2": {"site_key": "public"}, "recaptcha_enterprise": enterprise}
    stored = [*await world.rows(tables.Setting), *await world.rows(tables.JournalRow)]
    assert "public" in str(stored)
    assert "hidden one" not in str(stored)


async def test_bot_detection_is_off_whatever_is_kept_of_it(world: World) -> None:
    await world.person()
    always = dict.fromkeys(("challenge_password_policy", "challenge_password_reset_policy"), "always")
    await change(world, BOT_DETECTION, bot_detection_level="high", **always)
    await change(world, CAPTCHA, active_provider_id="arkose", arkose={"site_key": "a"})
    assert (await world.login()).status_code == 200


async def test_of_two_changes_at_once_both_hold(world: World) -> None:
    for number in range(1, 6):
        both = ({"lock_scope": "auth0"}, {"max_attempts_by_strangers": number})
        await asyncio.gather(*(change(world, LOCK, **members) for members in both))
        assert (await world.manage("GET", LOCK)).json() == both[0] | both[1]
        await change(world, LOCK, lock_scope="device_aware")


# --- brute force -------------------------------------------------------------------------------------------------


@SCOPES
@pytest.mark.parametrize("most", [1, 100])
async def test_thresholds(world: World, scope: str, most: int) -> None:
    """As many are tried, and not one more; a right one before that starts anew."""
    await world.person()
    await change(world, LOCK, lock_scope=scope, max_attempts_by_strangers=1000)
    await change(world, SUSPICIOUS_IP, enabled=False)
    await change(world, BRUTE_FORCE, max_attempts=most)
    for tries in (most - 1, most):
        for _ in range(tries):
            assert (await world.guess()).status_code == 403
            world.clock.advance(seconds=6)  # the rate of one person is another limit
        assert await is_refused(world) == (tries == most)
    (entry,) = await entries(world, "limit_wc")
    assert (entry["details"]["rule"], entry["details"]["blocks"]) == ("brute_force", True)


@SCOPES
async def test_by_identifier_and_address_others_get_in(world: World, scope: str) -> None:
    await world.person()
    await change(world, LOCK, lock_scope=scope)
    assert await guesses(world, 11) == [403] * 10 + [429]
    assert await is_refused(world)
    assert not await is_refused(world.at("198.51.100.7"))


@pytest.mark.parametrize(("scope", "rule"), [("auth0", "account"), ("device_aware", "strangers")])
async def test_by_identifier_the_account_is_locked_for_every_address(world: World, scope: str, rule: str) -> None:
    await world.person()
    await world.person("ben@example.com")
    await change(world, LOCK, lock_scope=scope)
    await change(world, BRUTE_FORCE, mode="count_per_identifier")
    for address in HUNDRED[:10]:
        assert await guesses(world.at(address), 1) == [403]
    assert await is_refused(world.at("192.0.2.1"))
    assert [each["details"]["rule"] for each in await entries(world, "limit_wc")] == [rule]
    assert not await is_refused(world, username="ben@example.com")


async def test_strangers_share_a_lock_of_their_own_size(world: World) -> None:
    """In the plain scope there is none: any number of addresses has ten tries each."""
    await world.person()
    await change(world, LOCK, max_attempts_by_strangers=3)
    for address in HUNDRED[:3]:
        assert await guesses(world.at(address), 1) == [403]
    assert await is_refused(world)
    assert [each["details"]["rule"] for each in await entries(world, "limit_wc")] == ["strangers"]
    await change(world, LOCK, lock_scope="auth0")
    assert not await is_refused(world)


@SCOPES
async def test_without_shields_it_is_only_recorded(world: World, scope: str) -> None:
    await world.person()
    await change(world, LOCK, lock_scope=scope)
    await change(world, BRUTE_FORCE, shields=[], max_attempts=2)
    assert await guesses(world, 4) == [403] * 4
    assert not await is_refused(world)
    found = await entries(world, "limit_wc")
    assert [each["details"]["blocks"] for each in found] == [False] * 3
    assert found[0]["details"]["identifier"] == "email:ann@example.com"


@SCOPES
async def test_addresses_on_the_list_are_not_counted(world: World, scope: str) -> None:
    await world.person()
    await change(world, LOCK, lock_scope=scope, max_attempts_by_strangers=5)
    await change(world, BRUTE_FORCE, max_attempts=2, allowlist=["198.51.100.7", "203.0.113.0/28", "2001:db8::/48"])
    for address in ("198.51.100.7", "203.0.113.9", "2001:db8:0:5::1"):
        somebody = world.at(address)
        assert await guesses(somebody, 7) == [403] * 7, address
        assert not await is_refused(somebody)
    for address in ("198.51.100.8", "203.0.113.16", "2001:db8:1::1"):
        somebody = world.at(address)
        assert await guesses(somebody, 3) == [403, 403, 429], address
        await change(world, LOCK, max_attempts_by_strangers=100)


@SCOPES
async def test_a_connection_can_do_without(world: World, scope: str) -> None:
    await world.person()
    await change(world, LOCK, lock_scope=scope)
    answer = await world.patch_options(brute_force_protection=False)
    assert answer.status_code == 200, answer.text
    assert await guesses(world, 15) == [403] * 15
    assert not await is_refused(world)
    assert await entries(world, "limit_wc") == []


@SCOPES
async def test_switched_off_nobody_is_counted(world: World, scope: str) -> None:
    await world.person()
    await change(world, LOCK, lock_scope=scope)
    await change(world, BRUTE_FORCE, enabled=False)
    assert await guesses(world, 15) == [403] * 15
    await change(world, BRUTE_FORCE, enabled=True)
    assert not await is_refused(world)
    assert await entries(world, "limit_wc") == []


# --- one person, whoever is right --------------------------------------------------------------------------------


@SCOPES
async def test_one_person_is_tried_twenty_times_then_ten_a_minute(world: World, scope: str) -> None:
    """Right ones count too, and no setting switches it off (AP-1)."""
    await world.person()
    await change(world, LOCK, lock_scope=scope)
    await change(world, BRUTE_FORCE, enabled=False)
    await change(world, SUSPICIOUS_IP, enabled=False)
    for _ in range(10):
        assert (await world.login()).status_code == 200
        assert (await world.guess()).status_code == 403
    answer = await world.login()
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "6")
    assert [each["details"]["rule"] for each in await entries(world, "limit_sul")] == ["same_user"]
    assert (await world.at("198.51.100.7").login()).status_code == 200
    world.clock.advance(seconds=60)
    assert [(await world.login()).status_code for _ in range(11)] == [200] * 10 + [429]


# --- one address -------------------------------------------------------------------------------------------------


async def test_an_address_fails_so_often_and_regains_one_at_a_time(world: World) -> None:
    """Whoever was tried; a right one takes nothing. One comes back after each ``rate``."""
    await world.person()
    await change(world, SUSPICIOUS_IP, stage={LOGIN: {"max_attempts": 3, "rate": 3_600_000}})
    for name in ("ben", "carl"):
        assert (await world.guess(f"{name}@example.com")).status_code == 403
    for _ in range(5):
        assert not await is_refused(world)
    assert (await world.guess("dora@example.com")).status_code == 403
    answer = await world.login()
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "3600")
    assert [each["details"]["rule"] for each in await entries(world, "limit_mu")] == ["suspicious_ip"]
    assert not await is_refused(world.at("198.51.100.7"))
    world.clock.advance(hours=1)
    assert [(await world.guess(f"{name}@example.com")).status_code for name in ("eve", "finn")] == [403, 429]


@pytest.mark.parametrize(
    ("members", "recorded"),
    [({"enabled": False}, False), ({"allowlist": ["203.0.113.0/24"]}, False), ({"shields": []}, True)],
)
async def test_an_address_that_is_not_refused(world: World, members: dict[str, Any], recorded: bool) -> None:
    await world.person()
    few = {"max_attempts": 1, "rate": 86_400_000}
    await change(world, SUSPICIOUS_IP, stage={LOGIN: few, SIGNUP: few}, **members)
    for name in ("ben", "carl", "dora"):
        assert (await world.guess(f"{name}@example.com")).status_code == 403
        assert (await world.signup(f"{name}@example.com")).status_code == 200
    assert not await is_refused(world)
    found = await entries(world, "limit_mu")
    assert bool(found) == recorded
    assert not any(each["details"]["blocks"] for each in found)


async def test_a_change_holds_at_once(world: World) -> None:
    await world.person()
    assert await guesses(world, 10) == [403] * 10
    assert await is_refused(world)
    await change(world, BRUTE_FORCE, max_attempts=11)
    assert not await is_refused(world)


async def test_an_address_signs_up_so_often(world: World) -> None:
    """Whatever comes of it, but not what is no sign-up; apart from logins."""
    await change(world, SUSPICIOUS_IP, stage={SIGNUP: {"max_attempts": 2, "rate": 60_000}})
    assert (await world.signup("not an address")).status_code == 400
    assert (await world.signup()).status_code == 200
    assert (await world.signup()).status_code == 400  # taken
    answer = await world.signup("ben@example.com")
    assert (answer.status_code, answer.json()["code"]) == (429, "too_many_requests")
    (entry,) = await entries(world, "limit_mu")
    assert entry["details"]["flow"] == "signup"
    assert (await world.login()).status_code == 200
    world.clock.advance(seconds=60)
    assert (await world.signup("ben@example.com")).status_code == 200
    assert (await world.signup("carl@example.com")).status_code == 429
