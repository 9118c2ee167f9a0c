"""The house holds: who may import whom, who owns which library, and what may be read in one place only."""

import ast
import inspect
import sys
from collections.abc import Iterator
from dataclasses import dataclass, is_dataclass
from functools import reduce
from graphlib import TopologicalSorter
from importlib import import_module
from pathlib import Path

import pytest

import keystead

ROOT = Path(keystead.__file__).parent
ENTRY = {"__init__", "__main__", "app", "backups", "elsewhere", "operator_log", "parts", "start"}
"""Composition: the files that may know everybody. ``start`` prepares in the parent process what ``app`` serves;
``elsewhere`` is what the command line needs of all that to call a server."""

MAY_IMPORT = {
    "errors": set(),
    "secrecy": set(),
    "settings": set(),
    "rules": {"errors"},
    "ports": {"rules"},
    "db": {"ports", "rules", "errors"},
    "custom_db": {"ports", "rules", "errors"},
    "users": {"db", "ports", "rules", "errors"},
    "adapters": {"ports", "rules", "errors"},
    "flows": {"db", "ports", "rules", "errors"},
    "oauth": {"flows", "db", "ports", "rules", "errors"},
    "web": {"oauth", "flows", "ports", "rules", "errors", "settings", "db", "__init__"},
    "cli": {"oauth", "flows", "ports", "rules", "errors", "settings", "start", "backups", "app", "__init__"},
    "worker": {"flows", "db", "ports", "rules", "errors"},
}
OWNERS = {
    "aiosmtplib": {"adapters"},
    "alembic": {"db"},
    "argon2": {"users"},
    "bcrypt": {"users"},
    "cbor2": {"adapters"},
    "cryptography": {"adapters", "oauth", "users"},  # there for one hash, Firebase's, which ends in AES
    "email_validator": {"rules"},
    "httpx2": {"adapters"},
    "itsdangerous": {"web"},
    "jinja2": {"web"},
    "joserfc": {"oauth", "adapters"},
    "lark": {"rules"},
    "liquid": {"rules"},
    "opentelemetry": {"adapters"},
    "passlib": {"users"},
    "phonenumbers": {"rules"},
    "prometheus_client": {"adapters"},
    "psycopg": {"db"},
    "publicsuffixlist": {"rules"},
    "pydantic": {"rules", "settings"},
    "pydantic_core": {"rules"},
    "pydantic_settings": {"settings"},
    "python_multipart": {"web"},
    "redis": {"adapters"},
    "sqlalchemy": {"db"},
    "sqlmodel": {"db", "users", "flows", "oauth", "worker"},
    "OpenSSL": {"adapters"},
    "starlette": {"web", "app"},
    "structlog": {"app", "operator_log", "web", "cli", "worker"},
    "typer": {"cli"},
    "uvicorn": {"cli"},
    "webauthn": {"adapters"},
}
COMPUTE = {
    *("base64", "binascii", "collections.abc", "dataclasses", "datetime", "hashlib", "hmac", "ipaddress", "json", "re"),
    *("typing", "unicodedata", "urllib.parse", "pydantic", "pydantic_core", "email_validator", "phonenumbers"),
    *("collections", "enum", "functools", "html.parser", "io", "itertools", "lark", "liquid", "math"),
}
"""What rules may import beside each other: nothing of it reads a clock, a file, the network or randomness."""

DATA = {
    "rules.words": {"gzip", "importlib.resources"},
    "rules.relying_party": {"publicsuffixlist"},
    "rules.authenticator_names": {"importlib.resources"},
}
"""What reads the data that ships with the package, and who may: the same bytes each time, like code."""

