"""The checks of the contract suite for action scripts, in their order (``rules/script_contract``)."""

from typing import Any, Final

from keystead.rules.action_scripts import ScriptName
from keystead.rules.identifiers import IdentifierKind
from keystead.rules.script_contract import (
    HOSTILE,
    Ask,
    Calls,
    Check,
    Person,
    Scene,
    Verdict,
    advised,
    differing,
    failed,
    id_of,
    is_nobody,
    is_profile,
    odd,
    passed,
    said,
    speed,
    user_of,
)
from keystead.rules.script_trials import Tried
from keystead.secrecy import Secret

_WRONG: Final = Secret("not the password \N{GREEK SMALL LETTER OMEGA} 7")
_ABSENT: Final = ("", "undefined", "null", "None")
"""What no password becomes where a script hashes it all the same."""
_GUESSES: Final = ("' OR '1'='1", "%", "*", " ")


_NEVER: Final = (
    "Call back where nobody is found, too: {how}. Anybody can ask for people who do not exist; each call that waits "
    "for ever has a process of this connection until its time is up, and enough of them keep everybody out."
)
"""Advice where nothing called back; ``how`` is what should have been."""


def _login(person: Person, password: Secret[str] | None = None) -> Ask:
    return Ask("login", (person.identifier, password or person.password))


def _person(scene: Scene) -> Person:
    assert scene.person is not None  # a check that needs one is skipped otherwise
    return scene.person


def _unknown_login(scene: Scene) -> Calls:
    tried = yield Ask("login", (scene.cast.nobody, _WRONG))
    if is_nobody(tried):
        return passed()
    if is_profile(tried):
        return failed(
            said(tried), "login lets somebody in who does not exist: compare the identifier and the password."
        )
    if tried.outcome == "failed":
        return failed(said(tried), _NEVER.format(how="with WrongUsernameOrPasswordError"))
    advice = "Call back with WrongUsernameOrPasswordError: an error tells people that sign-in is out of order."
    return failed(said(tried), advice)


def _unknown_get_user(scene: Scene) -> Calls:
    tried = yield Ask("get_user", (scene.cast.nobody,))
    if tried.answer is not None and tried.refusal is None and not tried.value:
        return passed()
    if tried.refusal and tried.refusal.kind == "wrong_credentials":
        return failed(said(tried), "Nobody is no error here: call back with null.")
    if tried.outcome == "failed":
        return failed(said(tried), _NEVER.format(how="with null"))
    advice = "Call back with null where nobody is found: an error stops every sign-up, a profile refuses it."
    return failed(said(tried), advice)


def _create(scene: Scene) -> Calls:
    person = scene.cast.throw_away
    tried = yield Ask("create", (user_of(scene.cast, person),))
    if tried.outcome != "answered":
        return failed(
            said(tried), "create must make somebody of an identifier and a password, and call back with null."
        )
    scene.person, scene.made = person, True
    return passed()


def _create_twice(scene: Scene) -> Calls:
    tried = yield Ask("create", (user_of(scene.cast, _person(scene)),))
    if tried.refusal and tried.refusal.kind == "validation":
        if tried.refusal.code == "user_exists":
            return passed()
        return advised(
            said(tried), "Give ValidationError the code user_exists, so that the sign-up says what is wrong."
        )
    if tried.outcome == "answered":
        advice = "create made somebody who exists: two people share an identifier. Let a unique index decide."
        return failed(said(tried), advice)
    return failed(said(tried), 'Turn the error of the unique index into ValidationError("user_exists", …).')


def _without_password(scene: Scene) -> Calls:
    """As a sign-up with a passkey does. Whoever is made is deleted at once: later checks take their identifiers."""
    person = scene.cast.spare
    user = {name: value for name, value in user_of(scene.cast, person).items() if name != "password"}
    tried = yield Ask("create", (user,))
    if tried.outcome != "answered":
        advice = (
            "Whoever signs up with a passkey has no password: store none, such as NULL, where user has no password."
        )
        return failed(said(tried), advice)
    found = yield Ask("get_user", (person.identifier,))
    if not is_profile(found):
        advice = "It must find whom create made without a password. Delete them by hand."
        return failed(f"{person.identifier} was made. get_user: {said(found)}", advice)
    verdict = passed()
    for guess in _ABSENT:
        tried = yield _login(person, Secret(guess))
        if is_profile(tried):
            verdict = failed(f"login with {guess!r}: {said(tried)}", "Nobody logs in with a password who has none.")
    yield Ask("delete", (id_of(found.value),))
    left = yield Ask("get_user", (person.identifier,))
    return verdict if is_nobody(left) else failed(f"{person.identifier} is still there.", "Delete them by hand.")


def _right_login(scene: Scene) -> Calls:
    tried = yield _login(_person(scene))
    if is_profile(tried):
        scene.profile, scene.user_id = tried.value, id_of(tried.value)
        return passed(said(tried))
    if isinstance(tried.value, dict):
        return failed("The profile has no user_id.", "Return the primary key of the row as user_id, as a text.")
    return failed(said(tried), "The right password must give a profile. Is it hashed as the database has it?")


