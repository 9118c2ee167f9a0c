"""``/api/v2/keystead/users/{id}/passkeys``: all that is known of them, and quarantine. Auth0 has no word for either."""

from collections.abc import Mapping
from typing import Any, Final, get_args

from starlette.requests import Request
from starlette.responses import Response

from keystead.errors import NoSuchPasskey, NoSuchUser
from keystead.flows.passkey_login import reasons
from keystead.flows.quarantine import Standing
from keystead.rules.base64url import encode
from keystead.rules.claims import iso
from keystead.rules.complaints import parse
from keystead.rules.passkey_policy import Judged
from keystead.rules.passkey_terms import TRUST_LEVELS, Mode
from keystead.rules.quarantine import Author, QuarantineOrder, read
from keystead.web.answers import Json
from keystead.web.endpoints import Body, Scoped
from keystead.web.flows import flows_of, management_of
from keystead.web.management.operations import operation_of
from keystead.web.shapes import FLAG, MOMENT, TEXT, WHOLE, Shape, each, word

_ALWAYS: Final = {
    "id": TEXT,
    "key_id": TEXT,
    "relying_party_identifier": TEXT,
    "aaguid": TEXT,
    "trust": word(*TRUST_LEVELS),
    "attestation_format": TEXT,
    "algorithm": WHOLE,
    "sign_count": WHOLE,
    "user_verified": FLAG,
    "credential_device_type": word("multi_device", "single_device"),
    "credential_backed_up": FLAG,
    "transports": each(TEXT),
    "attachment": word("", "platform", "cross-platform"),
    "user_agent": TEXT,
    "created_at": MOMENT,
    "may_log_in": FLAG,
    "mode": word(*get_args(Mode)),
    "reasons": each(Shape("PolicyReason", {"field": word(*get_args(Judged)), "why": TEXT})),
}
_MAYBE: Final = {
    "name": TEXT,
    "provider": TEXT,
    "last_auth_at": MOMENT,
    "quarantined_at": MOMENT,
    "quarantine": Shape("QuarantineShown", {"author": word(*get_args(Author)), "reason": TEXT}),
}
PASSKEY: Final = Shape("PasskeyInFull", _ALWAYS, _MAYBE)

INDEX: Final = Scoped(
    "List the passkeys of a user in full",
    scopes=("read:authentication_methods",),
    answers={200: each(PASSKEY)},
    refuses=(NoSuchUser,),
)


async def index(request: Request) -> Response:
    """``GET /keystead/users/{id}/passkeys``."""
    await INDEX.read(request)
    flows = flows_of(request)
    found = await flows.management.quarantine.of_user(request.path_params["id"])
    names = await flows.authenticators.names_of({each.record.aaguid for each in found})
    return Json([_shown(each, names) for each in found])


QUARANTINE: Final = Scoped(
    "Quarantine a passkey",
    scopes=("update:authentication_methods",),
    body=Body(QuarantineOrder),
    answers={200: Shape("PasskeyQuarantined", {**_ALWAYS, "stranded": FLAG}, _MAYBE)},
    refuses=(NoSuchUser, NoSuchPasskey),
)


async def quarantine(request: Request) -> Response:
    """``PUT /keystead/users/{id}/passkeys/{passkey_id}/quarantine``: it opens nothing from now on."""
    asked, flows = await QUARANTINE.read(request), flows_of(request)
    order, operation = parse(QuarantineOrder, asked.body), operation_of(request, asked.bearer)
    user_id, passkey_id = request.path_params["id"], request.path_params["passkey_id"]
    standing, stranded = await flows.management.quarantine.impose(user_id, passkey_id, order.reason.strip(), operation)
    names = await flows.authenticators.names_of({standing.record.aaguid})
    return Json(_shown(standing, names) | {"stranded": stranded})


LIFT: Final = Scoped(
    "Lift the quarantine of a passkey",
    scopes=("update:authentication_methods",),
    answers={204: None},
    refuses=(NoSuchUser, NoSuchPasskey),
)


async def lift(request: Request) -> Response:
    """``DELETE /keystead/users/{id}/passkeys/{passkey_id}/quarantine``: 204, also where there is none."""
    operation = operation_of(request, (await LIFT.read(request)).bearer)
    await management_of(request).quarantine.lift(
        request.path_params["id"], request.path_params["passkey_id"], operation
    )
    return Response(status_code=204)


def _shown(standing: Standing, names: Mapping[str, str | None]) -> dict[str, Any]:
    key = standing.record
    found = {
        "id": key.id,
        "name": key.name,
        "key_id": encode(key.credential_id),
        "relying_party_identifier": key.rp_id,
        "aaguid": key.aaguid,
        "provider": names[key.aaguid],
        "trust": key.trust,
        "attestation_format": key.attestation_format,
        "algorithm": key.algorithm,
        "sign_count": key.sign_count,
        "user_verified": key.user_verified,
        "credential_device_type": "multi_device" if key.backup_eligible else "single_device",
        "credential_backed_up": key.backed_up,
        "transports": key.transports,
        "attachment": key.attachment,
        "user_agent": key.user_agent,
        "created_at": iso(key.created_at),
        "last_auth_at": iso(key.last_used_at) if key.last_used_at else None,
        "quarantined_at": iso(key.quarantined_at) if key.quarantined_at else None,
        "quarantine": read(key.quarantine)._asdict() if key.quarantine is not None else None,
        "may_log_in": standing.may_log_in,
        "mode": standing.verdict.mode,
        "reasons": reasons(standing.verdict),
    }
    return {name: value for name, value in found.items() if value is not None}
