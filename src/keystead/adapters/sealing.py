"""Sealing: what must be stored and read again, but not by somebody who holds only the database."""

from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.constant_time import bytes_eq
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from keystead.errors import InternalError
from keystead.ports import Entropy
from keystead.secrecy import Secret

_NONCE_BYTES: Final = 12
_KEY_NAME_DIGITS: Final = 8


@dataclass(frozen=True)
class Sealer:
    """AES-256-GCM under keys derived from the secret keys: the newest seals, all open; one derived key per purpose."""

    secret_keys: tuple[Secret[str], ...]
    entropy: Entropy

    def seal(self, data: bytes, purpose: str) -> bytes:
        """Encrypt, with a fresh nonce in front."""
        nonce = self.entropy.bytes(_NONCE_BYTES)
        return nonce + AESGCM(_derived(self.secret_keys[0], purpose)).encrypt(nonce, data, _info(purpose))

    def open(self, sealed: bytes, purpose: str) -> bytes:
        """Decrypt with whichever key it was sealed with. Raises ``InternalError`` where that key is gone."""
        for key in self.secret_keys:
            try:
                cipher = AESGCM(_derived(key, purpose))
                return cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], _info(purpose))
            except InvalidTag:
                continue
        raise InternalError(detail=f"{purpose} was sealed with a key that KEYSTEAD_SECRET_KEYS no longer lists")

    def fingerprint(self, text: str, purpose: str) -> str:
        """Return a keyed hash, in hex: for values too short to be kept under a plain one, such as six-digit codes."""
        return _mac(self.secret_keys[-1], text, purpose)

    def sign(self, text: str, purpose: str) -> str:
        """Return a keyed hash under the newest key, in 64 hexadecimal digits: the first eight name the key."""
        key = self.secret_keys[0]
        return _key_name(key) + _mac(key, text, purpose)[_KEY_NAME_DIGITS:]

    def is_signed(self, signed: str, text: str, purpose: str) -> bool | None:
        """Whether ``sign`` made it of this text; ``None`` where the key that it names is not among ours."""
        key = next((each for each in self.secret_keys if _key_name(each) == signed[:_KEY_NAME_DIGITS]), None)
        if key is None:
            return None
        return bytes_eq(_mac(key, text, purpose)[_KEY_NAME_DIGITS:].encode(), signed[_KEY_NAME_DIGITS:].encode())


def _mac(key: Secret[str], text: str, purpose: str) -> str:
    mac = HMAC(_derived(key, purpose), SHA256())
    mac.update(text.encode("utf-8"))
    return mac.finalize().hex()


def _key_name(key: Secret[str]) -> str:
    return _mac(key, "", "key name")[:_KEY_NAME_DIGITS]


def _derived(key: Secret[str], purpose: str) -> bytes:
    """Derive a key for one purpose, so that no two uses share one."""
    return HKDF(SHA256(), length=32, salt=None, info=_info(purpose)).derive(key.reveal().encode("utf-8"))


def _info(purpose: str) -> bytes:
    return f"keystead/{purpose}/v1".encode()
