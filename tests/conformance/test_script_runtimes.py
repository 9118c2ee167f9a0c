"""The script runtime in both languages: what scripts can do, and what stays between two calls."""

import asyncio
import json
import os
import secrets
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from conformance.script_runtimes import AMBIGUOUS, CASES, ONLY_NODE, Case
from keystead.custom_db.limits import Limits, Programs
from keystead.custom_db.runner import Children
from keystead.errors import ScriptFailed
from keystead.rules.action_scripts import Script, ScriptAnswer, ScriptLanguage, ScriptName
from keystead.secrecy import Secret
from world import CountingEntropy

PG = """
class Client { constructor(where) { this.where = where; }
  query(text, values, done) { setImmediate(() => done(null, {rows: [{text, values, where: this.where}]})); } }
class Pool { constructor(options) { this.where = options.connectionString; }
  on() {}
  connect(callback) { setImmediate(() => callback(null, new Client(this.where), () => undefined)); } }
module.exports = {Client, Pool};
"""
WHERE = {"url": Secret("postgres://\u00e9")}


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Programs:
    """Modules for both languages."""
    above, packages = tmp_path_factory.mktemp("node"), tmp_path_factory.mktemp("python")
    for name, version, text in (
        ("thing", "1.2.3", "module.exports = 'thing 1.2.3';"),
        ("old-2.0.1", "2.0.1", "module.exports = 'old 2.0.1';"),
        ("pg", "8.11.0", PG),
    ):
        place = above / "node_modules" / name
        place.mkdir(parents=True)
        (place / "package.json").write_text(json.dumps({"name": name, "version": version, "main": "main.js"}))
        (place / "main.js").write_text(text)
    (packages / "thing.py").write_text("version = 'thing 1.2.3'\n")
    return Programs(modules=above / "node_modules", python=packages)


@pytest.fixture(scope="module")
async def runtime(programs: Programs) -> AsyncIterator[Children]:
    """One runtime, whose children are used again and again."""
    runtime = Children(CountingEntropy("scripts"), Limits(concurrency=2), programs)
    yield runtime
    await runtime.close()


def script(source: str, language: ScriptLanguage, connection: str = "", **given: object) -> Script:
    """Return a login script of a connection of its own."""
    made = Script(connection or f"con_{secrets.token_hex(8)}", "login", language, source, WHERE)
    return replace(made, **given)  # type: ignore[arg-type]


async def login(runtime: Children, script: Script) -> ScriptAnswer:
    """Call a login script."""
    return await runtime.run(script, ["ann@example.com", Secret("pass word")], None)


async def gone(pid: int) -> None:
    """Wait until there is no such process any more, not even a zombie."""

    def look() -> None:
        while os.path.exists(f"/proc/{pid}"):
            time.sleep(0.01)

    await asyncio.wait_for(asyncio.to_thread(look), 20)


def outcome(found: ScriptAnswer) -> ScriptAnswer:
    """Return an answer without what differs from run to run, and from language to language."""
    refusal = found.refusal
    if refusal and refusal.kind == "error":
        refusal = replace(refusal, message=refusal.message.removeprefix("ConnectionError: "))
    return replace(found, console=(), seconds=0.0, refusal=refusal)


@pytest.mark.parametrize("language", ["node", "python"])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
async def test_both_languages(runtime: Children, language: ScriptLanguage, case: Case) -> None:
    asked = script(case.source(language), language, f"con_{language}", name=case.name)
    arguments = [Secret(each) if each == "pass word" else each for each in case.arguments]
    found = await runtime.run(asked, arguments, case.context)
    expected = case.expected
    if language == "node" and "last_password_reset" in str(expected.value):
        expected = replace(expected, value={"last_password_reset": "1970-01-01T00:00:00.000Z"})
    assert outcome(found) == expected
    assert set(case.console) <= set(found.console)


@pytest.mark.parametrize(("source", "expected"), ONLY_NODE.values(), ids=ONLY_NODE)
async def test_only_node(runtime: Children, source: str, expected: ScriptAnswer) -> None:
    assert outcome(await login(runtime, script(source, "node", "con_node"))) == expected


async def test_what_another_script_left_behind_is_not_taken_for_this_one(runtime: Children) -> None:
    """Both run in one process, and ``global`` is theirs together."""
    find = "async function getByEmail(email) { global.login = getByEmail; return { user_id: '1', email }; }"
    other = script(find, "node", name="get_user")
    assert (await runtime.run(other, ["ann@example.com"], None)).value == {"user_id": "1", "email": "ann@example.com"}
    two = replace(other, name="login", source="const one = (email) => login(email); const two = (a, b) => null;")
    refusal = (await login(runtime, two)).refusal
    assert refusal is not None
    assert refusal.message == AMBIGUOUS


