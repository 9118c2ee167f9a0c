"""A machine that proves itself with a key of its own, and may read users."""

from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from browser.site import Site


def _new_pair() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@dataclass(frozen=True)
class Key:
    """A key pair, as clients and servers exchange it: in PEM."""

    pair: rsa.RSAPrivateKey = field(default_factory=_new_pair)

    @property
    def public(self) -> str:
        """What the server is given."""
        return self.pair.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    @property
    def private(self) -> str:
        """What only the client knows."""
        return self.pair.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@dataclass(frozen=True)
class Robot:
    """The client, and its key."""

    client_id: str
    key: Key


def signing_robot(site: Site) -> Robot:
    """Register one with the server."""
    key = Key()
    about = {"name": "A key", "credential_type": "public_key", "pem": key.public, "alg": "RS256"}
    settings = {
        "name": "Robot",
        "app_type": "non_interactive",
        "client_authentication_methods": {"private_key_jwt": {"credentials": [about]}},
    }
    client_id: str = site.manage("POST", "/clients", settings)["client_id"]
    granted = {"client_id": client_id, "audience": f"{site.url}/api/v2/", "scope": ["read:users"]}
    site.manage("POST", "/client-grants", granted)
    return Robot(client_id, key)
