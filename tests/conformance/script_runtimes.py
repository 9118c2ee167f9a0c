"""What every language of action scripts can do: the same outcomes, said as each language says them."""

from dataclasses import dataclass
from typing import Any, Final

from keystead.rules.action_scripts import ScriptAnswer, ScriptLanguage, ScriptName, ScriptRefusal


@dataclass(frozen=True)
class Case:
    """One call: the source in both languages, what it is called with, and what comes of it."""

    node: str
    python: str
    expected: ScriptAnswer
    name: ScriptName = "login"
    arguments: tuple[Any, ...] = ("ann@example.com", "pass word")
    context: dict[str, Any] | None = None
    console: tuple[str, ...] = ()
    """Lines that must be among those printed."""

    def source(self, language: ScriptLanguage) -> str:
        """Return the script."""
        return self.node if language == "node" else self.python


def answer(value: Any = None, *more: Any) -> ScriptAnswer:
    """Return what a script called back with."""
    return ScriptAnswer(value, more=more)


def refusal(*given: Any, **named: Any) -> ScriptAnswer:
    """Return that it refused."""
    return ScriptAnswer(refusal=ScriptRefusal(*given, **named))


ORGANIZATION: Final = {"organization": {"id": "org_1", "name": "acme", "display_name": "Acme", "metadata": {}}}
PROFILE: Final = {"user_id": "7", "email": "ann@example.com", "nickname": None, "app_metadata": {"n": [1, 2.5, True]}}
NEW_USER: Final = {
    "email": "ann@example.com",
    "password": "pass word",
    "user_metadata": {"greeting": "h\u00e9 \u2028 \U0001f600"},
}

