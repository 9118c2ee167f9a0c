"""Every URL and its handler: the table of contents of the product.

The hot routes come first and the rest is mounted by prefix, since routes are tried in order.
"""

from collections.abc import Sequence
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Router

from keystead.web import (
    account_pages,
    auth_api,
    challenge_pages,
    dev,
    enrolment_pages,
    front,
    logout,
    mailed_pages,
    me_api,
    me_methods,
    oauth_api,
    openapi,
    pages,
    passkey_pages,
    recovery_pages,
    signup_pages,
    well_known,
)
from keystead.web import oauth_endpoints as oauth
from keystead.web import page_endpoints as page
from keystead.web.endpoints import Described
from keystead.web.management import (
    actions,
    administrators,
    attack_protection,
    authentication_methods,
    authenticators,
    backups,
    branding,
    client_grants,
    clients,
    connections,
    credentials,
    decisions,
    doctor,
    email_provider,
    email_templates,
    fido_metadata,
    grants,
    jobs,
    log_streams,
    logs,
    passkey_preview,
    passkeys,
    prompts,
    refresh_tokens,
    relying_party,
    resource_servers,
    scripts,
    sessions,
    signing_keys,
    stats,
    tenant_settings,
    tickets,
    user_blocks,
    user_exports,
    user_imports,
    user_lists,
    users,
)
from keystead.web.static_files import PublicFiles


def routes(static: Path) -> list[BaseRoute]:
    """Return the routes; ``static`` is the directory of style sheets and scripts."""

    async def favicon(request: Request) -> Response:
        return front.favicon(static)

    return [
        Described("/oauth/token", oauth_api.token, POST=oauth.TOKEN),
        Described("/oauth/revoke", oauth_api.revoke, POST=oauth.REVOKE),
        Described("/oauth/par", oauth_api.push, POST=oauth.PUSH),
        Described("/userinfo", oauth_api.userinfo, GET=oauth.USERINFO, POST=oauth.USERINFO_FORM),
        Described("/.well-known/jwks.json", oauth_api.jwks, GET=oauth.JWKS),
        Described("/.well-known/keystead-jwks.json", oauth_api.every_jwk, GET=oauth.EVERY_JWK),
        Described("/passkey/challenge", auth_api.passkey_challenge, POST=auth_api.PASSKEY_CHALLENGE),
        Described("/passkey/register", auth_api.passkey_register, POST=auth_api.PASSKEY_REGISTER),
        Described("/dbconnections/signup", auth_api.signup, POST=auth_api.SIGNUP),
        Described("/dbconnections/change_password", auth_api.change_password, POST=auth_api.CHANGE_PASSWORD),
        Described("/authorize", oauth_api.authorize, GET=oauth.AUTHORIZE, POST=oauth.AUTHORIZE_FORM),
        Described(
            "/.well-known/change-password",
            challenge_pages.well_known_change_password,
            GET=page.WELL_KNOWN_CHANGE_PASSWORD,
        ),
        Described("/.well-known/openid-configuration", oauth_api.openid_configuration, GET=oauth.CONFIGURATION),
        Described(
            "/.well-known/oauth-authorization-server", oauth_api.openid_configuration, GET=oauth.OAUTH_CONFIGURATION
        ),
        Described("/.well-known/webauthn", well_known.webauthn, GET=well_known.WEBAUTHN),
        Described("/.well-known/passkey-endpoints", well_known.passkey_endpoints, GET=well_known.PASSKEY_ENDPOINTS),
        Described("/.well-known/apple-app-site-association", well_known.apple_apps, GET=well_known.APPLE_APPS),
        Described("/.well-known/assetlinks.json", well_known.android_apps, GET=well_known.ANDROID_APPS),
        Described("/v2/logout", logout.logout, GET=oauth.LOGOUT),
        Described("/oidc/logout", logout.oidc_logout, GET=oauth.OIDC_LOGOUT, POST=oauth.OIDC_LOGOUT_FORM),
        _mount("/u", HOSTED),
        _mount("/me/v1", MY_ACCOUNT),
        _mount("/api/v2", MANAGEMENT),
        Mount("/static", PublicFiles(directory=static)),
        Described("/branding.css", front.branding, GET=page.BRANDING),
        Described("/avatars/{initials}.svg", front.avatar, GET=page.AVATAR),
        Described("/favicon.ico", favicon, GET=page.FAVICON),
        Described("/healthz", front.health, GET=page.HEALTH),
        Described("/readyz", front.ready, GET=page.READY),
        Described("/metrics", front.metrics, GET=page.METRICS),
        Described("/dev/outbox", dev.outbox, GET=page.OUTBOX),
        Described("/openapi.json", openapi.Description().show, GET=openapi.DESCRIPTION),
        Described("/", front.home, GET=page.HOME),
    ]


