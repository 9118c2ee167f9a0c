"""FIDO metadata: a blob of the FIDO Metadata Service, version 3, from bytes that an operator provides.

A blob is a JWS whose header brings the chain of whoever signed it. Nothing of it is believed before that chain ends in
the anchor that is pinned here, or that the operator names, and the signature is right. Then it is read leniently, entry
by entry: real blobs lack members that the specification requires, and one odd entry must not take the rest away.

Nobody is asked whether a certificate in the chain has been revoked: no request leaves the server.
"""

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from keystead.adapters.attestation import is_readable, path_to
from keystead.errors import InvalidMetadata
from keystead.rules.authenticators import Edition, Metadata, Model, StatusReport

SERVICE: Final = "mds.fidoalliance.org"
"""Whose certificate signs the FIDO Alliance's own blob. The anchor is for the whole web, so that the name matters."""

ANCHOR_SHA256: Final = "cbb522d7b7f127ad6a0113865bdf1cd4102e7d0759af635a7cf4720dc963c53b"
"""The fingerprint of GlobalSign Root CA - R3, which the FIDO Alliance names."""

BLOB_BYTES: Final = 64 * 1024 * 1024
DESCRIPTION_CHARACTERS: Final = 200

_KEYS: Final[dict[str, type[RSAKey] | type[ECKey]]] = {"RS256": RSAKey, "ES256": ECKey}
_KEY_IDENTIFIER: Final = re.compile(r"[0-9a-f]{40}")


class Sizes(jws.JWSRegistry):
    """What a JWS may measure: blobs are longer than the tokens that the library expects, and their headers are, too."""

    max_header_length = 64 * 1024
    max_payload_length = BLOB_BYTES
    max_signature_length = 1024


_REGISTRY: Final = Sizes(algorithms=list(_KEYS))


def read(blob: bytes, root: bytes | None, at: datetime) -> Metadata:
    """Verify a blob and return what is of use in it. ``root`` is another anchor than the FIDO Alliance's, PEM or DER.

    Raises ``InvalidMetadata``.
    """
    anchor = ANCHOR if root is None else _certificate(root)
    payload = _verified(blob, anchor, at)
    try:
        number, next_update = payload["no"], date.fromisoformat(payload["nextUpdate"])
        entries = payload["entries"]
        if type(number) is not int or not isinstance(entries, list):
            raise TypeError
    except (KeyError, TypeError, ValueError):
        raise _refused("no, nextUpdate or entries is missing or wrong") from None
    models: dict[str, Model] = {}
    skipped = 0
    for entry in entries:
        found = [model for model in _models(entry) if model.key not in models]
        models |= {model.key: model for model in found}
        skipped += not found
    edition = Edition(no=number, next_update=next_update, anchor=anchor.fingerprint(SHA256()).hex())
    return Metadata(edition=edition, models=tuple(models.values()), skipped=skipped)


def _refused(why: str) -> InvalidMetadata:
    return InvalidMetadata(f"The FIDO metadata is refused: {why}.")


# --- who signed it -----------------------------------------------------------------------------------------------


def _certificate(octets: bytes) -> x509.Certificate:
    try:
        load = x509.load_pem_x509_certificate if b"-----BEGIN" in octets else x509.load_der_x509_certificate
        return load(octets)
    except (ValueError, x509.InvalidVersion):
        raise _refused("the root is no certificate in PEM or DER") from None


