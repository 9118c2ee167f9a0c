"""The contract suite over the shipped templates, on real servers: what is copied to begin with holds it."""

import pytest

from custom_db.legacy import TEMPLATES
from keystead.custom_db.runner import Children
from keystead.errors import ScriptFailed
from keystead.rules.action_scripts import NAMES, Script, ScriptLanguage, ScriptName
from keystead.rules.script_checks import CHECKS
from keystead.rules.script_contract import Ask, Cast, Finding, Person, suite
from keystead.rules.script_trials import Tried
from keystead.secrecy import Secret

ENDING = {"node": "js", "python": "py"}
ANN = Person({"email": "ann@example.com"}, Secret("the first password"))
SPARE = Person({"email": "new@example.com"}, Secret("Zweites Paßwort €"))


@pytest.mark.parametrize("language", ["node", "python"])
@pytest.mark.parametrize("template", ["postgresql", "mysql"])
async def test_the_templates_hold_the_contract(
    runtime: Children, request: pytest.FixtureRequest, template: str, language: ScriptLanguage
) -> None:
    configuration: dict[str, str] = request.getfixturevalue(f"{template}_configuration")
    opened = {name: Secret(value) for name, value in configuration.items()}
    files = {name: TEMPLATES / template / language / f"{name}.{ENDING[language]}" for name in NAMES}
    sources: dict[ScriptName, str] = {name: each.read_text("utf-8") for name, each in files.items() if each.is_file()}

    async def called(ask: Ask) -> Tried:
        script = Script("con_contract", ask.name, language, sources[ask.name], opened)
        try:
            answer = await runtime.run(script, ask.arguments, ask.context or {})
        except ScriptFailed as failed:
            return Tried(failure=failed.detail, console=failed.console)
        return Tried(answer, console=answer.console, seconds=0.01)  # the machine of the tests is busy

    checks = suite(Cast(frozenset(sources), ANN, SPARE, "nobody@example.com", has_context=True), CHECKS)
    try:
        ask = next(checks)
        while True:
            ask = checks.send(await called(ask))
    except StopIteration as ended:
        found: list[Finding] = ended.value
    wrong = {each.check: (each.found, each.advice) for each in found if each.status not in ("passed", "skipped")}
    assert wrong == {}
    assert {each.check for each in found if each.status == "skipped"} == {"change_username", "change_phone_number"}
