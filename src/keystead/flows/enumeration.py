"""Can a stranger find out who has an account? Tried on a Keystead that is running, with people made for it.

They are made through the Management API, named by strangers in random order, so that whatever else happens meanwhile
happens to all of them alike, and deleted in any case.
"""

import json
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote, urlencode

from keystead.errors import BadRequest, DomainError
from keystead.flows.strangers import Probe, Strangers, Target, unused
from keystead.ports import Entropy, Stranger
from keystead.rules import base64url
from keystead.rules.connections import read_options
from keystead.rules.enumeration import Ask, Kind, Reply, Sample, Verdict, judge
from keystead.rules.identifiers import IdentifierKind
from keystead.secrecy import Secret

MADE: Final[tuple[Kind, ...]] = ("password", "blocked", "unverified", "passkey")
"""The kinds that can be made through the Management API."""

PATIENCE: Final = 90.0
"""How many seconds a probe waits where it is told to come back; what wants longer is an answer like any other."""

_LOCKED_SHARE: Final = 5
"""One in so many samples is of somebody who is locked first, which takes ten times as many requests."""

_LIMITED: Final = (
    "A limit stands in the way: what it answers says nothing of people. Add the address of this machine to the "
    "allowlist of suspicious-ip-throttling, or take fewer samples."
)
_NOT_WITHOUT: Final = (
    "passkey: not tried, since the connection wants a password of everybody who is made; to try it, set "
    "authentication_methods.password.api_behavior: optional"
)
_THROTTLING: Final = "/attack-protection/suspicious-ip-throttling"
_VERIFIED: Final[dict[IdentifierKind, str]] = {"email": "email_verified", "phone_number": "phone_verified"}
_UNASKED: Final[dict[IdentifierKind, str]] = {"email": "verify_email", "phone_number": "verify_phone_number"}
# SPKI of a point of P-256 (RFC 6979 A.2.5), whose other half is in a public document: nobody logs in with it for long.
_POINT: Final = (
    "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
    "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"
)
_SPKI: Final = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004" + _POINT)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an administrator asks for."""

    client_id: str
    connection: str
    token: Secret[str]
    samples: int
    """How many people of each kind."""
    others: Mapping[Kind, Sequence[str]] = field(default_factory=dict)
    """Identifiers of people who are there already, by kind; they stay."""


@dataclass(frozen=True, slots=True)
class Report:
    """What came of it."""

    profile: str
    verdicts: Sequence[Verdict]
    kinds: Sequence[Kind]
    notes: Sequence[str]
    """What was left out, and what was left behind."""


@dataclass(frozen=True)
class Patient:
    """A stranger who comes back when told to. What wants longer than ``PATIENCE`` is an answer like any other."""

    stranger: Stranger
    wait: Callable[[float], Awaitable[None]]

    async def ask(self, request: Ask) -> Reply:
        """Ask until it is answered."""
        while True:
            reply = await self.stranger.ask(request)
            seconds = reply.header("retry-after")
            if reply.status not in (429, 503) or not seconds.isdigit() or float(seconds) > PATIENCE:
                return reply
            await self.wait(float(seconds))


