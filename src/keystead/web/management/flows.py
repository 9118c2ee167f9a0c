"""Everything that handlers of the Management API alone may call, in one frozen value."""

from dataclasses import dataclass

from keystead.flows.access import Access
from keystead.flows.apis import Apis
from keystead.flows.attack_protection import AttackProtection
from keystead.flows.authentication_methods import AuthenticationMethods
from keystead.flows.blocks import Blocks
from keystead.flows.client_grants import ClientGrants
from keystead.flows.connections import Connections
from keystead.flows.credentials import Credentials
from keystead.flows.mail_provider import MailProvider
from keystead.flows.message_templates import MessageTemplates
from keystead.flows.quarantine import Quarantine
from keystead.flows.user_search import UserSearch


@dataclass(frozen=True)
class ManagementFlows:
    """One field per thing that only administrators do; made in ``create_app`` and nowhere else."""

    connections: Connections
    apis: Apis
    client_grants: ClientGrants
    credentials: Credentials
    methods: AuthenticationMethods
    quarantine: Quarantine
    access: Access
    attack_protection: AttackProtection
    blocks: Blocks
    templates: MessageTemplates
    mail_provider: MailProvider
    user_search: UserSearch
