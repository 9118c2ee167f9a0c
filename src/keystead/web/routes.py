"""Every URL and its handler: the table of contents of the product.

The hot routes come first and the rest is mounted by prefix, since routes are tried in order.
"""

from collections.abc import Sequence
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Router
from starlette.staticfiles import StaticFiles

from keystead.web import (
    account_pages,
    auth_api,
    challenge_pages,
    dev,
    front,
    logout,
    mailed_pages,
    me_api,
    oauth_api,
    oauth_endpoints,
    openapi,
    page_endpoints,
    pages,
    signup_pages,
)
from keystead.web.endpoints import Described
from keystead.web.management import (
    attack_protection,
    authentication_methods,
    client_grants,
    clients,
    connections,
    credentials,
    email_provider,
    email_templates,
    grants,
    refresh_tokens,
    resource_servers,
    sessions,
    signing_keys,
    tenant_settings,
    tickets,
    user_blocks,
    users,
)


def routes(static: Path) -> list[BaseRoute]:
    """Return the routes; ``static`` is the directory of style sheets and scripts."""

    async def favicon(request: Request) -> Response:
        return front.favicon(static)

    return [
        Described("/oauth/token", oauth_api.token, POST=oauth_endpoints.TOKEN),
        Described("/oauth/revoke", oauth_api.revoke, POST=oauth_endpoints.REVOKE),
        Described("/oauth/par", oauth_api.push, POST=oauth_endpoints.PUSH),
        Described("/userinfo", oauth_api.userinfo, GET=oauth_endpoints.USERINFO, POST=oauth_endpoints.USERINFO_FORM),
        Described("/.well-known/jwks.json", oauth_api.jwks, GET=oauth_endpoints.JWKS),
        Described("/.well-known/keystead-jwks.json", oauth_api.every_jwk, GET=oauth_endpoints.EVERY_JWK),
        Described("/passkey/challenge", auth_api.passkey_challenge, POST=auth_api.PASSKEY_CHALLENGE),
        Described("/passkey/register", auth_api.passkey_register, POST=auth_api.PASSKEY_REGISTER),
        Described("/dbconnections/signup", auth_api.signup, POST=auth_api.SIGNUP),
        Described("/dbconnections/change_password", auth_api.change_password, POST=auth_api.CHANGE_PASSWORD),
        Described(
            "/authorize", oauth_api.authorize, GET=oauth_endpoints.AUTHORIZE, POST=oauth_endpoints.AUTHORIZE_FORM
        ),
        Described(
            "/.well-known/change-password",
            challenge_pages.well_known_change_password,
            GET=page_endpoints.WELL_KNOWN_CHANGE_PASSWORD,
        ),
        Described(
            "/.well-known/openid-configuration", oauth_api.openid_configuration, GET=oauth_endpoints.CONFIGURATION
        ),
        Described(
            "/.well-known/oauth-authorization-server",
            oauth_api.openid_configuration,
            GET=oauth_endpoints.OAUTH_CONFIGURATION,
        ),
        Described("/v2/logout", logout.logout, GET=oauth_endpoints.LOGOUT),
        Described(
            "/oidc/logout", logout.oidc_logout, GET=oauth_endpoints.OIDC_LOGOUT, POST=oauth_endpoints.OIDC_LOGOUT_FORM
        ),
        _mount("/u", HOSTED),
        _mount("/me/v1", MY_ACCOUNT),
        _mount("/api/v2", MANAGEMENT),
        Mount("/static", StaticFiles(directory=static)),
        Described("/avatars/{initials}.svg", front.avatar, GET=page_endpoints.AVATAR),
        Described("/favicon.ico", favicon, GET=page_endpoints.FAVICON),
        Described("/healthz", front.health, GET=page_endpoints.HEALTH),
        Described("/dev/outbox", dev.outbox, GET=page_endpoints.OUTBOX),
        Described("/openapi.json", openapi.Description().show, GET=openapi.DESCRIPTION),
        Described("/", front.home, GET=page_endpoints.HOME),
    ]


