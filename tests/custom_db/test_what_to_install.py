"""The READMEs of the templates say what to install: ranges that the versions of these tests are in."""

import json
import re

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from custom_db.conftest import DRIVERS
from custom_db.legacy import NAMES, TEMPLATES

LOCK, PACKAGES = DRIVERS.lock.read_text(encoding="utf-8"), DRIVERS.packages
PYTHON = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", LOCK, re.MULTILINE))
NODE: dict[str, str] = json.loads(PACKAGES[0].read_text(encoding="utf-8"))["dependencies"]
IMPORTED = {"mssql_python": "mssql-python", "psycopg": "psycopg", "bson": "pymongo"}


@pytest.mark.parametrize("template", NAMES)
def test_the_readme_names_what_the_scripts_load_and_no_more(template: str) -> None:
    page = (TEMPLATES / template / "README.md").read_text(encoding="utf-8")
    asked = re.findall(r'"([a-z0-9]+)@\^([0-9.]+)"', "".join(re.findall(r"^npm install .*$", page, re.MULTILINE)))
    for name, least in asked:
        assert Version(NODE[name]).major == Version(least).major
        assert Version(NODE[name]) >= Version(least)
    loaded = set(re.findall(r'require\("([a-z0-9]+)(?:/[a-z]+)?"\)', _sources(template, "node")))
    assert loaded == {name for name, _ in asked}

    line = "".join(re.findall(r"^pip install (.*)$", page, re.MULTILINE)).replace('"', "")
    wanted = [Requirement(each) for each in line.split()]
    assert all(each.specifier.contains(PYTHON[each.name]) for each in wanted)
    imported = set(re.findall(r"^(?:from|import) ([a-z_]+)", _sources(template, "python"), re.MULTILINE))
    assert {each.name for each in wanted} == {IMPORTED.get(name, name) for name in imported} & PYTHON.keys()


def test_npm_is_told_no_host() -> None:
    """Names, versions and hashes alone: whoever installs chooses where from."""
    packages = json.loads(PACKAGES[1].read_text(encoding="utf-8"))["packages"]
    assert packages.pop("")["dependencies"] == NODE
    for each in packages.values():
        assert "resolved" not in each
        assert each["integrity"].startswith("sha512-")


def _sources(template: str, language: str) -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in (TEMPLATES / template / language).iterdir())
