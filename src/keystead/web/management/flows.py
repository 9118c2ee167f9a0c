"""Everything that handlers of the Management API alone may call, in one frozen value."""

from dataclasses import dataclass

from keystead.flows.access import Access
from keystead.flows.administrators import Administrators
from keystead.flows.apis import Apis
from keystead.flows.archive_imports import ArchiveImports
from keystead.flows.attack_protection import AttackProtection
from keystead.flows.authentication_methods import AuthenticationMethods
from keystead.flows.backup import Backup
from keystead.flows.blocks import Blocks
from keystead.flows.client_grants import ClientGrants
from keystead.flows.connections import Connections
from keystead.flows.credentials import Credentials
from keystead.flows.doctor import AskedOften, Doctor
from keystead.flows.fido_metadata import FidoMetadata
from keystead.flows.import_uploads import ImportUploads
from keystead.flows.jobs import Jobs
from keystead.flows.journal_chain import JournalChain
from keystead.flows.journal_retention import JournalRetention
from keystead.flows.journal_verification import JournalVerification
from keystead.flows.log_delivery import LogDelivery
from keystead.flows.log_streams import LogStreams
from keystead.flows.logs import Logs
from keystead.flows.mail_provider import MailProvider
from keystead.flows.message_templates import MessageTemplates
from keystead.flows.page_design import PageDesign
from keystead.flows.quarantine import Quarantine
from keystead.flows.script_health import ScriptStatus
from keystead.flows.script_trials import ScriptTrials
from keystead.flows.shadow import Shadow
from keystead.flows.stats import Stats
from keystead.flows.user_exports import UserExports
from keystead.flows.user_import import UserImport
from keystead.flows.user_search import UserSearch


@dataclass(frozen=True)
class ManagementFlows:
    """One field per thing that only administrators do; made in ``create_app`` and nowhere else."""

    administrators: Administrators
    connections: Connections
    apis: Apis
    client_grants: ClientGrants
    credentials: Credentials
    methods: AuthenticationMethods
    quarantine: Quarantine
    access: Access
    attack_protection: AttackProtection
    blocks: Blocks
    chain: JournalChain
    verification: JournalVerification
    retention: JournalRetention
    logs: Logs
    jobs: Jobs
    metadata: FidoMetadata
    templates: MessageTemplates
    mail_provider: MailProvider
    page_design: PageDesign
    stats: Stats
    user_search: UserSearch
    user_exports: UserExports
    archive_imports: ArchiveImports
    import_uploads: ImportUploads
    user_import: UserImport
    doctor: Doctor
    findings: AskedOften
    backup: Backup
    log_streams: LogStreams
    log_delivery: LogDelivery
    trials: ScriptTrials
    script_status: ScriptStatus
    shadow: Shadow
