"""Commands as programs of their own: at a terminal, to a server elsewhere, with completion, and soon."""

import json
import os
import pty
import shutil
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from conftest import Stencil
from program import SECONDS, Server, environment, free_port, keystead, serving

pytestmark = pytest.mark.timeout(300)  # several programs start, one after the other

HEAVY = ("sqlalchemy", "starlette", "alembic", "jinja2", "cryptography", "uvicorn", "keystead.app", "keystead.settings")


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory, sqlite_stencil: Stencil) -> Path:
    """An installation after its first start."""
    found = tmp_path_factory.mktemp("shells") / "data"
    shutil.copytree(sqlite_stencil.settings.data_dir, found)
    (found / "secret-keys").write_text("0" * 64)
    (found / "secret-keys").chmod(0o600)
    return found


@pytest.fixture(scope="module")
def server(data_dir: Path) -> Iterator[Server]:
    with serving(data_dir, PUBLIC_URL="http://localhost:8000") as found:
        yield found


@pytest.fixture(scope="module")
def token(data_dir: Path, server: Server) -> str:
    """A token of the management client."""
    first: dict[str, Any] = json.loads((data_dir / "first-run.json").read_text())
    body = first["clients"]["management"] | {
        "grant_type": "client_credentials",
        "audience": first["management_audience"],
    }
    answer = httpx.post(f"{server.url}/oauth/token", json=body)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


def imported(*arguments: str) -> set[str]:
    """Return the modules that a command imports."""
    program = (
        "import sys\nfrom keystead.cli import app\n"
        f"try:\n    app({list(arguments)!r}, prog_name='keystead')\n"
        "finally:\n    print('\\n'.join(sys.modules), file=sys.stderr)"
    )
    told = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment(), timeout=SECONDS, check=False
    )
    return set(told.stderr.splitlines())


@pytest.mark.parametrize("arguments", [("--help",), ("users", "--help"), ("users", "list", "--help"), ("version",)])
def test_help_waits_for_nothing(arguments: tuple[str, ...]) -> None:
    found = imported(*arguments)
    assert "keystead.cli" in found
    assert not found & set(HEAVY)


def test_a_call_elsewhere_waits_for_no_server() -> None:
    url = f"http://localhost:{free_port()}"
    found = imported("users", "list", "--url", url, "--token", "t0ken")
    assert "httpx2" in found
    assert not found & set(HEAVY)


def test_calls_go_elsewhere(server: Server, token: str, tmp_path: Path) -> None:
    known = {"TOKEN": token, "URL": server.url}
    listed = keystead("connections", "list", "--json", **known)
    assert listed.returncode == 0, listed.stderr
    assert [json.loads(line)["name"] for line in listed.stdout.splitlines()] == ["Username-Password-Authentication"]
    exported = keystead("log", "export", "--output", tmp_path / "log.ndjson", **known)
    assert exported.returncode == 0, exported.stderr
    assert all(json.loads(line) for line in (tmp_path / "log.ndjson").read_text().splitlines())
    people = tmp_path / "people.json"
    people.write_text(f"[{' ' * 512_000}]", encoding="utf-8")
    large = keystead("users", "import", people, "--connection", "Username-Password-Authentication", **known)
    assert large.returncode == 2
    assert "KEYSTEAD_IMPORT_BYTES" in large.stderr
    refused = keystead("users", "show", "auth0|nobody", **known)
    assert (refused.returncode, refused.stderr) == (2, "keystead: The user does not exist. (inexistent_user)\n")


def test_a_token_that_will_not_do(server: Server, tmp_path: Path) -> None:
    wrong = keystead("connections", "list", "--url", server.url, "--token", "nonsense")
    assert (wrong.returncode, wrong.stdout, wrong.stderr.count("\n")) == (2, "", 1)
    none = keystead("connections", "list", "--url", server.url, URL="")
    assert none.returncode == 2
    assert "keystead login --url" in none.stderr


def test_nobody_answers() -> None:
    told = keystead("connections", "list", "--url", f"http://localhost:{free_port()}", "--token", "t0ken")
    assert (told.returncode, told.stdout, told.stderr.count("\n")) == (3, "", 1)