def _verified(blob: bytes, anchor: x509.Certificate, at: datetime) -> dict[str, Any]:
    """Return the payload of a blob, once whoever signed it is known."""
    text = blob.strip()
    if len(text) > BLOB_BYTES:
        raise _refused("longer than a blob can be")
    try:
        header = jws.extract_compact(text, registry=_REGISTRY).headers()
        chain = [x509.load_der_x509_certificate(b64decode(each)) for each in header["x5c"]]
        leaf, kind = chain[0], _KEYS[header["alg"]]
    except (JoseError, KeyError, IndexError, TypeError, ValueError, RecursionError, x509.InvalidVersion):
        raise _refused("not a JWS with x5c, signed with RS256 or ES256") from None
    if not path_to([anchor.public_bytes(Encoding.DER)], [each.public_bytes(Encoding.DER) for each in chain], at):
        raise _refused("its certificates do not lead to the root, or are not valid today")
    if anchor == ANCHOR and not names_service(leaf):
        raise _refused(f"it is not signed by {SERVICE}")
    try:
        key = kind.import_key(leaf.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
        payload = json.loads(jws.deserialize_compact(text, key, registry=_REGISTRY).payload)
    except (JoseError, ValueError, RecursionError):
        raise _refused("its signature is wrong, or it holds no JSON") from None
    if not isinstance(payload, dict):
        raise _refused("it holds no object")
    return payload


def names_service(leaf: x509.Certificate) -> bool:
    """Whether a certificate is the FIDO Alliance's service's."""
    try:
        extension = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return False
    return SERVICE in extension.value.get_values_for_type(x509.DNSName)


# --- what it says ------------------------------------------------------------------------------------------------


def _models(entry: object) -> Iterator[Model]:
    """Give the models of an entry under each of their keys; none, where it is of use to nobody here."""
    if not isinstance(entry, dict):
        return
    statement = entry.get("metadataStatement")
    statement = statement if isinstance(statement, dict) else {}
    described = statement.get("description")
    model = Model(
        key="",
        description=_line(described)[:DESCRIPTION_CHARACTERS] if isinstance(described, str) else "",
        roots=tuple(dict.fromkeys(_certificates(statement.get("attestationRootCertificates")))),
        reports=tuple(_reports(entry.get("statusReports"))),
    )
    for key in _entry_keys(entry):
        yield model.model_copy(update={"key": key})


def _line(text: str) -> str:
    """Return a text as one line of what can be printed: no database takes a NUL or half a surrogate."""
    return "".join(each for each in " ".join(text.split()) if each.isprintable())


def _entry_keys(entry: dict[str, Any]) -> Iterator[str]:
    """Give the AAGUID of an entry, or the identifiers of its attestation keys (U2F)."""
    for aaguid in _texts([entry.get("aaguid")]):
        try:
            found = UUID(aaguid)
        except ValueError:
            continue
        if found.int:  # zeros are of whoever names no model
            yield str(found)
    for identifier in _texts(entry.get("attestationCertificateKeyIdentifiers")):
        if _KEY_IDENTIFIER.fullmatch(identifier.lower()):
            yield identifier.lower()


def _certificates(listed: object) -> Iterator[str]:
    """Give those certificates that are some: base64 of DER, in its one spelling."""
    for text in _texts(listed):
        try:
            der = b64decode("".join(text.split()))
        except ValueError:
            continue
        if is_readable(der):
            yield b64encode(der).decode()


def _reports(listed: object) -> Iterator[StatusReport]:
    for report in listed if isinstance(listed, list) else ():
        if isinstance(report, dict) and _is_word(report.get("status")):
            for certificate in _named(report):
                yield StatusReport(status=report["status"], effective=_day(report), certificate=certificate)


def _named(report: dict[str, Any]) -> Iterator[str]:
    """Give the certificates that a report is about; an empty text where it is about the model as a whole.

    Whether we can read one does not matter here: it is compared with those that passkeys came with, byte by byte.
    """
    named = [text for name in ("batchCertificate", "certificate") for text in _texts([report.get(name)])]
    if not named:
        yield ""
    for text in named:
        try:
            yield b64encode(b64decode("".join(text.split()), validate=True)).decode()
        except ValueError:
            continue


def _is_word(status: object) -> bool:
    return isinstance(status, str) and status.isascii() and status.isprintable()


def _day(report: dict[str, Any]) -> date | None:
    """Return from when on a report counts; without a day that can be read, as long as it is there."""
    try:
        return date.fromisoformat(report["effectiveDate"])
    except (KeyError, TypeError, ValueError):
        return None


def _texts(listed: object) -> Iterator[str]:
    for each in listed if isinstance(listed, list) else ():
        if isinstance(each, str):
            yield each


ANCHOR: Final = x509.load_pem_x509_certificate(b"""\
-----BEGIN CERTIFICATE-----
MIIDXzCCAkegAwIBAgILBAAAAAABIVhTCKIwDQYJKoZIhvcNAQELBQAwTDEgMB4G
A1UECxMXR2xvYmFsU2lnbiBSb290IENBIC0gUjMxEzARBgNVBAoTCkdsb2JhbFNp
Z24xEzARBgNVBAMTCkdsb2JhbFNpZ24wHhcNMDkwMzE4MTAwMDAwWhcNMjkwMzE4
MTAwMDAwWjBMMSAwHgYDVQQLExdHbG9iYWxTaWduIFJvb3QgQ0EgLSBSMzETMBEG
A1UEChMKR2xvYmFsU2lnbjETMBEGA1UEAxMKR2xvYmFsU2lnbjCCASIwDQYJKoZI
hvcNAQEBBQADggEPADCCAQoCggEBAMwldpB5BngiFvXAg7aEyiie/QV2EcWtiHL8
RgJDx7KKnQRfJMsuS+FggkbhUqsMgUdwbN1k0ev1LKMPgj0MK66X17YUhhB5uzsT
gHeMCOFJ0mpiLx9e+pZo34knlTifBtc+ycsmWQ1z3rDI6SYOgxXG71uL0gRgykmm
KPZpO/bLyCiR5Z2KYVc3rHQU3HTgOu5yLy6c+9C7v/U9AOEGM+iCK65TpjoWc4zd
QQ4gOsC0p6Hpsk+QLjJg6VfLuQSSaGjlOCZgdbKfd/+RFO+uIEn8rUAVSNECMWEZ
XriX7613t2Saer9fwRPvm2L7DWzgVGkWqQPabumDk3F2xmmFghcCAwEAAaNCMEAw
DgYDVR0PAQH/BAQDAgEGMA8GA1UdEwEB/wQFMAMBAf8wHQYDVR0OBBYEFI/wS3+o
LkUkrk1Q+mOai97i3Ru8MA0GCSqGSIb3DQEBCwUAA4IBAQBLQNvAUKr+yAzv95ZU
RUm7lgAJQayzE4aGKAczymvmdLm6AC2upArT9fHxD4q/c2dKg8dEe3jgr25sbwMp
jjM5RcOO5LlXbKr8EpbsU8Yt5CRsuZRj+9xTaGdWPoO4zzUhw8lo/s7awlOqzJCK
6fBdRoyV3XpYKBovHd7NADdBj+1EbddTKJd+82cEHhXXipa0095MJ6RMG3NzdvQX
mcIfeg7jLQitChws/zyrVQ4PkX4268NXSb7hLi18YIvDQVETI53O9zJrlAGomecs
Mx86OyXShkDOOyyGeMlhLxS67ttVb9+E7gUJTb0o2HLO02JQZR7rkpeDMdmztcpH
WD9f
-----END CERTIFICATE-----
""")
