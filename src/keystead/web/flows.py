"""Everything that handlers may call, in one frozen value on ``app.state``."""

from dataclasses import dataclass
from typing import cast

from starlette.requests import HTTPConnection

from keystead.flows.blocks import Blocks
from keystead.flows.breaches import Breaches
from keystead.flows.clients import Clients
from keystead.flows.connections import Connections
from keystead.flows.directory import Directory
from keystead.flows.first_owner import FirstOwner
from keystead.flows.hosted_login import HostedLogin
from keystead.flows.mail_provider import MailProvider
from keystead.flows.message_templates import MessageTemplates
from keystead.flows.passkey_enrolment import PasskeyEnrolment
from keystead.flows.passkey_login import PasskeyLogin
from keystead.flows.password_change import PasswordChange
from keystead.flows.password_reset import PasswordReset
from keystead.flows.post import Post
from keystead.flows.sessions import Sessions
from keystead.flows.signup import Signup
from keystead.flows.tickets import Tickets
from keystead.flows.users import Users
from keystead.flows.verification import Verification
from keystead.oauth.authorize import Authorize
from keystead.oauth.bearers import Bearers
from keystead.oauth.client_auth import ClientAuth
from keystead.oauth.issue import Issuer
from keystead.oauth.keys import KeyRing
from keystead.oauth.token_endpoint import TokenEndpoint
from keystead.oauth.userinfo import UserInfo
from keystead.ports import Entropy
from keystead.settings import Settings
from keystead.web.cookies import Cookies


@dataclass(frozen=True)
class Flows:
    """One field per thing that somebody can do; made in ``create_app`` and nowhere else."""

    settings: Settings
    cookies: Cookies
    entropy: Entropy
    directory: Directory
    hosted_login: HostedLogin
    passkey_login: PasskeyLogin
    enrolment: PasskeyEnrolment
    signup: Signup
    verification: Verification
    reset: PasswordReset
    password_change: PasswordChange
    post: Post
    templates: MessageTemplates
    mail_provider: MailProvider
    tickets: Tickets
    sessions: Sessions
    first_owner: FirstOwner
    authorize: Authorize
    client_auth: ClientAuth
    token_endpoint: TokenEndpoint
    issuer: Issuer
    keys: KeyRing
    bearers: Bearers
    userinfo: UserInfo
    connections: Connections
    clients: Clients
    breaches: Breaches
    users: Users
    blocks: Blocks


def flows_of(request: HTTPConnection) -> Flows:
    """Return the flows of the application that serves the request."""
    return cast("Flows", request.app.state.flows)
