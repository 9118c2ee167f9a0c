"""auth0-deploy-cli: a file of what there is, which changes nothing when it comes back, and what it says when edited.

Each import takes the tool half a minute to begin, so there are two.
"""

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from browser import ON_SQLITE
from browser.site import Json, Site

pytestmark = [ON_SQLITE, pytest.mark.timeout(600)]  # the tool is fetched by whoever comes first

ASSETS = ("databases", "clients", "attackProtection")
MANAGED = (
    "connections",
    "clients",
    *(
        f"attack-protection/{name}"
        for name in (
            "bot-detection",
            "breached-password-detection",
            "brute-force-protection",
            "captcha",
            "suspicious-ip-throttling",
        )
    ),
)
POLICY = {"user_verification": "required", "backup": "synced_only"}


@dataclass(frozen=True)
class Deploy:
    """The tool, run by the client that manages."""

    npm: Path
    environment: Mapping[str, str]
    config: Path

    def __call__(self, *arguments: str | Path) -> str:
        """Run a command, and return what it said."""
        program = self.npm / "auth0-deploy-cli" / "lib" / "index.js"
        command = ["node", str(program), *map(str, arguments), "--config_file", str(self.config)]
        done = subprocess.run(command, capture_output=True, text=True, env=dict(self.environment), check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr


@pytest.fixture
def deploy(site: Site, npm: Path, trusting: Mapping[str, str], tmp_path: Path) -> Deploy:
    """The tool, with a config file for the server."""
    client = site.first["clients"]["management"]
    config = {
        "AUTH0_DOMAIN": site.url.removeprefix("https://"),
        "AUTH0_CLIENT_ID": client["client_id"],
        "AUTH0_CLIENT_SECRET": client["client_secret"],
        "AUTH0_AUDIENCE": f"{site.url}/api/v2/",
        "AUTH0_INCLUDED_ONLY": ASSETS,
    }
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config), encoding="utf-8")
    return Deploy(npm, trusting, path)


@pytest.fixture
def shop(site: Site) -> Json:
    """An installation that somebody has set up: another database, an application, settings of their own."""
    made: Json = site.manage("POST", "/clients", {"name": "Shop", "app_type": "spa", "client_metadata": {"team": "a"}})
    options = {"passkey_policy": POLICY, "authentication_methods": {"passkey": {"enabled": True}}}
    clients = [made["client_id"]]
    body = {"name": "staff", "strategy": "auth0", "options": options, "enabled_clients": clients}
    site.manage("POST", "/connections", body)
    site.manage("PATCH", "/attack-protection/brute-force-protection", {"max_attempts": 7, "allowlist": ["10.0.0.1"]})
    return made


def test_what_was_exported_changes_nothing(deploy: Deploy, site: Site, shop: Json, tmp_path: Path) -> None:
    deploy("export", "--format", "yaml", "--output_folder", tmp_path)
    text = (tmp_path / "tenant.yaml").read_text(encoding="utf-8")
    assert all(each in text for each in ("name: staff", "backup: synced_only", "name: Shop", "max_attempts: 7"))
    before = state(site)
    said = deploy("import", "--input_file", tmp_path / "tenant.yaml")
    assert "Import Successful" in said
    assert state(site) == before


def test_a_changed_passkey_policy_is_applied(deploy: Deploy, site: Site, shop: Json, tmp_path: Path) -> None:
    """Its own preview says that nothing else would change."""
    deploy("export", "--format", "directory", "--output_folder", tmp_path / "tenant")
    file = tmp_path / "tenant" / "database-connections" / "staff" / "database.json"
    found = json.loads(file.read_text(encoding="utf-8"))
    assert found["options"]["passkey_policy"] == POLICY
    found["options"]["passkey_policy"]["backup"] = "any"
    file.write_text(json.dumps(found), encoding="utf-8")
    before = state(site)
    said = deploy("import", "--input_file", tmp_path / "tenant", "--dry-run", "--apply")
    proposed = [line.split("│")[1:4] for line in said.splitlines() if line.startswith("│") and "Status" not in line]
    assert [[each.strip() for each in row] for row in proposed] == [["Databases", "UPDATE", "staff"]]
    after = state(site)
    (staff,) = (each for each in after["connections"] if each["name"] == "staff")
    assert staff["options"]["passkey_policy"] == POLICY | {"backup": "any"}
    staff["options"]["passkey_policy"] = POLICY
    assert after == before


def state(site: Site) -> Json:
    """Return everything that the tool manages, by path; and which clients have each of the connections."""
    found = {path: site.manage("GET", f"/{path}") for path in MANAGED}
    clients = {each["id"]: site.manage("GET", f"/connections/{each['id']}/clients") for each in found["connections"]}
    return found | {"clients of connections": clients}
