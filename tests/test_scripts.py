"""The scripts and the lock files: what a fresh clone relies on before there is anything else."""

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPTS = sorted(path for path in (ROOT / "scripts").iterdir() if path.is_file() and not path.suffix)
LOCKS = sorted((ROOT / "requirements").glob("*.lock"))


def test_there_is_what_the_readme_promises() -> None:
    assert {"serve", "test", "check", "bench", "lock"} <= {path.name for path in SCRIPTS}
    assert {path.stem for path in LOCKS} == {"bootstrap", "runtime", "dev", "clients", "custom_db"}


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_scripts_are_short_posix_shell(script: Path) -> None:
    text = script.read_text(encoding="utf-8")
    assert text.startswith("#!/bin/sh\n# ")
    assert os.access(script, os.X_OK)
    assert len(text.splitlines()) <= 15
    assert re.search(r'^LOCK=(dev|runtime)\n\. "\$\(dirname "\$0"\)/_env\.sh"$', text, re.MULTILINE)
    subprocess.run(["sh", "-n", str(script)], check=True)


@pytest.mark.parametrize("name", ["scripts/_env.sh", *(f"scripts/{path.name}" for path in SCRIPTS)])
def test_nothing_that_only_bash_has(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert not re.search(r"\[\[|pipefail|\bfunction \w|<<<|\$\{\w+\^|\bsource |&>|\blocal ", text)
    subprocess.run(["sh", "-n", name], cwd=ROOT, check=True)


def test_the_pipeline_runs_what_the_readme_says() -> None:
    run = ROOT / ".ci" / "run"
    text = run.read_text(encoding="utf-8")
    assert os.access(run, os.X_OK)
    assert text.index("scripts/check") < text.index("scripts/test")
    subprocess.run(["sh", "-n", str(run)], check=True)


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.stem)
def test_locks_hold_names_versions_and_hashes_alone(lock: Path) -> None:
    """No host: whoever installs chooses where from, and the hashes say whether it is the same."""
    text = lock.read_text(encoding="utf-8")
    assert not re.search(r"://|--(extra-)?index|--find-links|--trusted-host|@ ", text)
    stanzas = re.split(r"\n(?=[a-z])", text.strip())
    for stanza in stanzas:
        assert re.match(
            r"[a-z0-9._-]+(\[[a-z0-9,-]+\])?==[0-9][^\s;]*( ; [^\\]+)? \\\n    --hash=sha256:[0-9a-f]{64}", stanza
        )


def test_everything_that_runs_is_locked_for_development_too() -> None:
    """The suite runs on what is served: the same versions."""
    runtime, dev = (_pins(ROOT / "requirements" / f"{name}.lock") for name in ("runtime", "dev"))
    assert runtime <= dev


def _pins(lock: Path) -> set[str]:
    return set(re.findall(r"^([a-z0-9._-]+(?:\[[a-z0-9,-]+\])?==\S+)", lock.read_text(encoding="utf-8"), re.MULTILINE))
