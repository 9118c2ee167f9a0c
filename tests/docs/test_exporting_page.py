"""The page on exports: what it says of archives is so, and its lines verify one, or do not."""

import io
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from keystead.rules.user_archives import ArchivedUser
from two_installations import exported, finished
from world import World

PAGE = (Path(__file__).parents[2] / "docs/exporting.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert found
    return found[1]


def run(command: list[str], directory: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)


def test_every_member_is_named() -> None:
    named = set(re.findall(r"`(\w+)`", PAGE))
    assert set(ArchivedUser.model_fields) <= named


@pytest.mark.parametrize("installation", ["sqlite"], indirect=True)
async def test_its_lines_verify_an_archive(world: World, tmp_path: Path) -> None:
    await world.person()
    job = await finished(world, await world.manage("POST", "/keystead/user-archives", {}))
    with tarfile.open(fileobj=io.BytesIO(await exported(world))) as archive:
        archive.extractall(tmp_path, filter="data")
    by_shell = run(["sh", "-e", "-c", block("sh")], tmp_path)
    assert "Verified OK" in by_shell.stdout, by_shell.stderr
    manifest = (tmp_path / "manifest.json").read_text()
    digests = re.findall(r"= ([0-9a-f]{64})$", by_shell.stdout, re.MULTILINE)
    assert len(digests) == 2
    assert all(each in manifest for each in digests)
    by_python = run([sys.executable, "-c", block("python")], tmp_path)
    assert by_python.returncode == 0, by_python.stderr
    assert by_python.stdout.strip() == job["signed_by"]

    (tmp_path / "manifest.json").write_text(manifest.replace('"users": 1', '"users": 2'))
    assert run(["sh", "-e", "-c", block("sh")], tmp_path).returncode != 0
    assert run([sys.executable, "-c", block("python")], tmp_path).returncode != 0
    (tmp_path / "manifest.json").write_text(manifest)
    with (tmp_path / "users.ndjson").open("a") as users:
        users.write("{}")
    assert run([sys.executable, "-c", block("python")], tmp_path).returncode != 0
