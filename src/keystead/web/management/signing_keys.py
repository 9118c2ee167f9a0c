"""``/api/v2/keys/signing``: the keys that sign tokens, as Auth0 shows them."""

from typing import Any, Final, get_args

from starlette.requests import Request
from starlette.responses import Response

from keystead.errors import Conflict, InvalidQuery, NoSuchKey
from keystead.oauth import certificates
from keystead.oauth.key_pairs import ALGORITHMS, DEFAULT
from keystead.rules.claims import iso
from keystead.rules.complaints import parse
from keystead.rules.signing_keys import KeyRecord, KeyRotation, State
from keystead.web.answers import Json
from keystead.web.endpoints import Body, Scoped
from keystead.web.flows import flows_of
from keystead.web.management.operations import operation_of
from keystead.web.parameters import Choice
from keystead.web.shapes import FLAG, MOMENT, NOTHING, TEXT, Shape, each, either, word

_ALGORITHM: Final = Choice("algorithm", tuple(ALGORITHMS), says=f"Expected one of {', '.join(ALGORITHMS)}")

_NAMED_KEY: Final = Shape("NamedKey", {"cert": TEXT, "kid": TEXT})
KEY: Final = Shape(
    "SigningKey",
    dict.fromkeys(("kid", "cert", "pkcs7", "fingerprint", "thumbprint"), TEXT)
    | dict.fromkeys(("current", "next", "previous", "revoked"), FLAG),
    dict.fromkeys(("current_since", "current_until", "revoked_at"), MOMENT),
)

INDEX: Final = Scoped("List signing keys", scopes=("read:signing_keys",), query=(_ALGORITHM,), answers={200: each(KEY)})


async def index(request: Request) -> Response:
    """``GET /keys/signing``: those of one algorithm; RS256 unless ``algorithm`` names another."""
    asked = await INDEX.read(request)
    found = await flows_of(request).signing_keys.of(asked[_ALGORITHM] or DEFAULT)
    return Json([_shown(key) for key in found])


SHOW: Final = Scoped("Show a signing key", scopes=("read:signing_keys",), answers={200: KEY}, refuses=(NoSuchKey,))


async def show(request: Request) -> Response:
    """``GET /keys/signing/{kid}``."""
    await SHOW.read(request)
    return Json(_shown(await flows_of(request).signing_keys.show(request.path_params["kid"])))


ROTATE: Final = Scoped(
    "Rotate the signing keys",
    scopes=("create:signing_keys",),
    besides=("update:signing_keys",),
    query=(_ALGORITHM,),
    body=Body(KeyRotation, required=False),
    answers={201: _NAMED_KEY},
    refuses=(Conflict,),
)


async def rotate(request: Request) -> Response:
    """``POST /keys/signing/rotate``: 201 with the key that signs now. Needs both scopes: it makes one and ends one.

    What is not understood is refused: a mistyped name would rotate other keys than were meant.
    """
    asked = await ROTATE.read(request)
    for name, _ in asked.query.pairs:
        if name != _ALGORITHM.name:
            raise InvalidQuery(f"Additional properties not allowed: {name[:100]}", path="")
    named: str | None = asked[_ALGORITHM]
    algorithm = parse(KeyRotation, asked.body).algorithm or named or DEFAULT
    operation = operation_of(request, asked.bearer)
    return Json(_named(await flows_of(request).signing_keys.rotate(operation, algorithm)), 201)


REVOKE: Final = Scoped(
    "Revoke a signing key",
    scopes=("update:signing_keys",),
    answers={200: _NAMED_KEY},
    refuses=(NoSuchKey, Conflict),
)


async def revoke(request: Request) -> Response:
    """``PUT /keys/signing/{kid}/revoke``: the key that verifies nothing from now on."""
    operation = operation_of(request, (await REVOKE.read(request)).bearer)
    return Json(_named(await flows_of(request).signing_keys.revoke(request.path_params["kid"], operation)))


INDEX_ALL: Final = Scoped(
    "List every signing key and its state",
    scopes=("read:signing_keys",),
    answers={
        200: each(
            Shape(
                "KeyStanding",
                {
                    "algorithm": word(*ALGORITHMS),
                    "kid": TEXT,
                    "state": word(*get_args(State)),
                    "published": MOMENT,
                    **dict.fromkeys(("current_since", "current_until", "revoked_at"), either(MOMENT, NOTHING)),
                },
            )
        )
    },
)


async def index_all(request: Request) -> Response:
    """``GET /keystead/signing-keys``: those of every algorithm, without their certificates."""
    await INDEX_ALL.read(request)
    found = await flows_of(request).signing_keys.of()
    return Json([_standing(key) for key in sorted(found, key=lambda key: ALGORITHMS.index(key.algorithm))])


def _standing(key: KeyRecord) -> dict[str, Any]:
    times = {
        "published": key.created_at,
        "current_since": key.current_since,
        "current_until": key.current_until,
        "revoked_at": key.revoked_at,
    }
    about = {"algorithm": key.algorithm, "kid": key.kid, "state": key.state}
    return about | {name: iso(moment) if moment else None for name, moment in times.items()}


def _named(key: KeyRecord) -> dict[str, Any]:
    return {"cert": certificates.read(key.public_jwk["x5c"]).pem, "kid": key.kid}


def _shown(key: KeyRecord) -> dict[str, Any]:
    certificate = certificates.read(key.public_jwk["x5c"])
    times = {"current_since": key.current_since, "current_until": key.current_until, "revoked_at": key.revoked_at}
    return {
        "kid": key.kid,
        "cert": certificate.pem,
        "pkcs7": certificate.pkcs7,
        "fingerprint": certificate.fingerprint,
        "thumbprint": certificate.thumbprint,
        "current": key.state == "current",
        "next": key.state == "next",
        "previous": key.state == "previous",
        "revoked": key.revoked_at is not None,
        **{name: iso(moment) for name, moment in times.items() if moment is not None},
    }