CASES: Final = {
    "profile": Case(
        """function login(email, password, callback) {
            callback(null, {user_id: '7', email, nickname: null, app_metadata: {n: [1, 2.5, true]}});
        }""",
        """
def login(email: str, password: str) -> dict | None:
    return {"user_id": "7", "email": email, "nickname": None, "app_metadata": {"n": [1, 2.5, True]}}
""",
        answer(PROFILE),
    ),
    "whatever the name of the parameters": Case(
        "function (a, b, done) { done(null, [a, b]); }",
        "def login(a, b):\n    return [a, b]",
        answer(["ann@example.com", "pass word"]),
    ),
    "asynchronous": Case(
        """async (email, password) => {
            await new Promise((resolve) => setTimeout(resolve, 1));
            return {user_id: '7'};
        };""",
        """
import asyncio

async def login(email, password):
    await asyncio.sleep(0.001)
    return {"user_id": "7"}
""",
        answer({"user_id": "7"}),
    ),
    "asynchronous, with a callback": Case(
        """async function login(email, password, callback) {
            await null;
            return callback(null, {user_id: '7'});
        }""",
        "async def login(email, password): return {'user_id': '7'}",
        answer({"user_id": "7"}),
    ),
    "nobody": Case("function (a, b, callback) { callback(); }", "def login(a, b): pass", answer()),
    "nobody, said otherwise": Case(
        "function (a, b, callback) { callback(null, null); }", "def login(a, b): return None", answer()
    ),
    "false is no absence": Case(
        "function (email, password, callback) { callback(null, false); }",
        "def change_password(email, password): return False",
        answer(False),
        "change_password",
    ),
    "a word that is no JSON but has a form": Case(
        "function (a, b, callback) { callback(null, {last_password_reset: new Date(0)}); }",
        """
import datetime

def change_password(email, password):
    return {"last_password_reset": datetime.date(1970, 1, 1)}
""",
        answer({"last_password_reset": "1970-01-01"}),
        "change_password",
    ),
    "a user to create": Case(
        "function create(user, callback) { callback(null, user); }",
        "def create(user): return user",
        answer(NEW_USER),
        "create",
        (NEW_USER,),
    ),
    "a wrong password": Case(
        "function (a, b, callback) { callback(new WrongUsernameOrPasswordError(7, 'wrong')); }",
        "def login(a, b): raise WrongUsernameOrPasswordError(7, 'wrong')",
        refusal("wrong_credentials", "wrong", user_id="7"),
    ),
    "a wrong name": Case(
        "function (a, b, callback) { callback(new WrongUsernameOrPasswordError(null, 'who?')); }",
        """
from keystead_scripts import WrongUsernameOrPasswordError

def login(a, b):
    raise WrongUsernameOrPasswordError(None, "who?")
""",
        refusal("wrong_credentials", "who?"),
    ),
    "not valid": Case(
        "function create(user, callback) { callback(new ValidationError('user_exists', 'is there')); }",
        "def create(user): raise ValidationError('user_exists', 'is there')",
        refusal("validation", "is there", "user_exists"),
        "create",
        ({},),
    ),
    "not authorized": Case(
        "function (a, b, callback) { callback(new UnauthorizedError('ask Bob')); }",
        "async def login(a, b): raise UnauthorizedError('ask Bob')",
        refusal("unauthorized", "ask Bob"),
    ),
    "any other error": Case(
        "function (a, b, callback) { callback(new TypeError('no database')); }",
        "def login(a, b): raise ConnectionError('no database')",
        refusal("error", "no database"),
    ),
    "thrown": Case(
        "function (a, b, callback) { throw new UnauthorizedError('thrown'); }",
        "def login(a, b): raise UnauthorizedError('thrown')",
        refusal("unauthorized", "thrown"),
    ),
    "rejected": Case(
        "async function (a, b, callback) { throw new ValidationError('x', 'rejected'); }",
        "async def login(a, b): raise ValidationError('x', 'rejected')",
        refusal("validation", "rejected", "x"),
    ),
    "context": Case(
        "function (email, password, context, callback) { callback(null, context); }",
        "def login(email, password, context=None): return context",
        answer(ORGANIZATION),
        context=ORGANIZATION,
    ),
    "context that is empty": Case(
        "function (id, context, callback) { callback(null, context); }",
        "def delete(user_id, *, context): return context",
        answer({}),
        "delete",
        ("7",),
        context={},
    ),
    "context that is off": Case(
        "function (email, password, callback) { callback(null, typeof callback); }",
        "def login(email, password, context='function'): return context or 'function'",
        answer("function"),
    ),
    "configuration": Case(
        """function (a, b, callback) {
            try { configuration.url = 'other'; } catch (error) { }
            callback(null, [configuration.url, Object.keys(configuration).length]);
        }""",
        """
from keystead_scripts import configuration as imported

def login(a, b):
    try:
        configuration["url"] = "other"
    except TypeError:
        return [imported["url"], len(configuration)]
""",
        answer(["postgres://\u00e9", 1]),
    ),
    "console": Case(
        """function (a, b, callback) {
            console.log('one %d', 1, {two: 2}); console.error('three'); process.stdout.write('raw');
            callback(null, true);
        }""",
        """
import os, sys

def login(a, b):
    print("one 1 { two: 2 }")
    print("three", file=sys.stderr)
    os.write(1, b"raw")
    return True
""",
        answer(True),
        console=("one 1 { two: 2 }", "three", "raw"),
    ),
    "modules of the language": Case(
        "function (a, b, done) { done(null, require('crypto').createHash('sha256').update('x').digest('hex')); }",
        "import hashlib\n\ndef login(a, b): return hashlib.sha256(b'x').hexdigest()",
        answer("2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"),
    ),
    "modules of others": Case(
        "function (a, b, done) { done(null, [require('thing'), require('thing@1.0.0'), require('old@2.0.1')]); }",
        "import thing\n\ndef login(a, b): return [thing.version, thing.version, 'old 2.0.1']",
        answer(["thing 1.2.3", "thing 1.2.3", "old 2.0.1"]),
    ),
}
"""One answer each. ``error`` is compared by the end of its message: each language puts a name before it."""