CLOCK = {f"datetime.{name}" for name in ("now", "utcnow", "today")} | {
    *("date.today", "time.time", "time.time_ns", "time.monotonic", "time.localtime", "time.gmtime")
}
RANDOMNESS = {"random", "secrets", "uuid.uuid1", "uuid.uuid4", "os.urandom", "os.getrandom"}
ENVIRONMENT = {"os.environ", "os.environb", "os.getenv", "os.putenv"}
EFFECTS = {"open", "print", "input", "exec", "eval", "__import__", "breakpoint"}


@dataclass(frozen=True)
class Module:
    """One file of the package, parsed."""

    name: str
    tree: ast.Module

    @property
    def ring(self) -> str:
        """The first part of the path below the package."""
        return self.name.split(".")[0]

    def imports(self) -> Iterator[tuple[str, str]]:
        """Give the module and the name of each import; an empty name where the module itself is imported."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from ((alias.name, "") for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{self.name}: a relative import"
                yield from ((str(node.module), alias.name) for alias in node.names)

    def internal(self) -> Iterator[tuple[str, str]]:
        """Give the modules of ours that this one imports, with the name that it takes from each."""
        for module, name in self.imports():
            if module.split(".")[0] == "keystead":
                inner = module.removeprefix("keystead").lstrip(".")
                whole = f"{inner}.{name}".strip(".")
                yield (whole, "") if whole in MODULES else (inner or "__init__", name)

    def reads(self) -> set[str]:
        """Return every name that the code mentions or imports, of dotted ones the last two parts."""
        nodes = [node for node in ast.walk(self.tree) if isinstance(node, ast.Name | ast.Attribute)]
        names = [ast.unparse(node) for node in nodes] + [".".join(pair).strip(".") for pair in self.imports()]
        return {".".join(name.split(".")[-2:]) for name in names}


def _name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


def _modules() -> dict[str, Module]:
    paths = (path for path in sorted(ROOT.rglob("*.py")) if "versions" not in path.parts)
    return {_name(path): Module(_name(path), ast.parse(path.read_text(encoding="utf-8"))) for path in paths}


MODULES = _modules()


def test_arrows_point_inwards() -> None:
    outwards = [
        f"{name} -> {target}"
        for name, module in MODULES.items()
        if module.ring not in ENTRY
        for target, _ in module.internal()
        if target.split(".")[0] not in MAY_IMPORT[module.ring] | {module.ring, "secrecy"}
    ]
    assert outwards == []


def test_libraries_have_owners() -> None:
    strangers = [
        f"{name} -> {library}"
        for name, module in MODULES.items()
        for library in {source.split(".")[0] for source, _ in module.imports()} - {"keystead"}
        if library not in sys.stdlib_module_names and module.ring not in OWNERS[library]
    ]
    assert strangers == []


def test_the_edges_see_values_of_the_database_and_nothing_else() -> None:
    """The edges may name a record; only flows read and write. Outside ``db/`` a session is only passed on."""
    for name, module in MODULES.items():
        for source, taken in module.internal():
            if module.ring == "web" and source.split(".")[0] == "db":
                value = getattr(import_module(f"keystead.{source}"), taken, None)
                assert inspect.isclass(value), f"{name} -> {source}.{taken}"
                assert is_dataclass(value), f"{name} -> {source}.{taken}"
        if module.ring != "db":
            assert {taken for source, taken in module.imports() if source == "sqlmodel"} <= {"Session"}, name


def test_rules_are_pure() -> None:
    waiting = (ast.AsyncFunctionDef, ast.AsyncFor, ast.AsyncWith, ast.Await, ast.Global, ast.Nonlocal)
    for name, module in MODULES.items():
        if module.ring == "rules":
            assert not [node.lineno for node in ast.walk(module.tree) if isinstance(node, waiting)], name
            allowed = COMPUTE | DATA.get(name, set())
            sources = {source for source, _ in module.imports() if not source.startswith("keystead")}
            assert {source for source in sources if not source.startswith("liquid.")} <= allowed, name
            assert not module.reads() & (CLOCK | ENVIRONMENT | EFFECTS), name


@pytest.mark.parametrize(
    ("what", "reader"), [(CLOCK, "app"), (RANDOMNESS, "app"), (ENVIRONMENT, "settings")], ids=["clock", "random", "env"]
)
def test_the_world_is_read_in_one_place(what: set[str], reader: str) -> None:
    def mentions(module: Module) -> set[str]:
        return {name for name in module.reads() if name in what or name.split(".")[0] in what}

    assert [name for name, module in MODULES.items() if mentions(module)] == [reader]


def test_commands_print_in_one_place() -> None:
    """What others chose steers no terminal, since one file prints, and masks it."""
    printing = {"print", "typer.echo", "typer.secho", "typer.confirm", "stdout.write", "stdout.buffer", "stderr.write"}
    found = [name for name, module in MODULES.items() if module.ring == "cli" and module.reads() & printing]
    assert found == ["cli.backup", "cli.terminal"], "a backup is bytes, which are refused to a terminal"


def test_only_the_gate_admits() -> None:
    def makes(module: Module) -> bool:
        calls = (node for node in ast.walk(module.tree) if isinstance(node, ast.Call))
        return any(ast.unparse(call.func).split(".")[-1] in ("Admitted", "Entered") for call in calls)

    assert [name for name, module in MODULES.items() if makes(module)] == ["flows.accounts"]


def test_imports_are_in_plain_sight() -> None:
    """None inside a function, none for the type checker alone: either would hide a cycle."""
    for name, module in MODULES.items():
        found = [node for node in ast.walk(module.tree) if isinstance(node, ast.Import | ast.ImportFrom)]
        assert all(node in module.tree.body for node in found), name
        assert "TYPE_CHECKING" not in {each.split(".")[-1] for each in module.reads()}, name


def test_no_import_cycles() -> None:
    graph = {name: {source for source, _ in module.internal()} - {name} for name, module in MODULES.items()}
    assert len(list(TopologicalSorter(graph).static_order())) >= len(MODULES)


def test_the_database_awaits_nothing() -> None:
    """What runs in a transaction is a plain function; only the hand-over to its thread, and a port, are awaited."""
    waiting = {
        name
        for name, module in MODULES.items()
        if module.ring == "db" and any(isinstance(node, ast.AsyncFunctionDef) for node in ast.walk(module.tree))
    }
    assert waiting == {"db.session", "db.threads", "db.attempts", "db.outbox"}


def test_units_of_work_are_plain_functions() -> None:
    works = [work for module in MODULES.values() for work in _works(module)]
    assert len(works) > 80
    assert not [work for work in works if not inspect.isfunction(work) or inspect.iscoroutinefunction(work)]


def _works(module: Module) -> Iterator[object]:
    """Give each function that the module hands to ``db.read`` or ``db.write``; of a part, whoever has such a method."""
    for call in ast.walk(module.tree):
        if isinstance(call, ast.Call) and ast.unparse(call.func).endswith(("db.read", "db.write", "db.write_now")):
            space = vars(import_module(f"keystead.{module.name}"))
            owner, *path = ast.unparse(call.args[0]).split(".")
            if not path and owner not in space:
                continue  # handed in by a caller, with a type that says that it is one
            if owner in space:
                yield reduce(getattr, path, space[owner])
            elif owner == "self" and (kind := _class_around(module, call)) and hasattr(space[kind], path[0]):
                yield getattr(space[kind], path[0])
            else:
                kinds = [kind for kind in space.values() if inspect.isclass(kind) and hasattr(kind, path[-1])]
                assert kinds, f"{module.name}:{call.lineno}"
                yield from (getattr(kind, path[-1]) for kind in kinds)


def _class_around(module: Module, call: ast.Call) -> str | None:
    classes = (node for node in module.tree.body if isinstance(node, ast.ClassDef))
    return next((each.name for each in classes if each.lineno <= call.lineno <= (each.end_lineno or 0)), None)
