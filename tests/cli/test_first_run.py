"""``keystead first-run``: the first start without a server, and what it made once more."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from program import SECONDS, environment, keystead, rows

pytestmark = pytest.mark.timeout(300)  # several programs start, one after the other


def test_made_once_and_shown_again(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    told = keystead("first-run", "--data-dir", data_dir)
    made = json.loads((data_dir / "first-run.json").read_text())
    assert (told.returncode, told.stderr) == (0, "")
    assert made["clients"]["management"]["client_secret"] in told.stdout
    assert made["administrator_setup_url"] in told.stdout
    before = rows(data_dir)

    again = keystead("first-run", "--data-dir", data_dir, "--json", PORT="9000")
    assert again.returncode == 0
    assert json.loads(again.stdout) == made
    assert rows(data_dir) == before

    (data_dir / "first-run.json").unlink()
    gone = keystead("first-run", "--data-dir", data_dir)
    assert (gone.returncode, gone.stdout, gone.stderr.count("\n")) == (1, "", 1)
    assert "first-run.json is gone" in gone.stderr
    assert rows(data_dir) == before


def test_two_first_starts_at_once(tmp_path: Path) -> None:
    """One makes, both go on with the same keys and the same clients: the two that are told of, and Keystead's own."""
    command = [sys.executable, "-m", "keystead", "first-run", "--json", "--data-dir", str(tmp_path / "data")]
    starts = [subprocess.Popen(command, stdout=subprocess.PIPE, env=environment()) for _ in range(2)]
    outputs = [start.communicate(timeout=SECONDS)[0] for start in starts]
    assert [start.returncode for start in starts] == [0, 0]
    assert json.loads(outputs[0]) == json.loads(outputs[1])
    assert len(rows(tmp_path / "data")["client"]) == 4
    assert len(rows(tmp_path / "data")["signing_key"]) == 3
    assert len((tmp_path / "data" / "secret-keys").read_text().split()) == 1