HOSTED = [
    Described("/login", pages.resume, GET=page_endpoints.RESUME),
    Described(
        "/login/identifier",
        pages.login_identifier,
        GET=page_endpoints.LOGIN_IDENTIFIER,
        POST=page_endpoints.LOGIN_IDENTIFIER_FORM,
    ),
    Described(
        "/login/password",
        pages.login_password,
        GET=page_endpoints.LOGIN_PASSWORD,
        POST=page_endpoints.LOGIN_PASSWORD_FORM,
    ),
    Described("/login/passkey", pages.login_passkey, POST=page_endpoints.LOGIN_PASSKEY),
    Described("/login/passkey/options", pages.login_passkey_options, POST=page_endpoints.LOGIN_PASSKEY_OPTIONS),
    Described(
        "/signup/identifier",
        signup_pages.signup_identifier,
        GET=page_endpoints.SIGNUP_IDENTIFIER,
        POST=page_endpoints.SIGNUP_IDENTIFIER_FORM,
    ),
    Described(
        "/signup/passkey",
        signup_pages.signup_passkey,
        GET=page_endpoints.SIGNUP_PASSKEY,
        POST=page_endpoints.SIGNUP_PASSKEY_FORM,
    ),
    Described(
        "/signup/passkey/options", signup_pages.signup_passkey_options, POST=page_endpoints.SIGNUP_PASSKEY_OPTIONS
    ),
    Described(
        "/signup/password",
        signup_pages.signup_password,
        GET=page_endpoints.SIGNUP_PASSWORD,
        POST=page_endpoints.SIGNUP_PASSWORD_FORM,
    ),
    Described(
        "/passkey-enrollment",
        pages.passkey_enrolment,
        GET=page_endpoints.PASSKEY_ENROLMENT,
        POST=page_endpoints.PASSKEY_ENROLMENT_FORM,
    ),
    Described(
        "/passkey-enrollment/options", pages.passkey_enrolment_options, POST=page_endpoints.PASSKEY_ENROLMENT_OPTIONS
    ),
    Described("/consent", pages.consent, GET=page_endpoints.CONSENT, POST=page_endpoints.CONSENT_FORM),
    Described(
        "/email-identifier-challenge",
        challenge_pages.identifier_challenge,
        GET=page_endpoints.EMAIL_CHALLENGE,
        POST=page_endpoints.EMAIL_CHALLENGE_FORM,
    ),
    Described(
        "/phone-identifier-challenge",
        challenge_pages.identifier_challenge,
        GET=page_endpoints.PHONE_CHALLENGE,
        POST=page_endpoints.PHONE_CHALLENGE_FORM,
    ),
    Described(
        "/verification-pending",
        challenge_pages.verification_pending,
        GET=page_endpoints.VERIFICATION_PENDING,
        POST=page_endpoints.VERIFICATION_PENDING_FORM,
    ),
    Described(
        "/change-password",
        challenge_pages.change_password,
        GET=page_endpoints.CHANGE_PASSWORD,
        POST=page_endpoints.CHANGE_PASSWORD_FORM,
    ),
    Described(
        "/reset-password/code",
        challenge_pages.reset_code,
        GET=page_endpoints.RESET_CODE,
        POST=page_endpoints.RESET_CODE_FORM,
    ),
    Described(
        "/email-verification",
        mailed_pages.email_verification,
        GET=page_endpoints.EMAIL_VERIFICATION,
        POST=page_endpoints.EMAIL_VERIFICATION_FORM,
    ),
    Described(
        "/reset-password/request",
        challenge_pages.reset_request,
        GET=page_endpoints.RESET_REQUEST,
        POST=page_endpoints.RESET_REQUEST_FORM,
    ),
    Described(
        "/reset-password",
        mailed_pages.reset_password,
        GET=page_endpoints.RESET_PASSWORD,
        POST=page_endpoints.RESET_PASSWORD_FORM,
    ),
    Described("/setup", front.setup, GET=page_endpoints.SETUP, POST=page_endpoints.SETUP_FORM),
    Described("/logout", logout.confirm, POST=oauth_endpoints.LOGOUT_CONFIRMED),
    Described("/account", account_pages.account, GET=page_endpoints.ACCOUNT, POST=page_endpoints.ACCOUNT_FORM),
]

