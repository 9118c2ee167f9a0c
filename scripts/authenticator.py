"""A software authenticator on the command line; its passkeys live in a file. For trials, not for people."""

import argparse
import json
import os
import sys
from pathlib import Path

from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from authenticator import Authenticator, Credential, KeyPair, b64url, unb64url


def main() -> None:
    """Answer one ceremony."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("ceremony", choices=("create", "get"))
    parser.add_argument("--origin", required=True, help="the origin of the page that would show the dialog")
    parser.add_argument("--keys", required=True, type=Path, help="the file that holds the passkeys")
    asked = parser.parse_args()
    os.umask(0o077)  # the file holds private keys
    device = Authenticator(credentials=_read(asked.keys))
    options = json.load(sys.stdin)
    answer = device.create if asked.ceremony == "create" else device.get
    json.dump(answer(options, origin=asked.origin), sys.stdout)
    asked.keys.write_text(json.dumps([_shown(each) for each in device.credentials]), encoding="utf-8")


def _read(path: Path) -> list[Credential]:
    return [_kept(each) for each in json.loads(path.read_text(encoding="utf-8"))] if path.exists() else []


def _shown(credential: Credential) -> dict[str, object]:
    pair = credential.pair
    pem = pair.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii")
    return {
        "rp_id": credential.rp_id,
        "id": b64url(credential.id),
        "user_handle": b64url(credential.user_handle),
        "algorithm": pair.algorithm,
        "private_key": pem,
        "sign_count": credential.sign_count,
    }


def _kept(shown: dict[str, object]) -> Credential:
    private = load_pem_private_key(str(shown["private_key"]).encode("ascii"), None)
    pair = KeyPair(int(str(shown["algorithm"])), private)  # type: ignore[arg-type]  # one of the three kinds it made
    return Credential(
        str(shown["rp_id"]),
        unb64url(str(shown["id"])),
        unb64url(str(shown["user_handle"])),
        pair,
        int(str(shown["sign_count"])),
    )


if __name__ == "__main__":
    main()