def test_a_token_goes_nowhere_in_clear() -> None:
    for url in ("http://login.example.com", "login.example.com", "https://login.example.com/path", "ftp://x"):
        told = keystead("connections", "list", "--url", url, "--token", "t0ken")
        assert (told.returncode, told.stdout) == (2, ""), url
        assert "https://" in told.stderr


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("n", 1), ("", 1)])
def test_a_question_at_a_terminal(data_dir: Path, answer: str, code: int) -> None:
    made = json.loads(keystead("clients", "create", "Shop", "--json", "--data-dir", data_dir).stdout)
    command = [sys.executable, "-m", "keystead", "clients", "delete", made["client_id"], "--data-dir", str(data_dir)]
    ours, theirs = pty.openpty()
    asking = subprocess.Popen(command, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
    os.write(ours, f"{answer}\n".encode())
    out, err = asking.communicate(timeout=SECONDS)
    os.close(ours)
    os.close(theirs)
    assert asking.returncode == code, err
    assert b"Delete Shop" in err
    assert b"\x1b" not in out + err
    shown = keystead("clients", "show", made["client_id"], "--data-dir", data_dir)
    assert shown.returncode == (2 if code == 0 else 0)


def test_a_tail_follows(data_dir: Path, server: Server) -> None:
    """On the database of a server that runs; Ctrl-C ends it."""
    command = [sys.executable, "-m", "keystead", "log", "tail", "--follow", "--lines", "0", "--json"]
    following = subprocess.Popen(
        [*command, "--data-dir", str(data_dir)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    )
    assert following.stdout is not None
    ended = threading.Timer(SECONDS, following.kill)
    ended.start()
    names = iter(f"Followed {number}" for number in range(1000))
    try:
        line = b""
        reader = threading.Thread(target=lambda: lines.append(following.stdout.readline()))  # type: ignore[union-attr]
        lines: list[bytes] = []
        reader.start()
        while reader.is_alive():  # until it has begun to follow
            keystead("clients", "create", next(names), "--set", "app_type=spa", "--data-dir", data_dir)
        (line,) = lines
        assert json.loads(line)["type"] == "sapi"
        following.send_signal(signal.SIGINT)
        assert following.wait(SECONDS) == 130
        assert following.stderr is not None
        assert following.stderr.read() == b""
    finally:
        ended.cancel()
        following.kill()
        following.wait(SECONDS)
        for stream in (following.stdout, following.stderr):
            if stream is not None:
                stream.close()


def completed(line: str) -> list[str]:
    """Return what bash offers at the end of a line."""
    words = line.split(" ")
    told = subprocess.run(
        [sys.executable, "-m", "keystead"],
        capture_output=True,
        text=True,
        env=environment()
        | {"_KEYSTEAD_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)},
        timeout=SECONDS,
        check=False,
    )
    return told.stdout.split()


def test_completion() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "keystead", "--show-completion", "bash"],
        capture_output=True,
        text=True,
        env=environment() | {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"},
        timeout=SECONDS,
        check=False,
    )
    assert "complete -o default -F _keystead_completion keystead" in shown.stdout, shown.stderr
    assert completed("keystead us") == ["users"]
    assert {"users", "serve", "log"} <= set(completed("keystead "))
    assert completed("keystead users unb") == ["unblock"]
    assert "--search" in completed("keystead users list --se")
    assert completed("keystead settings show cap") == ["captcha"]


def test_links_begin_as_those_of_the_server(tmp_path: Path, sqlite_stencil: Stencil) -> None:
    """Where nobody says the public URL, it is the one that the server had last."""
    data_dir = tmp_path / "data"
    shutil.copytree(sqlite_stencil.settings.data_dir, data_dir)
    (data_dir / "secret-keys").write_text("0" * 64)
    (data_dir / "secret-keys").chmod(0o600)
    document = json.loads((data_dir / "first-run.json").read_text())
    moved = {"public_url": "https://login.example.com", "issuer": "https://login.example.com/"}
    (data_dir / "first-run.json").write_text(json.dumps(document | moved))
    found = keystead("api", "GET", "/client-grants?per_page=1", "--data-dir", data_dir)
    assert json.loads(found.stdout)[0]["audience"].startswith("https://login.example.com/")


# --- login -----------------------------------------------------------------------------------------------------------


def test_a_login_that_is_given_up(tmp_path: Path) -> None:
    """The browser comes back with a refusal; whoever comes with another state is told nothing."""
    url = f"http://localhost:{free_port()}"
    env = environment() | {"XDG_CONFIG_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "keystead", "login", "--url", url, "--no-browser"]
    asking = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)
    assert asking.stderr is not None
    line = asking.stderr.readline()
    address = urlsplit(line.split(": ", 2)[2].strip())
    asked = {name: values[0] for name, values in parse_qs(address.query).items()}
    assert line.split(": ", 2)[2].startswith(f"{url}/authorize?")
    assert asked["client_id"] == "keystead-cli"
    assert asked["audience"] == f"{url}/api/v2/"
    assert (asked["response_type"], asked["code_challenge_method"]) == ("code", "S256")
    callback = asked["redirect_uri"]
    assert callback.startswith("http://127.0.0.1:")
    assert httpx.get(callback, params={"state": "another", "code": "c"}).status_code == 404
    assert httpx.get(callback.replace("/callback", "/"), params={"state": asked["state"]}).status_code == 404
    said = httpx.get(callback, params={"state": asked["state"], "error": "access_denied", "error_description": "No."})
    assert "not signed in" in said.text
    out, err = asking.communicate(timeout=SECONDS)
    assert (asking.returncode, out, err) == (2, "", "keystead: No.\n")
    assert not list(tmp_path.rglob("*.token"))


def test_a_logout_forgets(tmp_path: Path, server: Server, token: str) -> None:
    env = environment() | {"XDG_CONFIG_HOME": str(tmp_path)}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "keystead", *arguments, "--url", server.url]
        return subprocess.run(command, capture_output=True, text=True, env=env, timeout=SECONDS, check=False)

    keep = (
        "from keystead.cli import sign_ins; from keystead.secrecy import Secret; "
        f"sign_ins.keep({server.url!r}, Secret({token!r}))"
    )
    subprocess.run([sys.executable, "-c", keep], env=env, check=True, timeout=SECONDS)
    (kept,) = tmp_path.rglob("*.token")
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert run("connections", "list").returncode == 0
    assert run("logout").returncode == 0
    assert not kept.exists()
    assert run("logout").returncode == 1
    assert run("connections", "list").returncode == 2