AMBIGUOUS: Final = "the script must be one function, or have one called login"

ONLY_NODE: Final = {
    "several answers": ("function (a, b, callback) { callback(null, 1, {two: 2}, 3); }", answer(1, {"two": 2}, 3)),
    "a comment before, a semicolon behind": (
        "// login\n/* of\nours */\nfunction login(a, b, callback) { callback(null, 1); } // the end\n;\n",
        answer(1),
    ),
    "functions beside": (
        "function login(a, b, callback) { other(callback); }\nfunction other(callback) { callback(null, 1); }",
        answer(1),
    ),
    "a helper before it": (
        """'use strict';
        async function find(email) { return { user_id: '1', email }; }
        async function login(email, password) { return password === 'right' ? find(email) : null; }""",
        answer(),
    ),
    "its name before others of Auth0's": (
        "const loginByEmail = (a) => a;\nconst login = async (a, b) => b;\nfunction find(a) { return a; }",
        answer("pass word"),
    ),
    "a name of Auth0's templates": (
        "function find(a) { return a; }\nfunction loginByEmail(a, b, callback) { callback(null, b); }",
        answer("pass word"),
    ),
    "the only one": (
        """const { createHash } = { createHash: 1 };
        // function find(email)
        async function whoever(a, b) { function inner(x) { return x; } return setTimeout ? inner(b) : fetch; }""",
        answer("pass word"),
    ),
    "none of several": (
        "function find(email) { return { user_id: '1' }; }\nconst check = (email, password) => null;",
        refusal("error", AMBIGUOUS),
    ),
    "none of several, by whichever words": (
        "function /* a row */ find(email) { return { user_id: '1' }; }\nlet check; check = async (a, b) => null;",
        refusal("error", AMBIGUOUS),
    ),
    "one within, and none": (
        "const people = { find(email) { function login() { } } };",
        refusal("error", AMBIGUOUS),
    ),
    "what it returns before the end": (
        "function find(email) { return { user_id: '1' }; }\nif (configuration) { return find; }\nfunction login() { }",
        refusal("error", AMBIGUOUS),
    ),
    "what is no JavaScript": ("function find(email) { ", refusal("error", "Unexpected token ')'")),
    "a string thrown": ("function (a, b, callback) { throw 'a string'; }", refusal("error", "a string")),
    "a string called back": ("function (a, b, callback) { callback('a string'); }", refusal("error", "a string")),
    "nothing thrown": (
        "function (a, b, callback) { throw undefined; }",
        refusal("error", "something empty was thrown"),
    ),
    "an error later": (
        "function (a, b, callback) { setTimeout(() => { throw new Error('later'); }, 1); }",
        refusal("error", "later"),
    ),
    "a rejection of nobody's": (
        "function (a, b, callback) { Promise.reject(new Error('unhandled')); setTimeout(callback, 400); }",
        refusal("error", "unhandled"),
    ),
    "what it happens to return": (
        "async function (a, b, callback) { setTimeout(() => callback(null, 1), 5); return setTimeout(() => 0, 1); }",
        answer(1),
    ),
    "the old connect of pg": (
        """function (email, password, callback) {
            const pg = require('pg');
            pg.connect('postgres://there', function (error, client, done) {
                if (error) return callback(error);
                client.query('SELECT 1', [email], function (error, result) {
                    done();
                    callback(error, result.rows[0]);
                });
            });
        }""",
        answer({"text": "SELECT 1", "values": ["ann@example.com"], "where": "postgres://there"}),
    ),
    "a version that is not installed": (
        "function (a, b, callback) { callback(null, require('thing@3.0.0')); }",
        refusal("error", "thing@3.0.0 is asked for and 1.2.3 is installed: npm install thing-3.0.0@npm:thing@3.0.0"),
    ),
    "what is no function": ("1 + 1", refusal("error", "the script must be a function")),
}
