"""A client's own key, and the assertions that it signs with it (RFC 7523)."""

import hashlib
import hmac
import json
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256, SHA384
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from authenticator import b64url
from world import PUBLIC_URL, World

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | Ed25519PrivateKey

_KEPT: dict[str, PrivateKey] = {}


def private_key(name: str = "RS256") -> PrivateKey:
    """Return the one key of that name, since RSA keys take long to make; it is for the algorithm it begins with."""
    if name not in _KEPT:
        if name.startswith("ES256"):
            _KEPT[name] = ec.generate_private_key(ec.SECP256R1())
        elif name.startswith("Ed25519"):
            _KEPT[name] = Ed25519PrivateKey.generate()
        else:
            _KEPT[name] = rsa.generate_private_key(65537, 2048)
    return _KEPT[name]


def pem_of(key: PrivateKey) -> str:
    """Return the public half, as people register it."""
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def signature(key: PrivateKey, algorithm: str, signed: bytes) -> bytes:
    """Sign as the algorithm says (RFC 7518 §3)."""
    if isinstance(key, Ed25519PrivateKey):
        return key.sign(signed)
    if isinstance(key, ec.EllipticCurvePrivateKey):
        pair = utils.decode_dss_signature(key.sign(signed, ec.ECDSA(SHA256())))
        return b"".join(number.to_bytes(32, "big") for number in pair)
    if algorithm == "PS256":
        return key.sign(signed, padding.PSS(padding.MGF1(SHA256()), 32), SHA256())
    return key.sign(signed, padding.PKCS1v15(), SHA384() if algorithm == "RS384" else SHA256())


def part(value: object) -> str:
    """Return a part of a JWS."""
    return b64url(json.dumps(value, separators=(",", ":")).encode())


@dataclass
class Signer:
    """A client that proves itself with a key."""

    world: World
    client: dict[str, Any]
    algorithm: str = "RS256"
    key: PrivateKey = field(default_factory=private_key)
    kid: str | None = None
    made: int = 0

    @property
    def client_id(self) -> str:
        """The client's id."""
        return str(self.client["client_id"])

    @property
    def credential_id(self) -> str:
        """The id of its first credential."""
        found: str = self.client["client_authentication_methods"]["private_key_jwt"]["credentials"][0]["id"]
        return found

    def claims(self, **more: Any) -> dict[str, Any]:
        """Return the claims of a good assertion, with others over them; ``None`` leaves one out."""
        self.made += 1
        now = int(self.world.clock().timestamp())
        good = {"iss": self.client_id, "sub": self.client_id, "aud": f"{PUBLIC_URL}/", "iat": now, "exp": now + 60}
        found = good | {"jti": f"{self.client_id} {self.made}"} | more
        return {name: value for name, value in found.items() if value is not None}

    def assertion(self, header: dict[str, Any] | None = None, **claims: Any) -> str:
        """Return a signed assertion."""
        named = {"kid": self.kid} if self.kid else {}
        signed = part({"alg": self.algorithm} | named | (header or {})) + "." + part(self.claims(**claims))
        return f"{signed}.{b64url(signature(self.key, self.algorithm, signed.encode()))}"

    def shown(self, assertion: str | None = None, **more: Any) -> dict[str, Any]:
        """Return the body of a token request that only the client's proof decides."""
        proof = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion or self.assertion()}
        body = {"grant_type": "client_credentials", "audience": self.world.first["management_audience"]}
        return body | proof | more

    async def ask(self, assertion: str | None = None, **more: Any) -> int:
        """Return the status of a token request: 403 where the client was believed and holds no grant, else 401."""
        return (await self.world.client.post("/oauth/token", data=self.shown(assertion, **more))).status_code


def credential(key: PrivateKey, algorithm: str = "RS256", **more: Any) -> dict[str, Any]:
    """Return a credential as it is registered."""
    return {"credential_type": "public_key", "pem": pem_of(key), "alg": algorithm} | more


async def signer(world: World, algorithm: str = "RS256", *, name: str = "", **settings: Any) -> Signer:
    """Make a client that proves itself with a key."""
    key = private_key(name or algorithm)
    methods = {"private_key_jwt": {"credentials": [credential(key, algorithm)]}}
    settings = {"app_type": "non_interactive", "client_authentication_methods": methods} | settings
    return Signer(world, await world.new_client(**settings), algorithm, key)


def with_hmac(secret: bytes, header: dict[str, Any], claims: dict[str, Any]) -> str:
    """Return a JWS by HMAC."""
    signed = f"{part(header)}.{part(claims)}"
    return f"{signed}.{b64url(hmac.digest(secret, signed.encode(), hashlib.sha256))}"