HOSTED = [
    Described("/login", pages.resume, GET=page.RESUME),
    Described("/login/identifier", pages.login_identifier, GET=page.LOGIN_IDENTIFIER, POST=page.LOGIN_IDENTIFIER_FORM),
    Described("/login/password", pages.login_password, GET=page.LOGIN_PASSWORD, POST=page.LOGIN_PASSWORD_FORM),
    Described("/login/passkey", pages.login_passkey, POST=page.LOGIN_PASSKEY),
    Described("/login/passkey/options", pages.login_passkey_options, POST=page.LOGIN_PASSKEY_OPTIONS),
    Described(
        "/signup/identifier",
        signup_pages.signup_identifier,
        GET=page.SIGNUP_IDENTIFIER,
        POST=page.SIGNUP_IDENTIFIER_FORM,
    ),
    Described("/signup/passkey", signup_pages.signup_passkey, GET=page.SIGNUP_PASSKEY, POST=page.SIGNUP_PASSKEY_FORM),
    Described("/signup/passkey/options", signup_pages.signup_passkey_options, POST=page.SIGNUP_PASSKEY_OPTIONS),
    Described(
        "/signup/password", signup_pages.signup_password, GET=page.SIGNUP_PASSWORD, POST=page.SIGNUP_PASSWORD_FORM
    ),
    Described(
        "/passkey-enrollment", pages.passkey_enrolment, GET=page.PASSKEY_ENROLMENT, POST=page.PASSKEY_ENROLMENT_FORM
    ),
    Described("/passkey-enrollment/options", pages.passkey_enrolment_options, POST=page.PASSKEY_ENROLMENT_OPTIONS),
    Described(
        "/passkey-enrollment/ticket", enrolment_pages.ticket, GET=page.PASSKEY_TICKET, POST=page.PASSKEY_TICKET_FORM
    ),
    Described("/passkey-enrollment/ticket/options", enrolment_pages.ticket_options, POST=page.PASSKEY_TICKET_OPTIONS),
    Described("/passkey-upgrade", enrolment_pages.upgrade, GET=page.PASSKEY_UPGRADE, POST=page.PASSKEY_UPGRADE_FORM),
    Described("/passkey-upgrade/options", enrolment_pages.upgrade_options, POST=page.PASSKEY_UPGRADE_OPTIONS),
    Described("/passkey-upgrade/undo", enrolment_pages.undo, GET=page.UNDO_UPGRADE, POST=page.UNDO_UPGRADE_FORM),
    Described("/consent", pages.consent, GET=page.CONSENT, POST=page.CONSENT_FORM),
    Described(
        "/email-identifier-challenge",
        challenge_pages.identifier_challenge,
        GET=page.EMAIL_CHALLENGE,
        POST=page.EMAIL_CHALLENGE_FORM,
    ),
    Described(
        "/phone-identifier-challenge",
        challenge_pages.identifier_challenge,
        GET=page.PHONE_CHALLENGE,
        POST=page.PHONE_CHALLENGE_FORM,
    ),
    Described(
        "/verification-pending",
        challenge_pages.verification_pending,
        GET=page.VERIFICATION_PENDING,
        POST=page.VERIFICATION_PENDING_FORM,
    ),
    Described(
        "/change-password", challenge_pages.change_password, GET=page.CHANGE_PASSWORD, POST=page.CHANGE_PASSWORD_FORM
    ),
    Described("/reset-password/code", challenge_pages.reset_code, GET=page.RESET_CODE, POST=page.RESET_CODE_FORM),
    Described(
        "/email-verification",
        mailed_pages.email_verification,
        GET=page.EMAIL_VERIFICATION,
        POST=page.EMAIL_VERIFICATION_FORM,
    ),
    Described("/unblock", mailed_pages.unblock, GET=page.UNBLOCK, POST=page.UNBLOCK_FORM),
    Described(
        "/reset-password/request", challenge_pages.reset_request, GET=page.RESET_REQUEST, POST=page.RESET_REQUEST_FORM
    ),
    Described("/passkey-recovery", recovery_pages.request_code, GET=page.RECOVERY, POST=page.RECOVERY_FORM),
    Described(
        "/passkey-recovery/code", recovery_pages.enter_code, GET=page.RECOVERY_CODE, POST=page.RECOVERY_CODE_FORM
    ),
    Described(
        "/passkey-recovery/passkey",
        recovery_pages.new_passkey,
        GET=page.RECOVERY_PASSKEY,
        POST=page.RECOVERY_PASSKEY_FORM,
    ),
    Described(
        "/passkey-recovery/passkey/options", recovery_pages.new_passkey_options, POST=page.RECOVERY_PASSKEY_OPTIONS
    ),
    Described("/reset-password", mailed_pages.reset_password, GET=page.RESET_PASSWORD, POST=page.RESET_PASSWORD_FORM),
    Described("/setup", front.setup, GET=page.SETUP, POST=page.SETUP_FORM),
    Described("/logout", logout.confirm, POST=oauth.LOGOUT_CONFIRMED),
    Described("/account", account_pages.account, GET=page.ACCOUNT, POST=page.ACCOUNT_FORM),
    Described("/account/passkeys", passkey_pages.passkeys, GET=page.OWN_PASSKEYS, POST=page.OWN_PASSKEYS_FORM),
    Described("/account/passkeys/options", passkey_pages.passkey_options, POST=page.OWN_PASSKEYS_OPTIONS),
]

