"""Values that leave with a browser or an app and come back: signed, and older than they may be no more.

Each purpose has a salt of its own, so that none is taken for another. The newest of our keys signs, and all open.
"""

import hashlib
from dataclasses import dataclass

from itsdangerous import BadSignature, TimestampSigner, URLSafeTimedSerializer

from keystead.ports import Clock
from keystead.secrecy import Secret


@dataclass(frozen=True)
class Seals:
    """Signs with itsdangerous. What is inside can be read by whoever holds it."""

    secret_keys: tuple[Secret[str], ...]
    clock: Clock

    def seal(self, value: str, salt: str) -> str:
        """Return a value, signed, with the time."""
        sealed = self._serializer(salt).dumps(value)
        return sealed if isinstance(sealed, str) else sealed.decode("ascii")

    def open(self, sealed: str, salt: str, max_age: int) -> str | None:
        """Return what was sealed no more than ``max_age`` seconds ago; ``None`` for anything else, however odd."""
        try:
            return str(self._serializer(salt).loads(sealed, max_age=max_age))
        except BadSignature:
            return None

    def _serializer(self, salt: str) -> URLSafeTimedSerializer:
        # itsdangerous signs with the last key of its list; our settings name the newest first: turned round here, once.
        keys = [key.reveal() for key in reversed(self.secret_keys)]
        return URLSafeTimedSerializer(
            keys,
            salt=salt,
            signer=_signer(self.clock),
            signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
        )


def _signer(clock: Clock) -> type[TimestampSigner]:
    """Return itsdangerous's signer on our clock; its own would be a second reader of the time."""

    class Signer(TimestampSigner):
        def get_timestamp(self) -> int:
            return int(clock().timestamp())

    return Signer