def _profile(scene: Scene) -> Calls:
    yield from ()
    found = odd(scene.profile, scene.cast.required)
    return advised(" ".join(found), "Change what login and get_user return.") if found else passed()


def _stable_id(scene: Scene) -> Calls:
    tried = yield _login(_person(scene))
    if not is_profile(tried):
        return failed(said(tried), "The second login in a row did not succeed.")
    if id_of(tried.value) != scene.user_id:
        found = f"The first login gave {scene.user_id}, the second {id_of(tried.value)}."
        return failed(found, "user_id names the person for ever: return the primary key.")
    if not isinstance(tried.value.get("user_id", tried.value.get("id")), str):
        return failed("user_id is no text.", "Turn it into one: String(row.id) in Node.js, str(row.id) in Python.")
    return passed()


def _same_person(scene: Scene) -> Calls:
    tried = yield Ask("get_user", (_person(scene).identifier,))
    if not is_profile(tried):
        return failed(said(tried), "get_user must find whoever login lets in, by the same identifier.")
    if id_of(tried.value) != scene.user_id:
        found = f"login says {scene.user_id}, get_user says {id_of(tried.value)}."
        return failed(found, "Both must return the same user_id, or one person becomes two.")
    others = differing(scene.profile, tried.value)
    if others:
        return advised(f"They differ in {', '.join(others)}.", "Make both return the same profile.")
    return passed()


def _by_id(scene: Scene) -> Calls:
    tried = yield Ask("get_user", (scene.user_id,), {"identifierType": "user_id"})
    if is_profile(tried) and id_of(tried.value) == scene.user_id:
        return passed()
    advice = "Where context.identifierType is user_id, look for the id: a login with a passkey does so."
    return advised(said(tried), advice)


def _wrong_password(scene: Scene) -> Calls:
    tried = yield _login(_person(scene), _WRONG)
    if is_profile(tried):
        return failed(said(tried), "login lets everybody in: compare the password.")
    if tried.refusal is None or tried.refusal.kind != "wrong_credentials":
        return failed(said(tried), "Call back with WrongUsernameOrPasswordError(user_id, message).")
    if not tried.refusal.user_id:
        advice = "Give WrongUsernameOrPasswordError the user_id: the journal then says whose password was wrong."
        return advised(said(tried), advice)
    if scene.user_id and tried.refusal.user_id != scene.user_id:
        return advised(f"It names {tried.refusal.user_id}.", f"Name {scene.user_id}, as the right login does.")
    return passed()


def _hostile_passwords(scene: Scene) -> Calls:
    for guess in _GUESSES:
        tried = yield _login(_person(scene), Secret(guess))
        if not is_nobody(tried):
            return failed(
                f"With {guess!r}: {said(tried)}", "Compare hashes in the script; hand values to SQL as parameters."
            )
    return passed(f"{len(_GUESSES)} passwords were refused.")


def _hostile_identifiers(scene: Scene) -> Calls:
    advice = "Hand what was typed to the database as a parameter, never as a part of a statement; no LIKE."
    asks = [Ask("login", (typed, _WRONG)) for typed in HOSTILE]
    if "get_user" in scene.cast.scripts:
        asks += [Ask("get_user", (typed,)) for typed in HOSTILE]
    for ask in asks:
        tried = yield ask
        if not is_nobody(tried):
            return failed(f"{ask.name} with {ask.arguments[0][:40]!r}: {said(tried)}", advice)
    return passed(f"{len(HOSTILE)} of them were nobody.")


def _verify(scene: Scene) -> Calls:
    tried = yield Ask("verify", (_person(scene).identifiers["email"],))
    if tried.value is not True:
        return failed(said(tried), "verify must mark the address and call back with true.")
    again = yield _login(_person(scene))
    if not is_profile(again):
        return failed(f"Then login: {said(again)}", "Somebody whose address is verified must be able to log in.")
    if again.value.get("email_verified") is not True:
        return failed("email_verified is not true afterwards.", "login must return what verify wrote, as true.")
    return passed()


def _change_password(scene: Scene) -> Calls:
    person, new = _person(scene), scene.cast.spare.password
    tried = yield Ask("change_password", (person.identifier, new))
    if not _is_changed(tried):
        return failed(said(tried), "change_password must store the new password and call back with true.")
    scene.person = Person(person.identifiers, new)
    fresh = yield _login(scene.person)
    if not is_profile(fresh):
        return failed(
            f"Login with the new password: {said(fresh)}", "Hash it as login compares it; letters beyond ASCII too."
        )
    stale = yield _login(person)
    if not is_nobody(stale):
        return failed(f"Login with the old password: {said(stale)}", "The old password must not work any more.")
    return passed()


def _is_changed(tried: Tried) -> bool:
    return tried.refusal is None and bool(tried.value)


