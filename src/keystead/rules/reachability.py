"""The doctor's verdicts on what was tried over the network: the public URL, its certificate, the proxies in between."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from keystead.rules.health import Finding, error, ok, warning

_SOON: Final = 14
_OK: Final = 200


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a GET brought. ``failure`` says in few words why it brought nothing."""

    status: int = 0
    date: datetime | None = None
    body: str = ""
    failure: str = ""

    def document(self) -> Any:
        """Return the body as JSON; ``None`` where it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a TLS handshake showed; ``failure`` where it failed."""

    until: datetime | None = None
    failure: str = ""


def reached(url: str, fetched: Fetched, proof: str) -> Finding:
    """Judge whether a request to the public URL reaches this installation; ``proof`` is what only it can answer."""
    if fetched.failure:
        remedy = "KEYSTEAD_PUBLIC_URL=<where people reach it>, or look at DNS, the firewall and the proxy"
        return error("reached", f"{url} does not answer: {fetched.failure}", remedy, "PUBLIC_URL")
    document = fetched.document()
    if fetched.status != _OK or not isinstance(document, dict) or document.get("status") != "ok":
        remedy = "pass /healthz, and every other path, on to Keystead as it is"
        return error("reached", f"{url}/healthz answers {fetched.status}, which is not ours", remedy)
    if not isinstance(document.get("probe"), dict) or document["probe"].get("proof") != proof:
        remedy = "KEYSTEAD_SECRET_KEYS and KEYSTEAD_DATABASE_URL must be the server's; is the server up to date?"
        return error("reached", f"{url} leads to a Keystead, but not to this installation", remedy)
    return ok("reached", f"{url} leads here")


def proxy(seen: Mapping[str, Any], is_https: bool, host: str) -> Finding:
    """Judge how a request arrived that came through the public URL."""
    peer = str(seen.get("peer", ""))
    if seen.get("forwarded_for") and not seen.get("trusted"):
        found = f"{peer} sends X-Forwarded-For and is not trusted: every caller counts as {peer}"
        return warning("proxy", found, f"KEYSTEAD_TRUSTED_PROXIES={peer}", "TRUSTED_PROXIES")
    if is_https and seen.get("trusted") and not seen.get("forwarded_for"):
        remedy = "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for (nginx), or the like"
        return warning("proxy", f"{peer} is trusted and sends no X-Forwarded-For: all callers have its address", remedy)
    if is_https and not seen.get("forwarded_for"):
        found = f"requests come from {peer} without X-Forwarded-For: all callers may have the proxy's address"
        remedy = f"have the proxy send X-Forwarded-For, and set KEYSTEAD_TRUSTED_PROXIES={peer}"
        return warning("proxy", found, remedy, "TRUSTED_PROXIES")
    if str(seen.get("host", "")).lower() != host:
        return ok("proxy", f"the proxy writes Host: {seen.get('host')}, which is used for nothing")
    return ok("proxy", f"requests come from {peer}, for {seen.get('address')}")


def tls(found: Certificate, now: datetime) -> Finding:
    """Judge the certificate of the public URL."""
    remedy = "renew the certificate at the proxy (certbot renew, or the like)"
    if found.until is None:
        return error("tls", f"no valid certificate: {found.failure}", remedy)
    days = (found.until - now).days
    text = f"the certificate is valid until {found.until:%Y-%m-%d}, for {days} days"
    return ok("tls", text) if days >= _SOON else warning("tls", text, remedy)


def published(id: str, url: str, fetched: Fetched, wanted: Any) -> Finding:
    """Judge whether a document under ``/.well-known/`` is the one that it should be."""
    remedy = f"pass {url} on to Keystead as it is, without a redirect"
    if fetched.failure:
        return error(id, f"{url}: {fetched.failure}", remedy)
    if fetched.status != _OK:
        return error(id, f"{url} answers {fetched.status}", remedy)
    if fetched.document() != wanted:
        return error(id, f"{url} has another content than this installation serves", remedy)
    return ok(id, f"{url} is as it should be")


def worst(findings: Sequence[Finding]) -> int:
    """Return the exit status: 1 where something does not work."""
    return int(any(each.status == "error" for each in findings))
