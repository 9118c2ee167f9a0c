"""Files of action scripts, as commands read them: what they are written in, and whether they can be scripts at all."""

import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from keystead.cli.terminal import refuse
from keystead.rules.action_scripts import NAMES, ScriptLanguage, ScriptName

_ENDINGS: Final[Mapping[str, ScriptLanguage]] = {".py": "python", ".js": "node", ".cjs": "node", ".mjs": "node"}
_CALLED: Final[Mapping[ScriptLanguage, str]] = {"python": "Python", "node": "Node.js"}


def text_of(file: str) -> str:
    """Return what a file says, or standard input; what cannot be read ends the command."""
    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except OSError as error:
        raise refuse(f"{file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise refuse(f"{file}: is no text in UTF-8") from None


def language_of(file: str) -> ScriptLanguage | None:
    """Return what a file is written in, where its name says so."""
    return _ENDINGS.get(Path(file).suffix)


def of_directory(directory: Path, language: ScriptLanguage | None) -> dict[ScriptName, str]:
    """Return the files of a directory that are called like scripts; of one language, where that is given."""
    found: dict[ScriptName, str] = {}
    for name in NAMES:
        files = [each for ending in _ENDINGS if (each := directory / f"{name}{ending}").is_file()]
        files = [each for each in files if language in (None, language_of(str(each)))]
        if len(files) > 1:
            raise refuse(f"{files[0]} and {files[1].name} are both {name}: which of them, --language says")
        if files:
            found[name] = str(files[0])
    if not found:
        raise refuse(f"{directory}: has no scripts, such as login.js or login.py")
    return found


def language_for(options: Mapping[str, Any], files: Mapping[ScriptName, str]) -> ScriptLanguage:
    """Return the language that scripts are saved in where nobody says so: that of the others, or else of the files."""
    found = {named for file in files.values() if (named := language_of(file))}
    if not options.get("customScripts") and len(found) == 1:
        return found.pop()
    saved: ScriptLanguage = options.get("script_language", "node")
    for file in files.values():
        named = language_of(file)
        if named not in (None, saved):
            raise refuse(
                f"{file} is {_CALLED[named]} by its name, and the scripts of this connection are {_CALLED[saved]}: "
                f"--language {named} makes it the language of all of them"
            )
    return saved


def check(name: ScriptName, language: ScriptLanguage, file: str, source: str) -> None:
    """Refuse what cannot be that script. What only running it shows, ``try`` and ``test`` are for."""
    if language == "python":
        _compile(file, source)
    is_there = name in source if language == "python" else "function" in source or "=>" in source
    if not is_there:
        wanted = f"a function {name}" if language == "python" else "a function expression"
        raise refuse(f"{file}: is no script for {_CALLED[language]}, which has {wanted}")


def _compile(file: str, source: str) -> None:
    try:
        with warnings.catch_warnings(action="ignore"):
            compile(source, file, "exec", dont_inherit=True)
    except SyntaxError as error:
        raise refuse(f"{file}: is no Python: line {error.lineno}: {error.msg}") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise refuse(f"{file}: is no Python: {error}") from None