MY_ACCOUNT = [
    Described("/authentication-methods", me_methods.methods, GET=me_methods.METHODS),
    Described("/authentication-methods", me_api.begin, POST=me_api.BEGIN),
    Described("/authentication-methods/{id}/verify", me_api.verify, POST=me_api.VERIFY),
    Described("/authentication-methods/{id}", me_methods.method, GET=me_methods.METHOD),
    Described("/authentication-methods/{id}", me_methods.update, PATCH=me_methods.UPDATE),
    Described("/authentication-methods/{id}", me_methods.remove, DELETE=me_methods.REMOVE),
    Described("/factors", me_methods.factors, GET=me_methods.FACTORS),
    Described("/keystead/signals", me_methods.signals, GET=me_methods.SIGNALS),
]

MANAGEMENT: list[BaseRoute] = [
    Described("/actions/actions", actions.index, GET=actions.INDEX),
    Described("/connections", connections.index, GET=connections.INDEX),
    Described("/connections", connections.create, POST=connections.CREATE),
    Described("/connections/{id}", connections.show, GET=connections.SHOW),
    Described("/connections/{id}", connections.update, PATCH=connections.UPDATE),
    Described("/connections/{id}", connections.delete, DELETE=connections.DELETE),
    Described("/connections/{id}/passkey-policy/preview", passkey_preview.preview, POST=passkey_preview.PREVIEW),
    Described("/connections/{id}/scripts/test", scripts.test, POST=scripts.TEST),
    Described("/connections/{id}/scripts/{name}/try", scripts.try_one, POST=scripts.TRY),
    Described("/connections/{id}/users", users.delete_by_email, DELETE=users.DELETE_BY_EMAIL),
    Described("/connections/{id}/clients", connections.clients, GET=connections.CLIENTS),
    Described("/connections/{id}/clients", connections.switch_clients, PATCH=connections.SWITCH_CLIENTS),
    Described("/connections/{id}/status", connections.status, GET=connections.STATUS),
    Described("/clients", clients.index, GET=clients.INDEX),
    Described("/clients", clients.create, POST=clients.CREATE),
    Described("/clients/{id}", clients.show, GET=clients.SHOW),
    Described("/clients/{id}", clients.update, PATCH=clients.UPDATE),
    Described("/clients/{id}", clients.delete, DELETE=clients.DELETE),
    Described("/clients/{id}/rotate-secret", clients.rotate_secret, POST=clients.ROTATE_SECRET),
    Described("/clients/{id}/connections", connections.of_client, GET=connections.OF_CLIENT),
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
    *attack_protection.settings("/attack-protection/brute-force-protection", attack_protection.BRUTE_FORCE),
    *attack_protection.settings("/attack-protection/suspicious-ip-throttling", attack_protection.SUSPICIOUS_IP),
    *attack_protection.settings("/attack-protection/breached-password-detection", attack_protection.BREACHES),
    *attack_protection.settings("/attack-protection/bot-detection", attack_protection.BOT_DETECTION),
    *attack_protection.settings("/attack-protection/captcha", attack_protection.CAPTCHA),
    Described("/anomaly/blocks/ips/{id}", user_blocks.of_address, GET=user_blocks.OF_ADDRESS),
    Described("/anomaly/blocks/ips/{id}", user_blocks.lift_of_address, DELETE=user_blocks.LIFT_OF_ADDRESS),
    Described("/branding", branding.show, GET=branding.SHOW),
    Described("/branding", branding.update, PATCH=branding.UPDATE),
    Described("/prompts", prompts.show, GET=prompts.SHOW),
    Described("/prompts", prompts.update, PATCH=prompts.UPDATE),
    Described("/prompts/{prompt}/custom-text/{language}", prompts.show_texts, GET=prompts.SHOW_TEXTS),
    Described("/prompts/{prompt}/custom-text/{language}", prompts.set_texts, PUT=prompts.SET_TEXTS),
    Described("/stats/active-users", stats.active_users, GET=stats.ACTIVE_USERS),
    Described("/stats/daily", stats.daily, GET=stats.DAILY),
    Described("/email-templates", email_templates.create, POST=email_templates.CREATE),
    Described("/email-templates/{name}", email_templates.show, GET=email_templates.SHOW),
    Described("/email-templates/{name}", email_templates.replace, PUT=email_templates.REPLACE),
    Described("/email-templates/{name}", email_templates.update, PATCH=email_templates.UPDATE),
    Described("/emails/provider", email_provider.show, GET=email_provider.SHOW),
    Described("/emails/provider", email_provider.create, POST=email_provider.CREATE),
    Described("/emails/provider", email_provider.update, PATCH=email_provider.UPDATE),
    Described("/emails/provider", email_provider.delete, DELETE=email_provider.DELETE),
    Described("/jobs/verification-email", tickets.verification_email, POST=tickets.VERIFICATION_EMAIL),
    Described("/jobs/users-imports", user_imports.create, POST=user_imports.CREATE),
    Described("/jobs/users-exports", user_exports.create, POST=user_exports.CREATE),
    Described("/jobs/{id}", tickets.job, GET=tickets.JOB),
    Described("/jobs/{id}/errors", tickets.job_errors, GET=tickets.JOB_ERRORS),
    Described("/keys/signing", signing_keys.index, GET=signing_keys.INDEX),
    Described("/keys/signing/rotate", signing_keys.rotate, POST=signing_keys.ROTATE),
    Described("/keys/signing/{kid}", signing_keys.show, GET=signing_keys.SHOW),
    Described("/keys/signing/{kid}/revoke", signing_keys.revoke, PUT=signing_keys.REVOKE),
    Described("/grants", grants.index, GET=grants.INDEX),
    Described("/grants", grants.delete_of_user, DELETE=grants.DELETE_OF_USER),
    Described("/grants/{id}", grants.delete, DELETE=grants.DELETE),
    Described("/logs", logs.index, GET=logs.INDEX),
    Described("/logs/{id}", logs.show, GET=logs.SHOW),
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
    Described("/keystead/doctor", doctor.show, GET=doctor.SHOW),
    Described("/log-streams", log_streams.index, GET=log_streams.INDEX),
    Described("/log-streams", log_streams.create, POST=log_streams.CREATE),
    Described("/log-streams/{id}", log_streams.show, GET=log_streams.SHOW),
    Described("/log-streams/{id}", log_streams.update, PATCH=log_streams.UPDATE),
    Described("/log-streams/{id}", log_streams.delete, DELETE=log_streams.DELETE),
    Described("/log-streams/{id}/rotate-secret", log_streams.rotate_secret, POST=log_streams.ROTATE_SECRET),
    Described("/keystead/relying-party", relying_party.show, GET=relying_party.SHOW),
    Described("/keystead/relying-party", relying_party.update, PATCH=relying_party.UPDATE),
    Described("/keystead/relying-party/report", relying_party.report, GET=relying_party.REPORT),
    Described("/keystead/administrators", administrators.index, GET=administrators.INDEX),
    Described("/keystead/administrators", administrators.invite, POST=administrators.INVITE),
    Described("/keystead/administrators/{id}", administrators.show, GET=administrators.SHOW),
    Described("/keystead/administrators/{id}", administrators.update, PATCH=administrators.UPDATE),
    Described("/keystead/administrators/{id}", administrators.delete, DELETE=administrators.DELETE),
    *attack_protection.settings("/keystead/attack-protection", attack_protection.LOCK),
    Described("/keystead/authenticators", authenticators.index, GET=authenticators.INDEX),
    Described("/keystead/authenticators/{aaguid}", authenticators.show, GET=authenticators.SHOW),
    Described("/keystead/decisions", decisions.index, GET=decisions.INDEX),
    Described("/keystead/backup", backups.show, GET=backups.SHOW),
    Described("/keystead/decisions/{id}", decisions.show, GET=decisions.SHOW),
    Described("/keystead/journal/export", logs.export, GET=logs.EXPORT),
    Described("/keystead/journal/seals", logs.seals, GET=logs.SEALS),
    Described("/keystead/journal/verification", logs.verify, GET=logs.VERIFY),
    Described("/keystead/fido-metadata", fido_metadata.show, GET=fido_metadata.SHOW),
    Described("/keystead/fido-metadata", fido_metadata.replace, PUT=fido_metadata.REPLACE),
    Described("/keystead/jobs", jobs.index, GET=jobs.INDEX),
    Described("/keystead/jobs/{id}", jobs.show, GET=jobs.SHOW),
    Described("/keystead/jobs/{id}/rows", user_imports.rows, GET=user_imports.ROWS),
    Described("/keystead/scripts/{connection_id}", scripts.status, GET=scripts.STATUS),
    Described("/keystead/scripts/{connection_id}/shadow", scripts.shadow, GET=scripts.SHADOW),
    Described("/keystead/scripts/{connection_id}/shadow", scripts.forget, DELETE=scripts.FORGET),
    Described("/keystead/scripts/{connection_id}/shadow/differences", scripts.differences, GET=scripts.DIFFERENCES),
    Described("/keystead/signing-keys", signing_keys.index_all, GET=signing_keys.INDEX_ALL),
    Described("/keystead/sessions", tenant_settings.show_sessions, GET=tenant_settings.SHOW_SESSIONS),
    Described("/keystead/sessions", tenant_settings.update_sessions, PATCH=tenant_settings.UPDATE_SESSIONS),
    Described("/keystead/user-archives", user_exports.create_archive, POST=user_exports.CREATE_ARCHIVE),
    Described("/keystead/user-archives", user_exports.receive, PUT=user_exports.RECEIVE),
    Described("/keystead/user-exports/{id}", user_exports.download, GET=user_exports.DOWNLOAD),
    Described("/keystead/users/{id}/passkeys", passkeys.index, GET=passkeys.INDEX),
    Described("/keystead/users/{id}/passkeys/{passkey_id}/quarantine", passkeys.quarantine, PUT=passkeys.QUARANTINE),
    Described("/keystead/users/{id}/passkeys/{passkey_id}/quarantine", passkeys.lift, DELETE=passkeys.LIFT),
    Described("/tickets/email-verification", tickets.email_verification, POST=tickets.EMAIL_VERIFICATION),
    Described("/tickets/passkey-enrollment", tickets.passkey_enrolment, POST=tickets.PASSKEY_ENROLMENT),
    Described("/tickets/password-change", tickets.password_change, POST=tickets.PASSWORD_CHANGE),
    Described("/user-blocks", user_blocks.index, GET=user_blocks.INDEX),
    Described("/user-blocks", user_blocks.lift, DELETE=user_blocks.LIFT),
    Described("/user-blocks/{id}", user_blocks.of_user, GET=user_blocks.OF_USER),
    Described("/user-blocks/{id}", user_blocks.lift_of_user, DELETE=user_blocks.LIFT_OF_USER),
    Described("/users", user_lists.index, GET=user_lists.INDEX),
    Described("/users", users.create, POST=users.CREATE),
    Described("/users-by-email", user_lists.by_email, GET=user_lists.BY_EMAIL),
    Described("/users/{id}", users.show, GET=users.SHOW),
    Described("/users/{id}", users.update, PATCH=users.UPDATE),
    Described("/users/{id}", users.delete, DELETE=users.DELETE),
    Described("/users/{id}/decisions", decisions.of_user, GET=decisions.OF_USER),
    Described("/users/{id}/logs", logs.of_user, GET=logs.OF_USER),
    Described("/users/{id}/sessions", sessions.of_user, GET=sessions.OF_USER),
    Described("/users/{id}/sessions", sessions.delete_of_user, DELETE=sessions.DELETE_OF_USER),
    Described("/users/{id}/refresh-tokens", refresh_tokens.of_user, GET=refresh_tokens.OF_USER),
    Described("/users/{id}/refresh-tokens", refresh_tokens.delete_of_user, DELETE=refresh_tokens.DELETE_OF_USER),
    Described("/users/{id}/revoke-access", sessions.revoke_access, POST=sessions.REVOKE_ACCESS),
    Described("/users/{id}/authentication-methods", authentication_methods.index, GET=authentication_methods.INDEX),
    Described("/users/{id}/authentication-methods", authentication_methods.create, POST=authentication_methods.CREATE),
    Described(
        "/users/{id}/authentication-methods",
        authentication_methods.replace_all,
        PUT=authentication_methods.REPLACE_ALL,
    ),
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
        authentication_methods.update,
        PATCH=authentication_methods.UPDATE,
    ),
    Described(
        "/users/{id}/authentication-methods/{method_id}",
        authentication_methods.delete,
        DELETE=authentication_methods.DELETE,
    ),
]


def _mount(prefix: str, inner: Sequence[BaseRoute]) -> Mount:
    """Mount routes without Starlette's redirects to the path with or without a slash: they are 307s."""
    return Mount(prefix, app=Router(_allowed(inner), redirect_slashes=False))


def _allowed(found: Sequence[BaseRoute]) -> Sequence[BaseRoute]:
    """Let each route know the methods of its path, also as an id: a 405 names them all (RFC 9110 §15.5.6)."""
    described = [each for each in found if isinstance(each, Described)]
    for each in described:
        beside = (other.own for other in described if other.path_regex.match(each.path))
        each.allowed = sorted(set().union(*beside))
    return found