@dataclass(frozen=True)
class Office:
    """The Management API, as its clients see it."""

    stranger: Stranger
    token: Secret[str]

    async def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Reply:
        """Call it."""
        return await self.stranger.ask(Ask(method, f"/api/v2{path}", json=body, token=self.token))

    async def do(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Call it, and return what it answers. Raises ``BadRequest`` with what it says."""
        reply = await self.ask(method, path, body)
        if reply.status >= 300:
            try:
                said = json.loads(reply.body)["message"]
            except (ValueError, KeyError, TypeError):
                said = "no Management API"
            raise BadRequest(f"{method} {path.partition('?')[0]}: {reply.status}, {said}")
        return json.loads(reply.body) if reply.body else None

    async def delete_user(self, user_id: str) -> None:
        """Delete an account. Raises ``BadRequest``."""
        await self.do("DELETE", _at(user_id))


@dataclass
class Enumeration:
    """One run; ``wait`` lets seconds pass."""

    stranger: Stranger
    entropy: Entropy
    wait: Callable[[float], Awaitable[None]]
    wanted: Wanted
    _names: dict[Kind, list[str]] = field(default_factory=dict)
    _made: list[str] = field(default_factory=list)
    _notes: list[str] = field(default_factory=list)
    _spared: str = ""
    """The address that was added to those that are not counted; empty where none was."""
    _is_spared: bool = False
    """Whether our failures are not counted as our address's, by whomever."""

    async def __call__(self) -> Report:
        """Try, and judge.

        Raises ``BadRequest`` where the Management API refuses what is needed, or a limit stands in the way;
        ``Unavailable``.
        """
        patient = Patient(self.stranger, self.wait)
        office = Office(patient, self.wanted.token)
        target = await self._target(office)
        strangers = Strangers(patient, self.entropy, target)
        self._names["nobody"] = []  # the first in every table
        self._names |= {kind: list(names) for kind, names in self.wanted.others.items()}
        try:
            await self._spare(office, strangers)
            await self._people(office, strangers)
            found = await self._samples(strangers)
        finally:
            await self._leave(office)
        profile = "hardened" if target.options.hardened else "standard"
        return Report(profile, judge(found, target.told_apart()), list(self._names), self._notes)

    async def _target(self, office: Office) -> Target:
        wanted = self.wanted
        client = await office.do("GET", f"/clients/{quote(wanted.client_id, safe='')}")
        query = urlencode({"name": wanted.connection, "strategy": "auth0"})
        connections = await office.do("GET", f"/connections?{query}")
        found = next((each for each in connections if each["name"] == wanted.connection), None)
        if found is None:
            raise BadRequest(f"There is no connection {wanted.connection}.")
        if not client.get("callbacks"):
            raise BadRequest("The client has no callback URL, so the hosted pages cannot be tried with it.")
        if "options" not in found:
            raise BadRequest("The token needs read:connections_options, too.")
        options = read_options(found["options"])
        reply = await office.ask("GET", "/attack-protection/brute-force-protection")
        failures = json.loads(reply.body)["max_attempts"] if reply.status == 200 else 10
        by = options.active_identifiers()[0]
        return Target(wanted.client_id, wanted.connection, client["callbacks"][0], options, by, failures)

    async def _spare(self, office: Office, strangers: Strangers) -> None:
        """Have failures of this machine not counted as an address's, until it is put back.

        At which address the server sees us only it can say: it names it where it shows a lock.
        """
        reply = await office.ask("GET", _THROTTLING)
        address = await self._address(office, strangers) if reply.status == 200 else ""
        if not address:
            self._notes.append("the limit of addresses stays as it is, and may end a run with many samples")
            return
        before: list[str] = json.loads(reply.body)["allowlist"]
        if address not in before:
            self._spared = address  # first: whoever ends the run in between must not leave it there
            await office.do("PATCH", _THROTTLING, {"allowlist": [*before, address]})
        self._is_spared = True

    async def _address(self, office: Office, strangers: Strangers) -> str:
        name = unused(strangers.target.by, self.entropy)
        if not strangers.target.options.methods.password.enabled:
            return ""
        async for _ in strangers.locked_on_pages(name):
            pass
        query = urlencode({"identifier": name})
        blocks = (await office.do("GET", f"/user-blocks?{query}"))["blocked_for"]
        await office.do("DELETE", f"/user-blocks?{query}")
        return next((str(each["ip"]) for each in blocks if each.get("ip")), "")

    async def _people(self, office: Office, strangers: Strangers) -> None:
        """Make people of each kind that there can be."""
        target = strangers.target
        rp_id = await self._rp_id(office, target)
        for kind in MADE:
            cannot = (kind == "passkey" and not rp_id) or (kind == "unverified" and target.by not in _VERIFIED)
            if cannot or kind in self.wanted.others:
                continue
            try:
                for _ in range(self.wanted.samples):
                    name = unused(target.by, self.entropy)
                    await self._person(office, target, kind, name, rp_id)
                    self._names.setdefault(kind, []).append(name)
            except BadRequest as refusal:
                self._names.pop(kind, None)
                self._notes.append(f"{kind}: not tried, since such people cannot be made here: {refusal.text}")

    async def _rp_id(self, office: Office, target: Target) -> str:
        """Return what passkeys are made for; empty where people with nothing else cannot be."""
        methods = target.options.methods
        if not methods.passkey.enabled:
            return ""
        if methods.password.enabled and methods.password.api_behavior == "required":
            self._notes.append(_NOT_WITHOUT)
            return ""
        return str((await office.do("GET", "/keystead/relying-party"))["id"])

    async def _person(self, office: Office, target: Target, kind: Kind, name: str, rp_id: str) -> None:
        options, password = target.options, self.entropy.token(24)
        if kind == "unverified" and target.by in options.verified_at_signup() and not options.disable_signup:
            await self._signed_up(office, target, {target.by: name, "password": password})
            return
        new: dict[str, Any] = {"connection": target.connection, target.by: name}
        if target.by in _VERIFIED:
            new |= {_VERIFIED[target.by]: kind != "unverified", _UNASKED[target.by]: False}
        if kind != "passkey" and options.methods.password.enabled:
            new["password"] = password
        user_id = (await office.do("POST", "/users", new))["user_id"]
        self._made.append(user_id)
        if kind == "blocked":
            await office.do("PATCH", _at(user_id), {"blocked": True})
        if "password" not in new and rp_id:
            await office.do("POST", f"{_at(user_id)}/authentication-methods", self._passkey(rp_id))

    async def _signed_up(self, office: Office, target: Target, named: Mapping[str, str]) -> None:
        body = {"client_id": target.client_id, "connection": target.connection, **named}
        reply = await office.stranger.ask(Ask("POST", "/dbconnections/signup", json=body))
        if reply.status != 200:
            raise BadRequest(f"sign-up: {reply.status}")
        self._note_made(reply)

    def _passkey(self, rp_id: str) -> dict[str, object]:
        return {
            "type": "passkey",
            "key_id": base64url.encode(self.entropy.bytes(32)),
            "public_key": base64url.encode(_SPKI),
            "user_handle": base64url.encode(self.entropy.bytes(32)),
            "relying_party_identifier": rp_id,
            "credential_device_type": "multi_device",
            "credential_backed_up": True,
        }

    async def _samples(self, strangers: Strangers) -> dict[str, list[Sample]]:
        """Let strangers name everybody at every door; then those whom they lock first; then whoever may become one.

        Nobody has as many names as there are people of a kind, and keeps them, so that all have been named as often
        whenever they are named again: limits on names are to be met by all of them or by none.
        """
        found: dict[str, list[Sample]] = {}
        everybody = range(self.wanted.samples)
        few = range(max(1, self.wanted.samples // _LOCKED_SHARE))
        self._names["nobody"] = [unused(strangers.target.by, self.entropy) for _ in everybody]
        for probes, which in (
            (strangers.asking(), everybody),
            (strangers.locking(), few),
            (strangers.making(), everybody),
        ):
            plan = [
                (kind, probe, names[each % len(names)])
                for probe in probes
                for kind, names in self._names.items()
                for each in which
            ]
            await self._run(plan, found)
        return found

    async def _run(self, plan: Collection[tuple[Kind, Probe, str]], found: dict[str, list[Sample]]) -> None:
        for kind, probe, name in sorted(plan, key=lambda each: self.entropy.bytes(8)):
            async for step, reply in probe(name):
                if reply.status == 429 and "locked" not in step and not self._is_spared:
                    raise BadRequest(_LIMITED)
                found.setdefault(step, []).append(Sample(kind, name, reply))
                if step == "sign-up" and reply.status == 200:
                    self._note_made(reply)

    def _note_made(self, signed_up: Reply) -> None:
        self._made.append(f"auth0|{json.loads(signed_up.body)['_id']}")

    async def _leave(self, office: Office) -> None:
        """Delete who was made, and take the address off the list; whatever happens, go on with the next."""
        left = 0
        for user_id in self._made:
            try:
                await office.delete_user(user_id)
            except DomainError:
                left += 1
        if left:
            self._notes.append(f"{left} of the people that were made could not be deleted")
        if self._spared:
            # Only ours: somebody may have changed the list meanwhile.
            now: list[str] = (await office.do("GET", _THROTTLING))["allowlist"]
            await office.do("PATCH", _THROTTLING, {"allowlist": [each for each in now if each != self._spared]})


def _at(user_id: str) -> str:
    return f"/users/{quote(user_id, safe='')}"
