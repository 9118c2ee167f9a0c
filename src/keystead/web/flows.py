"""Everything that handlers may call, in one frozen value on ``app.state``."""

from dataclasses import dataclass
from typing import cast

from starlette.requests import HTTPConnection

from keystead.flows.administrator_setup import AdministratorSetup
from keystead.flows.authenticator_models import AuthenticatorModels
from keystead.flows.breaches import Breaches
from keystead.flows.clients import Clients
from keystead.flows.decisions import Decisions
from keystead.flows.directory import Directory
from keystead.flows.hosted_login import HostedLogin
from keystead.flows.logout_notices import LogoutNotices
from keystead.flows.looks import Looks
from keystead.flows.own_passkeys import OwnPasskeys
from keystead.flows.own_sessions import OwnSessions
from keystead.flows.passkey_enrolment import PasskeyEnrolment
from keystead.flows.passkey_login import PasskeyLogin
from keystead.flows.passkey_recovery import PasskeyRecovery
from keystead.flows.passkey_upgrade import PasskeyUpgrade
from keystead.flows.password_change import PasswordChange
from keystead.flows.password_removal import PasswordRemoval
from keystead.flows.password_reset import PasswordReset
from keystead.flows.post import Post
from keystead.flows.readiness import Readiness
from keystead.flows.relying_party import RelyingPartySettings
from keystead.flows.request_limits import RequestLimits
from keystead.flows.sessions import Sessions
from keystead.flows.signals import Signals
from keystead.flows.signup import Signup
from keystead.flows.tenant_settings import TenantSettings
from keystead.flows.tickets import Tickets
from keystead.flows.unblocking import Unblocking
from keystead.flows.users import Users
from keystead.flows.verification import Verification
from keystead.flows.vitals import Vitals
from keystead.oauth.authorize import Authorize
from keystead.oauth.bearers import Bearers
from keystead.oauth.client_auth import ClientAuth
from keystead.oauth.issue import Issuer
from keystead.oauth.keys import KeyRing
from keystead.oauth.logout import Logout
from keystead.oauth.logout_tokens import LogoutTokens
from keystead.oauth.pushed_requests import PushedRequests
from keystead.oauth.revoke import Revoke
from keystead.oauth.signing_keys import SigningKeys
from keystead.oauth.token_endpoint import TokenEndpoint
from keystead.oauth.userinfo import UserInfo
from keystead.ports import Entropy, ScriptRuntime
from keystead.settings import Settings
from keystead.web.cookies import Cookies
from keystead.web.devices import Devices
from keystead.web.management.flows import ManagementFlows


@dataclass(frozen=True)
class Flows:
    """One field per thing that somebody can do; made in ``create_app`` and nowhere else."""

    settings: Settings
    devices: Devices
    entropy: Entropy
    directory: Directory
    hosted_login: HostedLogin
    passkey_login: PasskeyLogin
    enrolment: PasskeyEnrolment
    recovery: PasskeyRecovery
    upgrade: PasskeyUpgrade
    signup: Signup
    verification: Verification
    reset: PasswordReset
    password_change: PasswordChange
    password_removal: PasswordRemoval
    post: Post
    tenant_settings: TenantSettings
    relying_party: RelyingPartySettings
    tickets: Tickets
    sessions: Sessions
    own_sessions: OwnSessions
    own_passkeys: OwnPasskeys
    logout: Logout
    logout_notices: LogoutNotices
    logout_tokens: LogoutTokens
    administrator_setup: AdministratorSetup
    authorize: Authorize
    token_endpoint: TokenEndpoint
    pushed_requests: PushedRequests
    revoke: Revoke
    issuer: Issuer
    signing_keys: SigningKeys
    bearers: Bearers
    userinfo: UserInfo
    clients: Clients
    users: Users
    unblocking: Unblocking
    request_limits: RequestLimits
    decisions: Decisions
    looks: Looks
    readiness: Readiness
    vitals: Vitals
    runtime: ScriptRuntime
    management: ManagementFlows

    @property
    def cookies(self) -> Cookies:
        """The cookies of the hosted pages."""
        return self.devices.cookies

    @property
    def authenticators(self) -> AuthenticatorModels:
        """What is known of models of authenticators."""
        return self.enrolment.models

    @property
    def breaches(self) -> Breaches:
        """What knows passwords that everybody can read."""
        return self.reset.breaches

    @property
    def client_auth(self) -> ClientAuth:
        """What asks clients who they are."""
        return self.token_endpoint.client_auth

    @property
    def keys(self) -> KeyRing:
        """What signs and verifies."""
        return self.signing_keys.ring

    @property
    def signals(self) -> Signals:
        """What browsers are told about the passkeys that they keep."""
        return self.own_passkeys.signals


def flows_of(request: HTTPConnection) -> Flows:
    """Return the flows of the application that serves the request."""
    return cast("Flows", request.app.state.flows)


def management_of(request: HTTPConnection) -> ManagementFlows:
    """Return what only administrators do."""
    return flows_of(request).management