def _change(kind: IdentifierKind, name: ScriptName, scene: Scene) -> Calls:
    person = _person(scene)
    if kind not in person.identifiers:
        return Verdict("skipped", f"The connection knows no {kind}.")
    before, after = person.identifiers[kind], scene.cast.spare.identifiers[kind]
    more: tuple[Any, ...] = () if kind == "username" else (False,)
    tried = yield Ask(name, (before, after, *more))
    if not _is_changed(tried):
        return failed(said(tried), f"{name} must store the new one and call back with true.")
    scene.person = Person({**person.identifiers, kind: after}, person.password)
    if "get_user" not in scene.cast.scripts:
        return passed()
    found = yield Ask("get_user", (after,))
    if not is_profile(found) or (scene.user_id and id_of(found.value) != scene.user_id):
        return failed(f"get_user with the new one: {said(found)}", "It must find the same person.")
    gone = yield Ask("get_user", (before,))
    if not is_nobody(gone):
        return failed(f"get_user with the old one: {said(gone)}", "Nobody must be found by what was given up.")
    return passed()


def _change_email(scene: Scene) -> Calls:
    return _change("email", "change_email", scene)


def _change_username(scene: Scene) -> Calls:
    return _change("username", "change_username", scene)


def _change_phone(scene: Scene) -> Calls:
    return _change("phone_number", "change_phone_number", scene)


def _delete(scene: Scene) -> Calls:
    person = _person(scene)
    user_id = scene.user_id
    if not user_id and "get_user" in scene.cast.scripts:
        # The login failed, and whoever was made must go all the same.
        looked = yield Ask("get_user", (person.identifier,))
        user_id = id_of(looked.value) if is_profile(looked) else ""
    if not user_id:
        return failed(f"{person.identifier} is still there.", "No id is known to delete them by: delete them by hand.")
    tried = yield Ask("delete", (user_id,))
    if tried.outcome != "answered":
        return failed(f"{person.identifier} is still there. {said(tried)}", "Delete them by hand, and mend delete.")
    if "get_user" in scene.cast.scripts:
        found = yield Ask("get_user", (person.identifier,))
        if not is_nobody(found):
            advice = "delete gets user_id, without auth0|, and must delete by it. Delete them by hand."
            return failed(f"{person.identifier} is still there. get_user: {said(found)}", advice)
    late = yield _login(person)
    if not is_nobody(late):
        return failed(f"{person.identifier} still logs in: {said(late)}", "Delete the row that login reads.")
    scene.deleted = True
    return passed()


def _delete_nobody(scene: Scene) -> Calls:
    tried = yield Ask("delete", (scene.user_id,))
    if tried.outcome == "answered":
        return passed()
    return advised(said(tried), "Whoever is gone already is deleted as asked: call back with null.")


def _quiet(scene: Scene) -> Calls:
    yield from ()
    if scene.printed:
        return failed("A password was printed to the console.", "Take it out: logs are read by many, and kept.")
    return passed()


def _speed(scene: Scene) -> Calls:
    yield from ()
    return speed(scene)


CHECKS: Final = (
    Check("unknown_login", "login says no to nobody", _unknown_login, ("login",)),
    Check("unknown_get_user", "get_user finds nobody", _unknown_get_user, ("get_user",)),
    Check("create", "create makes somebody", _create, ("create", "delete"), "maker"),
    Check("create_twice", "create refuses whoever exists", _create_twice, ("create",), "made"),
    Check(
        "create_without_password",
        "create makes somebody without a password",
        _without_password,
        ("create", "delete", "get_user", "login"),
        "maker",
        by_context=True,
    ),
    Check("right_login", "login lets in with the right password", _right_login, ("login",), "anybody"),
    Check("profile", "the profile is as it should be", _profile, ("login",), "known"),
    Check("stable_id", "user_id is a text that stays", _stable_id, ("login",), "known"),
    Check("same_person", "login and get_user agree", _same_person, ("login", "get_user"), "known"),
    Check("by_id", "get_user finds by id", _by_id, ("get_user",), "known", by_context=True),
    Check("wrong_password", "login refuses a wrong password", _wrong_password, ("login",), "anybody"),
    Check("hostile_passwords", "passwords are compared, not interpreted", _hostile_passwords, ("login",), "anybody"),
    Check("hostile_identifiers", "identifiers are looked up, not interpreted", _hostile_identifiers, ("login",)),
    Check("verify", "verify marks the address", _verify, ("verify", "login"), "made"),
    Check("change_password", "the new password works alone", _change_password, ("change_password", "login"), "made"),
    Check("change_email", "the new address works alone", _change_email, ("change_email",), "made"),
    Check("change_username", "the new username works alone", _change_username, ("change_username",), "made"),
    Check("change_phone_number", "the new number works alone", _change_phone, ("change_phone_number",), "made"),
    Check("delete", "delete leaves nobody", _delete, ("delete",), "made"),
    Check("delete_nobody", "delete takes whoever is gone", _delete_nobody, ("delete",), "made"),
    Check("quiet", "no password is printed", _quiet),
    Check("speed", "nobody waits long", _speed),
)
"""Every check, in the order in which it is run: what is deleted last is deleted whatever was found before."""
