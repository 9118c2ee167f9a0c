"""Every URL and its handler: the table of contents of the product.

The hot routes come first and the rest is mounted by prefix, since routes are tried in order.
"""

from collections.abc import Sequence
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route, Router
from starlette.staticfiles import StaticFiles

from keystead.web import auth_api, challenge_pages, dev, front, mailed_pages, me_api, oauth_api, pages
from keystead.web.management import (
    attack_protection,
    authentication_methods,
    clients,
    connections,
    email_provider,
    email_templates,
    tickets,
    user_blocks,
    users,
)


def routes(static: Path) -> list[BaseRoute]:
    """Return the routes; ``static`` is the directory of style sheets and scripts."""

    async def favicon(request: Request) -> Response:
        return front.favicon(static)

    return [
        Route("/oauth/token", oauth_api.token, methods=["POST"]),
        Route("/userinfo", oauth_api.userinfo, methods=["GET", "POST"]),
        Route("/.well-known/jwks.json", oauth_api.jwks),
        Route("/passkey/challenge", auth_api.passkey_challenge, methods=["POST"]),
        Route("/passkey/register", auth_api.passkey_register, methods=["POST"]),
        Route("/dbconnections/signup", auth_api.signup, methods=["POST"]),
        Route("/dbconnections/change_password", auth_api.change_password, methods=["POST"]),
        Route("/authorize", oauth_api.authorize),
        Route("/.well-known/change-password", challenge_pages.well_known_change_password),
        Route("/.well-known/openid-configuration", oauth_api.openid_configuration),
        Route("/.well-known/oauth-authorization-server", oauth_api.openid_configuration),
        Route("/v2/logout", oauth_api.logout),
        _mount("/u", HOSTED),
        _mount("/me/v1", MY_ACCOUNT),
        _mount("/api/v2", MANAGEMENT),
        Mount("/static", StaticFiles(directory=static)),
        Route("/avatars/{initials}.svg", front.avatar),
        Route("/favicon.ico", favicon),
        Route("/healthz", front.health),
        Route("/dev/outbox", dev.outbox),
        Route("/", front.home),
    ]


HOSTED = [
    Route("/login", pages.resume),
    Route("/login/identifier", pages.login_identifier, methods=["GET", "POST"]),
    Route("/login/password", pages.login_password, methods=["GET", "POST"]),
    Route("/login/passkey", pages.login_passkey, methods=["POST"]),
    Route("/login/passkey/options", pages.login_passkey_options, methods=["POST"]),
    Route("/signup/identifier", pages.signup_identifier, methods=["GET", "POST"]),
    Route("/signup/passkey", pages.signup_passkey, methods=["GET", "POST"]),
    Route("/signup/passkey/options", pages.signup_passkey_options, methods=["POST"]),
    Route("/signup/password", pages.signup_password, methods=["GET", "POST"]),
    Route("/passkey-enrollment", pages.passkey_enrolment, methods=["GET", "POST"]),
    Route("/passkey-enrollment/options", pages.passkey_enrolment_options, methods=["POST"]),
    Route("/email-identifier-challenge", challenge_pages.identifier_challenge, methods=["GET", "POST"]),
    Route("/phone-identifier-challenge", challenge_pages.identifier_challenge, methods=["GET", "POST"]),
    Route("/verification-pending", challenge_pages.verification_pending, methods=["GET", "POST"]),
    Route("/change-password", challenge_pages.change_password, methods=["GET", "POST"]),
    Route("/reset-password/code", challenge_pages.reset_code, methods=["GET", "POST"]),
    Route("/email-verification", mailed_pages.email_verification, methods=["GET", "POST"]),
    Route("/reset-password/request", challenge_pages.reset_request, methods=["GET", "POST"]),
    Route("/reset-password", mailed_pages.reset_password, methods=["GET", "POST"]),
    Route("/setup", front.setup, methods=["GET", "POST"]),
]

MY_ACCOUNT = [
    Route("/authentication-methods", me_api.methods),
    Route("/authentication-methods", me_api.begin, methods=["POST"]),
    Route("/authentication-methods/{id}/verify", me_api.verify, methods=["POST"]),
    Route("/authentication-methods/{id}", me_api.method),
    Route("/authentication-methods/{id}", me_api.remove, methods=["DELETE"]),
]

MANAGEMENT: list[BaseRoute] = [
    Route("/connections", connections.index),
    Route("/connections", connections.create, methods=["POST"]),
    Route("/connections/{id}", connections.show),
    Route("/connections/{id}", connections.update, methods=["PATCH"]),
    Route("/connections/{id}", connections.delete, methods=["DELETE"]),
    Route("/connections/{id}/clients", connections.clients),
    Route("/connections/{id}/clients", connections.switch_clients, methods=["PATCH"]),
    Route("/clients", clients.index),
    Route("/clients", clients.create, methods=["POST"]),
    Route("/clients/{id}", clients.show),
    Route("/clients/{id}", clients.update, methods=["PATCH"]),
    Route("/clients/{id}", clients.delete, methods=["DELETE"]),
    Route("/attack-protection/breached-password-detection", attack_protection.show_breaches),
    Route("/attack-protection/breached-password-detection", attack_protection.update_breaches, methods=["PATCH"]),
    Route("/email-templates", email_templates.create, methods=["POST"]),
    Route("/email-templates/{name}", email_templates.show),
    Route("/email-templates/{name}", email_templates.replace, methods=["PUT"]),
    Route("/email-templates/{name}", email_templates.update, methods=["PATCH"]),
    Route("/emails/provider", email_provider.show),
    Route("/emails/provider", email_provider.create, methods=["POST"]),
    Route("/emails/provider", email_provider.update, methods=["PATCH"]),
    Route("/emails/provider", email_provider.delete, methods=["DELETE"]),
    Route("/jobs/verification-email", tickets.verification_email, methods=["POST"]),
    Route("/jobs/{id}", tickets.job),
    Route("/jobs/{id}/errors", tickets.job_errors),
    Route("/tickets/email-verification", tickets.email_verification, methods=["POST"]),
    Route("/tickets/password-change", tickets.password_change, methods=["POST"]),
    Route("/user-blocks", user_blocks.index),
    Route("/user-blocks", user_blocks.lift, methods=["DELETE"]),
    Route("/user-blocks/{id}", user_blocks.of_user),
    Route("/user-blocks/{id}", user_blocks.lift_of_user, methods=["DELETE"]),
    Route("/users", users.index),
    Route("/users", users.create, methods=["POST"]),
    Route("/users/{id}", users.show),
    Route("/users/{id}", users.update, methods=["PATCH"]),
    Route("/users/{id}", users.delete, methods=["DELETE"]),
    Route("/users/{id}/authentication-methods", authentication_methods.index),
    Route("/users/{id}/authentication-methods", authentication_methods.delete_all, methods=["DELETE"]),
    Route("/users/{id}/authentication-methods/{method_id}", authentication_methods.show),
    Route("/users/{id}/authentication-methods/{method_id}", authentication_methods.delete, methods=["DELETE"]),
]


def _mount(prefix: str, inner: Sequence[BaseRoute]) -> Mount:
    """Mount routes without Starlette's redirects to the path with or without a slash: they are 307s."""
    return Mount(prefix, app=Router(inner, redirect_slashes=False))