MY_ACCOUNT = [
    Described("/authentication-methods", me_api.methods, GET=me_api.METHODS),
    Described("/authentication-methods", me_api.begin, POST=me_api.BEGIN),
    Described("/authentication-methods/{id}/verify", me_api.verify, POST=me_api.VERIFY),
    Described("/authentication-methods/{id}", me_api.method, GET=me_api.METHOD),
    Described("/authentication-methods/{id}", me_api.remove, DELETE=me_api.REMOVE),
]

MANAGEMENT: list[BaseRoute] = [
    Described("/connections", connections.index, GET=connections.INDEX),
    Described("/connections", connections.create, POST=connections.CREATE),
    Described("/connections/{id}", connections.show, GET=connections.SHOW),
    Described("/connections/{id}", connections.update, PATCH=connections.UPDATE),
    Described("/connections/{id}", connections.delete, DELETE=connections.DELETE),
    Described("/connections/{id}/clients", connections.clients, GET=connections.CLIENTS),
    Described("/connections/{id}/clients", connections.switch_clients, PATCH=connections.SWITCH_CLIENTS),
    Described("/clients", clients.index, GET=clients.INDEX),
    Described("/clients", clients.create, POST=clients.CREATE),
    Described("/clients/{id}", clients.show, GET=clients.SHOW),
    Described("/clients/{id}", clients.update, PATCH=clients.UPDATE),
    Described("/clients/{id}", clients.delete, DELETE=clients.DELETE),
    Described("/clients/{id}/rotate-secret", clients.rotate_secret, POST=clients.ROTATE_SECRET),
    Described("/clients/{id}/credentials", credentials.index, GET=credentials.INDEX),
    Described("/clients/{id}/credentials", credentials.create, POST=credentials.CREATE),
    Described("/clients/{id}/credentials/{credential_id}", credentials.show, GET=credentials.SHOW),
    Described("/clients/{id}/credentials/{credential_id}", credentials.update, PATCH=credentials.UPDATE),
    Described("/clients/{id}/credentials/{credential_id}", credentials.delete, DELETE=credentials.DELETE),
    Described("/client-grants", client_grants.index, GET=client_grants.INDEX),
    Described("/client-grants", client_grants.create, POST=client_grants.CREATE),
    Described("/client-grants/{id}", client_grants.show, GET=client_grants.SHOW),
    Described("/client-grants/{id}", client_grants.update, PATCH=client_grants.UPDATE),
    Described("/client-grants/{id}", client_grants.delete, DELETE=client_grants.DELETE),
    Described("/resource-servers", resource_servers.index, GET=resource_servers.INDEX),
    Described("/resource-servers", resource_servers.create, POST=resource_servers.CREATE),
    Described("/resource-servers/{id:path}", resource_servers.show, GET=resource_servers.SHOW),
    Described("/resource-servers/{id:path}", resource_servers.update, PATCH=resource_servers.UPDATE),
    Described("/resource-servers/{id:path}", resource_servers.delete, DELETE=resource_servers.DELETE),
    Described(
        "/attack-protection/breached-password-detection",
        attack_protection.show_breaches,
        GET=attack_protection.SHOW_BREACHES,
    ),
    Described(
        "/attack-protection/breached-password-detection",
        attack_protection.update_breaches,
        PATCH=attack_protection.UPDATE_BREACHES,
    ),
    Described("/email-templates", email_templates.create, POST=email_templates.CREATE),
    Described("/email-templates/{name}", email_templates.show, GET=email_templates.SHOW),
    Described("/email-templates/{name}", email_templates.replace, PUT=email_templates.REPLACE),
    Described("/email-templates/{name}", email_templates.update, PATCH=email_templates.UPDATE),
    Described("/emails/provider", email_provider.show, GET=email_provider.SHOW),
    Described("/emails/provider", email_provider.create, POST=email_provider.CREATE),
    Described("/emails/provider", email_provider.update, PATCH=email_provider.UPDATE),
    Described("/emails/provider", email_provider.delete, DELETE=email_provider.DELETE),
    Described("/jobs/verification-email", tickets.verification_email, POST=tickets.VERIFICATION_EMAIL),
    Described("/jobs/{id}", tickets.job, GET=tickets.JOB),
    Described("/jobs/{id}/errors", tickets.job_errors, GET=tickets.JOB_ERRORS),
    Described("/keys/signing", signing_keys.index, GET=signing_keys.INDEX),
    Described("/keys/signing/rotate", signing_keys.rotate, POST=signing_keys.ROTATE),
    Described("/keys/signing/{kid}", signing_keys.show, GET=signing_keys.SHOW),
    Described("/keys/signing/{kid}/revoke", signing_keys.revoke, PUT=signing_keys.REVOKE),
    Described("/grants", grants.index, GET=grants.INDEX),
    Described("/grants", grants.delete_of_user, DELETE=grants.DELETE_OF_USER),
    Described("/grants/{id}", grants.delete, DELETE=grants.DELETE),
    Described("/refresh-tokens", refresh_tokens.index, GET=refresh_tokens.INDEX),
    Described("/refresh-tokens/revoke", refresh_tokens.revoke, POST=refresh_tokens.REVOKE),
    Described("/refresh-tokens/{id}", refresh_tokens.show, GET=refresh_tokens.SHOW),
    Described("/refresh-tokens/{id}", refresh_tokens.update, PATCH=refresh_tokens.UPDATE),
    Described("/refresh-tokens/{id}", refresh_tokens.delete, DELETE=refresh_tokens.DELETE),
    Described("/sessions/{id}", sessions.show, GET=sessions.SHOW),
    Described("/sessions/{id}", sessions.update, PATCH=sessions.UPDATE),
    Described("/sessions/{id}", sessions.delete, DELETE=sessions.DELETE),
    Described("/sessions/{id}/revoke", sessions.revoke, POST=sessions.REVOKE),
    Described("/tenants/settings", tenant_settings.show, GET=tenant_settings.SHOW),
    Described("/tenants/settings", tenant_settings.update, PATCH=tenant_settings.UPDATE),
    Described("/keystead/sessions", tenant_settings.show_sessions, GET=tenant_settings.SHOW_SESSIONS),
    Described("/keystead/sessions", tenant_settings.update_sessions, PATCH=tenant_settings.UPDATE_SESSIONS),
    Described("/tickets/email-verification", tickets.email_verification, POST=tickets.EMAIL_VERIFICATION),
    Described("/tickets/password-change", tickets.password_change, POST=tickets.PASSWORD_CHANGE),
    Described("/user-blocks", user_blocks.index, GET=user_blocks.INDEX),
    Described("/user-blocks", user_blocks.lift, DELETE=user_blocks.LIFT),
    Described("/user-blocks/{id}", user_blocks.of_user, GET=user_blocks.OF_USER),
    Described("/user-blocks/{id}", user_blocks.lift_of_user, DELETE=user_blocks.LIFT_OF_USER),
    Described("/users", users.index, GET=users.INDEX),
    Described("/users", users.create, POST=users.CREATE),
    Described("/users/{id}", users.show, GET=users.SHOW),
    Described("/users/{id}", users.update, PATCH=users.UPDATE),
    Described("/users/{id}", users.delete, DELETE=users.DELETE),
    Described("/users/{id}/sessions", sessions.of_user, GET=sessions.OF_USER),
    Described("/users/{id}/sessions", sessions.delete_of_user, DELETE=sessions.DELETE_OF_USER),
    Described("/users/{id}/refresh-tokens", refresh_tokens.of_user, GET=refresh_tokens.OF_USER),
    Described("/users/{id}/refresh-tokens", refresh_tokens.delete_of_user, DELETE=refresh_tokens.DELETE_OF_USER),
    Described("/users/{id}/revoke-access", sessions.revoke_access, POST=sessions.REVOKE_ACCESS),
    Described("/users/{id}/authentication-methods", authentication_methods.index, GET=authentication_methods.INDEX),
    Described(
        "/users/{id}/authentication-methods",
        authentication_methods.delete_all,
        DELETE=authentication_methods.DELETE_ALL,
    ),
    Described(
        "/users/{id}/authentication-methods/{method_id}", authentication_methods.show, GET=authentication_methods.SHOW
    ),
    Described(
        "/users/{id}/authentication-methods/{method_id}",
        authentication_methods.delete,
        DELETE=authentication_methods.DELETE,
    ),
]


def _mount(prefix: str, inner: Sequence[BaseRoute]) -> Mount:
    """Mount routes without Starlette's redirects to the path with or without a slash: they are 307s."""
    return Mount(prefix, app=Router(inner, redirect_slashes=False))