AUTH0: dict[ScriptName, str] = {
    "get_user": "getByEmail",
    "change_password": "changePassword",
    "delete": "remove",
    "change_email": "changeEmail",
    "change_username": "changeUsername",
    "change_phone_number": "changePhoneNumber",
}
"""What Auth0's templates call a function that is not called as the script is."""


@pytest.mark.parametrize("name", get_args(ScriptName))
async def test_a_function_beside_others_is_known_by_its_name(runtime: Children, name: ScriptName) -> None:
    called = AUTH0.get(name, name)
    source = f"function helper(a) {{ return 'helped'; }}\nasync function {called}(a) {{ return 'called'; }}"
    asked = script(source, "node", name=name)
    assert (await runtime.run(asked, ["x"], None)).value == "called"
    unnamed = replace(asked, source=source.replace(called, "another"))
    refusal = (await runtime.run(unnamed, ["x"], None)).refusal
    assert refusal is not None
    assert f"or have one called {'remove' if name == 'delete' else name}" in refusal.message


async def test_a_second_callback_is_reported(runtime: Children) -> None:
    again = script("function (a, b, callback) { callback(null, 1); callback(null, 2); }", "node")
    found = await login(runtime, again)
    assert (found.value, found.console) == (1, ("login: callback was called again; only the first time counts",))


KEPT: dict[ScriptLanguage, str] = {
    "node": """function (a, b, callback) {
        global.calls = (global.calls || 0) + 1;
        callback(null, global.calls);
    }""",
    "python": """
calls = 0

def login(a, b):
    global calls
    calls += 1
    return calls
""",
}


@pytest.mark.parametrize("language", ["node", "python"])
async def test_what_a_warm_child_keeps(programs: Programs, language: ScriptLanguage) -> None:
    """``global`` lasts; another connection, another source and another configuration begin anew, and so does a child
    that has had its share of calls."""
    runtime = Children(CountingEntropy(), Limits(calls=4), programs)
    own = script(KEPT[language], language)
    assert [(await login(runtime, own)).value for _ in range(3)] == [1, 2, 3]
    for other in (
        replace(own, connection_id="con_other"),
        replace(own, source=f"{own.source}\n"),
        replace(own, configuration={"url": Secret("other")}),
    ):
        assert (await login(runtime, other)).value == 1
    assert [(await login(runtime, own)).value for _ in range(2)] == [4, 1]
    await runtime.close()
    with pytest.raises(ScriptFailed, match="the runtime is closed"):
        await login(runtime, own)


async def test_a_child_that_nobody_needs_goes(programs: Programs) -> None:
    runtime = Children(CountingEntropy(), Limits(idle=0.05), programs)
    own = script("import os\ndef login(a, b): return os.getpid()", "python")
    pid = (await login(runtime, own)).value
    await gone(pid)
    assert (await login(runtime, own)).value != pid
    await runtime.close()


async def test_calls_wait_for_a_child_and_no_more_than_may(programs: Programs) -> None:
    runtime = Children(CountingEntropy(), Limits(concurrency=2, queue=3), programs)
    slow = script("import os, time\ndef login(a, b):\n    time.sleep(0.2)\n    return os.getpid()", "python")
    found = await asyncio.gather(*(login(runtime, slow) for _ in range(7)), return_exceptions=True)
    pids = [each.value for each in found if isinstance(each, ScriptAnswer)]
    assert (len(pids), len(set(pids))) == (5, 2)
    assert all("as many calls wait as may" in str(each) for each in found if isinstance(each, ScriptFailed))
    await runtime.close()


@pytest.mark.parametrize(
    ("programs", "language", "why"),
    [
        (Programs(node="/nowhere/node"), "node", "there is no program /nowhere/node"),
        (Programs(node="/bin/true"), "node", "/bin/true is no Node.js that works"),
        (Programs(python=Path("/bin/false")), "python", "/bin/false is no Python that works"),
        (Programs(wrapper=("/nowhere/bwrap",)), "python", "there is no program /nowhere/bwrap"),
        (Programs(wrapper=("sh", "-c", "echo no namespaces >&2; exit 4")), "python", r"\(code 4\): no namespaces"),
    ],
)
async def test_what_is_missing_is_said(programs: Programs, language: ScriptLanguage, why: str) -> None:
    runtime = Children(CountingEntropy(), Limits(), programs)
    with pytest.raises(ScriptFailed, match=why):
        await login(runtime, script("1", language))
    await runtime.close()


async def test_a_wrapper_runs_around_it(programs: Programs) -> None:
    """One that lets nothing through but the first three descriptors, as ``sudo`` does."""
    closes = "import os, sys; os.closerange(3, 4096); os.execv(sys.argv[1], sys.argv[1:])"
    runtime = Children(CountingEntropy(), Limits(), replace(programs, wrapper=(sys.executable, "-Ic", closes)))
    for language in ("node", "python"):
        assert (await login(runtime, script(KEPT[language], language))).value == 1
    await runtime.close()
