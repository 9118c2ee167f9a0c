"""The shipped templates, as they are when somebody puts them on a connection."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from keystead.ports import ScriptRuntime
from keystead.rules.action_scripts import Script, ScriptAnswer, ScriptLanguage, ScriptName
from keystead.secrecy import Secret

ROOT = Path(__file__).parents[2]
TEMPLATES = ROOT / "static" / "custom_db"
NAMES = sorted(path.name for path in TEMPLATES.iterdir() if path.is_dir())
LANGUAGES: tuple[ScriptLanguage, ...] = get_args(ScriptLanguage)
SUFFIXES: dict[ScriptLanguage, str] = {"node": ".js", "python": ".py"}
SCRIPTS: tuple[ScriptName, ...] = (
    "login",
    "get_user",
    "create",
    "verify",
    "change_password",
    "delete",
    "change_email",
)
"""What every template has."""
ANN, BOB = "ann@example.com", "bob@example.com"


def calls(who: str = ANN, other: str = BOB, own: str = "1") -> tuple[tuple[ScriptName, tuple[Any, ...]], ...]:
    """Return one call of every script: about somebody, about another address, about an id."""
    return (
        ("login", (who, "a password")),
        ("get_user", (who,)),
        ("create", ({"email": other, "password": "a password"},)),
        ("verify", (who,)),
        ("change_password", (who, "another")),
        ("delete", (own,)),
        ("change_email", (who, other, True)),
    )


def source(template: str, language: ScriptLanguage, name: ScriptName) -> str:
    """Return a script of a template."""
    return (TEMPLATES / template / language / f"{name}{SUFFIXES[language]}").read_text(encoding="utf-8")


@dataclass
class Legacy:
    """A connection whose scripts are those of a template, or others of the same names."""

    runtime: ScriptRuntime
    template: str
    language: ScriptLanguage
    configuration: Mapping[str, str]
    sources: Mapping[ScriptName, str] | None = None

    async def answer(self, name: ScriptName, *arguments: Any, context: Mapping[str, Any] | None = None) -> ScriptAnswer:
        """Run a script."""
        found = self.sources[name] if self.sources else source(self.template, self.language, name)
        configuration = {key: Secret(value) for key, value in self.configuration.items()}
        connection = f"con_{self.template}_{self.language}"
        script = Script(connection, name, self.language, found, configuration)
        return await self.runtime.run(script, arguments, context)

    async def __call__(self, name: ScriptName, *arguments: Any, context: Mapping[str, Any] | None = None) -> Any:
        """Run a script that is to answer with a value, and return that."""
        answer = await self.answer(name, *arguments, context=context)
        assert answer.refusal is None, (answer.refusal, answer.console)
        return answer.value

    async def refused(self, name: ScriptName, *arguments: Any) -> tuple[str, str | None]:
        """Run a script that is to refuse, and return the kind of its refusal with the code or id that it has."""
        answer = await self.answer(name, *arguments)
        assert answer.refusal is not None, answer.value
        for line in answer.console:
            print(line)  # shown where the test fails
        return answer.refusal.kind, answer.refusal.code or answer.refusal.user_id
