"""The customer's own database, as its action scripts answer for it (auth0-behaviour, section 5). It keeps nothing."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from keystead.db.connections import ConnectionRecord
from keystead.errors import IdentifierTaken, InternalError, OperationNotSupported, RefusedByScript, ScriptFailed
from keystead.ports import Refused, ScriptRuntime
from keystead.rules.action_scripts import CHANGED_BY, Script, ScriptName, ScriptRefusal
from keystead.rules.connection_options import ConnectionOptions
from keystead.rules.identifiers import Identifier, IdentifierKind
from keystead.rules.profiles import Draft
from keystead.rules.returned_profiles import Returned, UnusableProfile, local_id, read
from keystead.rules.script_secrets import masked, masked_refusal, secrets_in
from keystead.secrecy import Secret

Opened = Callable[[str, Mapping[str, Any]], Mapping[str, Secret[str]]]
"""Opens the configuration of a connection, by its id and options. Raises ``InternalError``."""

_EXISTS: Final = "user_exists"
"""The code of a ``ValidationError`` that says that somebody has an identifier already."""
_LONGEST_TEXT: Final = 500
_LONGEST_CODE: Final = 100


@dataclass(frozen=True)
class CustomerDatabase:
    """Runs the scripts of one connection, and reads what comes back.

    Everything here raises ``ScriptFailed`` where a script could not answer or what it answered is of no use,
    ``RefusedByScript`` where it refused in words of its own, and ``OperationNotSupported`` where there is none. What
    a script is given in clear, configuration and passwords, is wrapped until it is in the child; where the script says
    it again, such as in an error of its driver, it is masked before it gets to a log, the journal or a person.
    """

    connection: ConnectionRecord
    options: ConnectionOptions
    runtime: ScriptRuntime
    opened: Opened
    tenant: str
    """What scripts are told that they run for: the host of the public URL."""

    def has(self, name: ScriptName) -> bool:
        """Whether there is a script."""
        return bool(self.options.scripts.get(name, "").strip())

    async def login(self, identifier: Identifier, password: Secret[str]) -> Returned | Refused:
        """Ask whether a password is somebody's, and who they are. No profile is a no, as it was at Auth0 (MG-5)."""
        answer = await self._run("login", [identifier.as_typed, password])
        if isinstance(answer, ScriptRefusal):
            if answer.kind != "wrong_credentials":
                raise self._refusal("login", answer)
            return Refused(_claimed_id(answer.user_id), "login", answer.message[:_LONGEST_TEXT] or None)
        return Refused(None, "login") if answer is None else self._read("login", answer, [identifier])

    async def find(self, identifier: Identifier) -> Returned | None:
        """Look somebody up. Whatever ``get_user`` refuses with is a failure: it is not asked whether somebody may."""
        return await self._find(identifier.as_typed, {}, [identifier])

    async def find_by_id(self, user: str) -> Returned | None:
        """Look somebody up by the id that they have there; only where scripts get ``context`` (PK-4)."""
        found = await self._find(user, {"identifierType": "user_id"}, [])
        if found is not None and found.local_id != user:
            raise ScriptFailed("get_user", detail="asked for a user_id, it returned somebody else")
        return found

    async def create(self, draft: Draft, password: Secret[str] | None) -> Returned | None:
        """Have somebody created. Return their profile where the script does (PK-4).

        Raises ``IdentifierTaken`` where the script says that they exist.
        """
        user: dict[str, Any] = {
            "tenant": self.tenant,
            "connection": self.connection.name,
            "client_id": draft.client_id,
            **{each.kind: each.value for each in draft.identifiers},
            **draft.model_dump(
                include={"user_metadata", "app_metadata", "name", "nickname", "given_name", "family_name", "picture"},
                exclude_none=True,
            ),
        }
        user |= {"password": password} if password is not None else {}
        user |= {"user_id": draft.local_id} if draft.local_id else {}
        answer = await self._run("create", [user])
        if isinstance(answer, ScriptRefusal):
            if answer.kind == "validation" and answer.code == _EXISTS:
                raise IdentifierTaken(next(iter(draft.identifiers)).kind, detail="said the create script")
            raise self._refusal("create", answer)
        # What else it may call back with, such as true, says no more than nothing does.
        return self._read("create", answer, draft.identifiers) if isinstance(answer, dict) else None

    async def verified(self, email: str) -> None:
        """Tell that an address was verified."""
        self._changed("verify", await self._run("verify", [email]))

    async def change_password(self, identifier: str, password: Secret[str]) -> None:
        """Have a password replaced."""
        self._changed("change_password", await self._run("change_password", [identifier, password]))

    async def change_identifier(self, kind: IdentifierKind, before: str, after: str, *, verified: bool) -> None:
        """Have an identifier replaced."""
        name = CHANGED_BY[kind]
        told = [before, after] if kind == "username" else [before, after, verified]
        self._changed(name, await self._run(name, told))

    async def delete(self, user: str) -> None:
        """Have somebody deleted. The script is told of nothing but who, whatever ``context`` holds elsewhere (CD-5)."""
        answer = await self._run("delete", [user])
        if isinstance(answer, ScriptRefusal):
            raise self._refusal("delete", answer)

    async def _find(self, by: str, context: Mapping[str, Any], found_by: Iterable[Identifier]) -> Returned | None:
        answer = await self._run("get_user", [by], context)
        if isinstance(answer, ScriptRefusal):
            raise ScriptFailed("get_user", detail=answer.message[:_LONGEST_TEXT])
        return None if answer is None else self._read("get_user", answer, found_by)

    async def _run(
        self, name: ScriptName, arguments: list[Any], context: Mapping[str, Any] | None = None
    ) -> ScriptRefusal | Any:
        """Run a script, and return what it called back with: a value, or its refusal, without secrets in its words."""
        if not self.has(name):
            raise OperationNotSupported(f"This needs a {name} script, which the connection does not have.")
        try:
            configuration = self.opened(self.connection.id, self.connection.options)
        except InternalError as error:
            raise ScriptFailed(name, detail=error.detail).because(unanswered=True) from None
        script = Script(
            self.connection.id, name, self.options.script_language, self.options.scripts[name], configuration
        )
        given = (context or {}) if self.options.enable_script_context else None
        hidden = [*secrets_in(arguments), *secrets_in(configuration)]
        try:
            answer = await self.runtime.run(script, arguments, given)
        except ScriptFailed as failed:
            raise ScriptFailed(name, detail=masked(failed.detail, hidden)).because(unanswered=True) from None
        if answer.refusal:
            return _heard(answer.refusal, hidden)
        return answer.value

    def _read(self, name: ScriptName, value: object, found_by: Iterable[Identifier]) -> Returned:
        try:
            return read(value, self.options, found_by)
        except UnusableProfile as why:
            raise ScriptFailed(name, detail=str(why)) from None

    def _changed(self, name: ScriptName, answer: object) -> None:
        """See that a change was made: true, or an object that says more of it. Anything else says that it was not."""
        if isinstance(answer, ScriptRefusal):
            raise self._refusal(name, answer)
        if answer is not True and not isinstance(answer, dict):
            raise ScriptFailed(name, detail="it called back without true: nothing was changed")

    def _refusal(self, name: ScriptName, refusal: ScriptRefusal) -> ScriptFailed | RefusedByScript:
        """Return what a refusal means (5.4): words for people, or for administrators alone."""
        message = refusal.message[:_LONGEST_TEXT]
        if refusal.kind not in ("validation", "unauthorized"):
            return ScriptFailed(name, detail=message)
        code = refusal.code[:_LONGEST_CODE] if refusal.kind == "validation" else ""
        text = message if message.strip() else RefusedByScript.default_text
        return RefusedByScript(text, reason=code, detail=f"{name}: {refusal.kind}").because(script=name)


def _heard(refusal: ScriptRefusal, hidden: Sequence[str]) -> ScriptRefusal:
    """Return a refusal without secrets in what is shown or written down of it; what decides stays as it was said.

    A password may be the code that says that somebody exists, or a part of an id: the one must not hide that they do,
    nor the other whose lock a wrong password counts for. What is wholly a secret is no id.
    """
    shown = masked_refusal(refusal, hidden)
    code = _EXISTS if refusal.code == _EXISTS else shown.code
    return replace(shown, code=code, user_id=None if refusal.user_id in hidden else refusal.user_id)


def _claimed_id(user: object) -> str | None:
    """Return whose password was wrong, if the script said so in a form that an id can have."""
    try:
        return f"auth0|{local_id(user)}" if user else None
    except UnusableProfile:
        return None
