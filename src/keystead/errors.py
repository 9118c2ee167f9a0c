"""Everything that can go wrong, as a tree.

    DomainError
      Rejected                  the person, or what they showed, is refused
        WrongCredentials          the secret is wrong, or there is nobody; never says which
          NotVerified               the right secret, but an identifier must be verified first; says the same
        UserBlocked               the right secret of an account that an administrator blocked
        AccountGone               a token or code of an account that no longer exists
        TooManyAttempts           charged beyond the limit; says when to come back
          TooManyMessages           more messages asked for than one person is sent
          TooManyOfOne              one person, too often in a minute, rightly or not
          TooManyProofs             one client, proved wrongly too often from one address
          AddressBlocked            too many failures from one address, or too many sign-ups
        CeremonyExpired           the ceremony is unknown, used or late; never says which
        UnknownCredential         a passkey that nobody here owns
        CeremonyRefused           the authenticator's answer fails a check of WebAuthn
          WrongSignature          or is signed by another key
          PasskeyNotAllowed       or is right, and the passkey not of the kind that the policy allows
        PasskeyLimitReached       the account holds as many passkeys as the policy allows
        InvalidGrant              a code, verifier or refresh token that does not fit
        InvalidToken              a bearer token that is broken, expired or for somebody else
          NoToken                 or is not there
        StepUpRequired            the login is too old for this change
        EnrolmentRequired         the right password, but nobody goes on without a passkey any more
        TransactionExpired        the hosted login went stale, was finished, or began in another browser
        InvalidTicket             a one-time link that is unknown, used or late
        WrongCode                 a one-time code that is wrong, used, late, or guessed at too often; never says which
        RefusedByScript           a script of the customer's said no, in words of its own
        ProofNeeded               a link was opened by somebody who may not be who made the account
      TooManyRequests           whatever was asked: one address, client or person asks too often
        TooManyImports            as many imports are under way as there may be
      Invalid                   the request is refused
        BadRequest                not understood as it stands: syntax, types, missing members
          InvalidQuery · BeyondPaging   the same, for the query string; a page further on than lists are read
          InvalidPath               the same, for a part of the path
        InvalidOptions            connection options that contradict each other, by path
        InvalidMetadata           FIDO metadata that cannot be believed or read
        InvalidBackup             a backup that is damaged, or that nobody vouches for
        InvalidArchive            an archive of users that is damaged, or of an installation that nobody named
        WouldStrandUsers          the change leaves people without a way to sign in; carries the report
        InvalidIdentifier         not an e-mail address, phone number or username that this connection takes
        WeakPassword              breaks the connection's password policy; carries the rule report
        PasswordLeaked            the password is known from a breach, and the shields say to refuse it
        InvalidSignup             a sign-up that cannot be, without saying whether somebody is in the way
        SignupDisabled            the connection takes no public sign-ups
        OperationNotSupported     the object does not support what was asked
          LastOwner                 an installation keeps an owner who can sign in
        BodyTooLarge · MethodNotAllowed · UnsupportedMediaType · ForeignOrigin     refused before any handler
      Conflict                  somebody was first
        IdentifierTaken · NameTaken · RealmTaken · PasskeyTaken · ApiTaken · GrantTaken · CredentialTaken
        OlderMetadata             FIDO metadata that is older than what is stored, or of another service
        LastWayIn                 what is to be removed is all that the person could sign in with
      Missing                   there is no such thing
        NoSuchConnection · SwitchedOff · NoSuchUser · NoSuchClient · NoSuchPasskey · NoSuchRoute
        NoSuchApi · NoSuchClientGrant · NoSuchCredential · NoSuchAuthenticator
        NoSuchProvider · NoSuchTemplate · NoSuchJob · NoSuchKey · NoSuchSession · NoSuchRefreshToken · NoSuchDecision
        NoSuchLog · NoSuchLogStream
      Forbidden                 the client or the token may not
        BadClient                 the client failed to prove itself, or does not exist
        GrantNotAllowed · UnsupportedGrant · InvalidScope · AudienceNotAllowed · InsufficientScope
        ConsentMissing            the person did not allow the client what it asks for
        AnotherUser               the token is good for its owner's own account alone
        ConnectionNotAllowed      the connection does not exist for this client
      Unavailable               not their fault
        Busy                      the hashing queue is full
        DatabaseUnavailable       the database does not answer
        ScriptFailed              a script of the customer's failed: slow, broken, or stopped for a while
        PasswordUnchecked         the source of breached passwords does not answer
        DeliveryFailed            a mail server or SMS gateway did not take a message
        InternalError             a defect of ours; the detail is in the log

``text`` is what the person at the other end may read. ``detail`` is for the log alone. Statuses are not here:
each of the wire dialects in ``web/wire.py`` gives the same fact its own.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self


class DomainError(Exception):
    """The root of everything that Keystead refuses on purpose."""

    code: ClassVar[str] = "error"
    default_text: ClassVar[str] = "Something went wrong."

    def __init__(self, text: str | None = None, *, detail: str = "") -> None:
        self.text = text if text is not None else self.default_text
        self.detail = detail
        self.facts: Mapping[str, Any] = {}
        """What it was decided by, and about whom: plain values, for administrators who ask why."""
        super().__init__(self.text if not detail else f"{self.text} ({detail})")

    def because(self, **facts: Any) -> Self:
        """Add facts, and return the refusal."""
        self.facts = {**self.facts, **facts}
        return self


class Rejected(DomainError):
    """The person, or what they showed, is refused."""

    code = "rejected"
    default_text = "Access denied."


class WrongCredentials(Rejected):
    """The secret is wrong, or there is nobody by that identifier, or they have no such secret."""

    code = "wrong_credentials"
    default_text = "Wrong email or password."


class NotVerified(WrongCredentials):
    """The right secret, but the account cannot be used before its identifier is verified. Answered like a wrong one."""

    code = "not_verified"


class UserBlocked(Rejected):
    """The right secret, but an administrator blocked the account."""

    code = "user_blocked"
    default_text = "user is blocked"

    def __init__(self, user_id: str = "", *, detail: str = "") -> None:
        self.user_id = user_id
        """Whose it is: known here, and never said."""
        super().__init__(detail=detail)


class AccountGone(Rejected):
    """A code, session or refresh token of an account that was deleted since."""

    code = "account_gone"
    default_text = "The account no longer exists."


class TooManyAttempts(Rejected):
    """The attempt was not tried: it is beyond the limit. ``retry_after`` is in seconds."""

    code = "too_many_attempts"
    default_text = "Your account has been blocked after multiple consecutive login attempts."

    def __init__(self, retry_after: float, *, detail: str = "") -> None:
        self.retry_after = retry_after
        super().__init__(detail=detail)


class TooManyOfOne(TooManyAttempts):
    """One person from one address, too often in a minute, with whatever password (AP-1)."""

    code = "too_many_of_one"
    default_text = "Too many logins of this user. Wait a moment, and try again."


class TooManyProofs(TooManyAttempts):
    """Too many wrong secrets or assertions of one client from one address."""

    code = "too_many_proofs"
    default_text = "Too many failed attempts to prove this client. Wait a moment, and try again."


class AddressBlocked(TooManyAttempts):
    """Too many failed logins from one address, whoever was tried; or too many sign-ups (AP-9)."""

    code = "address_blocked"
    default_text = "Too many attempts from your network. Try again later."


class TooManyMessages(TooManyAttempts):
    """More codes or links were asked for than one person is sent."""

    code = "too_many_messages"
    default_text = "Too many messages were asked for. Wait a while, then try again."


class CeremonyExpired(Rejected):
    """The ceremony is unknown, was used before, belongs to somebody else, or is late."""

    code = "ceremony_expired"
    default_text = "Authentication session expired"


class UnknownCredential(Rejected):
    """A passkey that no account here owns. The browser is told to forget it: its id, in base64url, and its RP id."""

    code = "unknown_credential"
    default_text = "Passkey could not be verified."

    def __init__(self, credential_id: str, rp_id: str, *, detail: str = "") -> None:
        self.credential_id = credential_id
        self.rp_id = rp_id
        super().__init__(detail=detail)


class CeremonyRefused(Rejected):
    """The authenticator's answer fails a step of WebAuthn; ``detail`` names the step, for the log."""

    code = "ceremony_refused"
    default_text = "Passkey could not be verified."


class WrongSignature(CeremonyRefused):
    """The answer is not signed by the key of the passkey that it names."""

    code = "wrong_signature"


class PasskeyNotAllowed(CeremonyRefused):
    """The passkey is a good one, and not of the kind that the connection's policy allows; ``detail`` says why."""

    code = "passkey_not_allowed"
    default_text = "Passkeys of this kind are not allowed here."


class PasskeyLimitReached(Rejected):
    """The account holds as many passkeys as its policy allows."""

    code = "passkey_limit_reached"
    default_text = "You have reached the maximum number of passkeys."


class InvalidGrant(Rejected):
    """An authorization code, verifier or refresh token that is unknown, used, late or not this client's."""

    code = "invalid_grant"
    default_text = "Invalid authorization code"


class InvalidToken(Rejected):
    """A bearer token that is missing, malformed, expired, or meant for another audience."""

    code = "invalid_token"
    default_text = "Invalid token"


class NoToken(InvalidToken):
    """No bearer token at all: a request of nobody's."""

    code = "no_token"
    default_text = "Missing authentication"


class StepUpRequired(Rejected):
    """The login behind the token is too old for this change. ``max_age`` is in seconds."""

    code = "step_up_required"
    default_text = "Sign in again to make this change."

    def __init__(self, max_age: int, *, detail: str = "") -> None:
        self.max_age = max_age
        super().__init__(detail=detail)


class EnrolmentRequired(Rejected):
    """The account needs a passkey by now and has none that works; our login pages are where one is made."""

    code = "enrolment_required"
    default_text = "A passkey is required. Sign in on the login page to create one."


class TransactionExpired(Rejected):
    """The hosted login is unknown, finished, late, or was begun in another browser."""

    code = "transaction_expired"
    default_text = "This sign-in has expired. Go back to the application and try again."

    def __init__(self, text: str | None = None, *, again: str = "", detail: str = "") -> None:
        self.again = again
        """Where it can begin anew, where a client or the tenant said so."""
        super().__init__(text, detail=detail)


class InvalidTicket(Rejected):
    """A one-time link that is unknown, used or late."""

    code = "invalid_ticket"
    default_text = "This link is not valid any more."


class WrongCode(Rejected):
    """A one-time code that is wrong, used, late, or guessed at too often."""

    code = "wrong_code"
    default_text = "The code is wrong, or is no longer valid."


class ProofNeeded(Rejected):
    """A link that verifies was opened where nothing says that its reader made the account."""

    code = "proof_needed"
    default_text = "Show that this account is yours."


class RefusedByScript(Rejected):
    """An action script refused, on purpose and in its own words: ``UnauthorizedError`` or ``ValidationError`` (5.4)."""

    code = "refused_by_script"

    def __init__(self, text: str, *, reason: str = "", detail: str = "") -> None:
        self.reason = reason
        """The code of a ``ValidationError``; empty for an ``UnauthorizedError``."""
        super().__init__(text, detail=detail)


class TooManyRequests(DomainError):
    """Whatever was asked: one address, client or person asks too often. ``retry_after`` is in seconds.

    No decision about anybody: a flood of these is written down once a minute, and not each.
    """

    code = "too_many_requests"
    default_text = "Global limit has been reached"

    def __init__(self, retry_after: float, *, detail: str = "") -> None:
        self.retry_after = retry_after
        super().__init__(detail=detail)


class TooManyImports(TooManyRequests):
    """As many imports of users wait or are under way as there may be (IM-2)."""

    code = "too_many_imports"
    default_text = "There are 2 active import users jobs, please wait until some of them are finished and try again"


class Invalid(DomainError):
    """The request is refused, whoever sends it."""

    code = "invalid"
    default_text = "Invalid request."


class BadRequest(Invalid):
    """Not understood as it stands. ``path`` names the member at fault, where there is one; empty, the whole body."""

    code = "bad_request"

    def __init__(self, text: str | None = None, *, path: str | None = None, detail: str = "") -> None:
        self.path = path
        super().__init__(text, detail=detail)


class InvalidQuery(BadRequest):
    """A parameter of the query string is missing or has the wrong form."""

    code = "invalid_query"


class BeyondPaging(InvalidQuery):
    """A page further on than lists are read by number; the rest is read by ``from`` and ``take``."""

    code = "beyond_paging"
    default_text = "You can only page through the first 1000 records. Read on with from and take."


class InvalidPath(BadRequest):
    """A part of the path has the wrong form."""

    code = "invalid_path"


class InvalidOptions(Invalid):
    """Connection options that contradict each other or are not there yet. ``path`` is the member at fault."""

    code = "invalid_options"

    def __init__(self, path: str, text: str, *, detail: str = "") -> None:
        self.path = path
        super().__init__(text, detail=detail)


class InvalidMetadata(Invalid):
    """FIDO metadata that cannot be believed, or not be read."""

    code = "invalid_metadata"


class InvalidBackup(Invalid):
    """A backup that is damaged, or whose origin cannot be vouched for."""

    code = "invalid_backup"

    def __init__(self, why: str) -> None:
        super().__init__(f"The backup cannot be used: {why}.")


class InvalidArchive(Invalid):
    """An archive of users that is damaged, or signed by an installation that nobody named."""

    code = "invalid_archive"

    def __init__(self, why: str) -> None:
        super().__init__(f"The archive cannot be used: {why}.")


class WouldStrandUsers(Invalid):
    """More people would be left without a way to sign in than the request accepts. ``report`` has them counted."""

    code = "would_strand_users"

    def __init__(self, text: str, report: Mapping[str, Any]) -> None:
        self.report = report
        super().__init__(text)


class InvalidIdentifier(Invalid):
    """Not an identifier that this connection takes. ``attribute`` is email, phone_number or username."""

    code = "invalid_identifier"

    def __init__(self, attribute: str, text: str, *, detail: str = "") -> None:
        self.attribute = attribute
        super().__init__(text, detail=detail)


class WeakPassword(Invalid):
    """The password breaks the policy. ``report`` is the rule tree of auth0-behaviour 2.1, ``name`` its class there."""

    code = "invalid_password"
    default_text = "Password is too weak"

    def __init__(self, name: str, text: str, report: Mapping[str, Any] | None = None, summary: str = "") -> None:
        self.name = name
        self.report = report
        self.summary = summary
        super().__init__(text)


class PasswordLeaked(Invalid):
    """The password is known from a breach somewhere, and is refused for it (AP-10). At a login it was the right one."""

    code = "password_leaked"
    default_text = "This password was published in a data breach somewhere else. Choose a different one."


class InvalidSignup(Invalid):
    """The sign-up cannot be. Says nothing about whether somebody already has the identifier (SU-4)."""

    code = "invalid_signup"
    default_text = "Invalid sign up"


class SignupDisabled(Invalid):
    """The connection takes no public sign-ups (SU-2)."""

    code = "signup_disabled"
    default_text = "public signup is disabled"


class OperationNotSupported(Invalid):
    """The object exists and does not support what was asked of it."""

    code = "operation_not_supported"


class LastOwner(OperationNotSupported):
    """The last owner who can sign in is not to be deleted, blocked or given another role: nobody could make another."""

    code = "last_owner"
    default_text = "This is the last owner who can sign in. Make another owner first."


class BodyTooLarge(Invalid):
    """The body is longer than the route reads."""

    code = "body_too_large"
    default_text = "Payload content length greater than maximum allowed."

    @classmethod
    def import_beyond(cls, most: int) -> "BodyTooLarge":
        """Return the refusal of a file of users: how long it may be, and to administrators which setting says so."""
        text = f"Payload content length greater than maximum allowed: {most}."
        return cls(text, detail=f"KEYSTEAD_IMPORT_BYTES is {most}")


class MethodNotAllowed(Invalid):
    """The route exists, for other methods."""

    code = "method_not_allowed"
    default_text = "Method not allowed."


class UnsupportedMediaType(Invalid):
    """The body is neither JSON nor a form, where one of these is needed."""

    code = "unsupported_media_type"
    default_text = "Unsupported media type."


class ForeignOrigin(Invalid):
    """A form of ours, or what a client's page may send, that was sent from somebody else's page."""

    code = "foreign_origin"
    default_text = "This request did not come from our own page."


class Conflict(DomainError):
    """Somebody was first."""

    code = "conflict"
    default_text = "Already exists."


class IdentifierTaken(Conflict):
    """Another account of the connection has the identifier. ``attribute`` is email, phone_number or username."""

    code = "identifier_taken"
    default_text = "The user already exists."

    def __init__(self, attribute: str, text: str | None = None, *, detail: str = "") -> None:
        self.attribute = attribute
        super().__init__(text, detail=detail)


class NameTaken(Conflict):
    """Another connection, client or API has the name."""

    code = "name_taken"
    default_text = "A connection with the same name already exists"


class OlderMetadata(Conflict):
    """FIDO metadata that would take back what is known: an older edition, or another service's."""

    code = "older_metadata"


class ApiTaken(Conflict):
    """Another API has the identifier."""

    code = "api_taken"
    default_text = "A resource server with the same identifier already exists"


class GrantTaken(Conflict):
    """The client has a grant of that kind for the API already."""

    code = "grant_taken"

    def __init__(self, client_id: str, audience: str, *, detail: str = "") -> None:
        super().__init__(f"A client grant already exists between {client_id} and {audience}", detail=detail)


class CredentialTaken(Conflict):
    """The client has a credential by that ``kid`` already."""

    code = "credential_taken"
    default_text = "A credential with the same kid already exists"


class RealmTaken(Conflict):
    """Another connection has the realm."""

    code = "realm_taken"
    default_text = 'There is already another connection with some realms from "realms" parameter'


class PasskeyTaken(Conflict):
    """The credential id is registered already, here or with somebody else."""

    code = "passkey_taken"
    default_text = "Authentication method already exists."


class LastWayIn(Conflict):
    """The passkey or password that is to be removed is all that its owner could sign in with."""

    code = "last_way_in"
    default_text = "This is your only way to sign in. Add another passkey before you remove it."


class Missing(DomainError):
    """There is no such thing."""

    code = "missing"
    default_text = "Not Found"


class NoSuchConnection(Missing):
    """No connection by that id."""

    code = "no_such_connection"
    default_text = "The connection does not exist"


class SwitchedOff(Missing):
    """A connection that is there, and takes no logins."""

    code = "switched_off"
    default_text = "The connection is switched off"


class NoSuchUser(Missing):
    """No account by that id."""

    code = "no_such_user"
    default_text = "The user does not exist."


class NoSuchClient(Missing):
    """No client by that id."""

    code = "no_such_client"
    default_text = "The client does not exist"


class NoSuchApi(Missing):
    """No API by that id or identifier."""

    code = "no_such_api"
    default_text = "The resource server does not exist"


class NoSuchClientGrant(Missing):
    """No client grant by that id."""

    code = "no_such_client_grant"
    default_text = "The client grant does not exist"


class NoSuchCredential(Missing):
    """The client has no credential by that id."""

    code = "no_such_credential"
    default_text = "The credential does not exist"


class NoSuchPasskey(Missing):
    """The account has no such authentication method."""

    code = "no_such_passkey"
    default_text = "The authentication method could not be found."


class NoSuchProvider(Missing):
    """No mail provider is stored."""

    code = "no_such_provider"
    default_text = "There is no configured email provider."


class NoSuchTemplate(Missing):
    """Nobody wrote a template of that name; the built-in one is none."""

    code = "no_such_template"
    default_text = "The template does not exist."


class NoSuchJob(Missing):
    """No job by that id, or one that ended more than a day ago."""

    code = "no_such_job"
    default_text = "The job does not exist"


class NoSuchAuthenticator(Missing):
    """No model of authenticator that anything is known of."""

    code = "no_such_authenticator"
    default_text = "Nothing is known of this authenticator."


class NoSuchKey(Missing):
    """No signing key by that name, or one that was swept out."""

    code = "no_such_key"
    default_text = "The signing key does not exist."


class NoSuchSession(Missing):
    """No such session, or one that is over."""

    code = "no_such_session"
    default_text = "The session does not exist."


class NoSuchRefreshToken(Missing):
    """No such refresh token, or one that was replaced, ended or expired."""

    code = "no_such_refresh_token"
    default_text = "The refresh token does not exist."


class NoSuchLog(Missing):
    """No entry of the journal by that id: there never was one, or it is older than entries are kept."""

    code = "no_such_log"
    default_text = "Log not found."


class NoSuchDecision(Missing):
    """No refusal by that id, or one of more than thirty days ago."""

    code = "no_such_decision"
    default_text = "The decision does not exist."


class NoSuchRoute(Missing):
    """No route by that path."""

    code = "no_such_route"


class NoSuchLogStream(Missing):
    """There is no log stream by this id."""

    code = "no_such_log_stream"
    default_text = "The log stream does not exist."


class Forbidden(DomainError):
    """The client or the token may not do this."""

    code = "forbidden"
    default_text = "Forbidden"


class BadClient(Forbidden):
    """The client does not exist or failed to prove itself; never says which."""

    code = "bad_client"
    default_text = "Unauthorized"


class GrantNotAllowed(Forbidden):
    """The client does not list the grant, or the connection does not take it."""

    code = "grant_not_allowed"

    def __init__(self, grant: str, *, by: str = "client", detail: str = "") -> None:
        super().__init__(f"Grant type '{grant}' not allowed for the {by}.", detail=detail)


class UnsupportedGrant(Forbidden):
    """Nobody has that grant here."""

    code = "unsupported_grant"

    def __init__(self, grant: str, *, detail: str = "") -> None:
        super().__init__(f"Unsupported grant type: {grant}", detail=detail)


class InvalidScope(Forbidden):
    """A scope that was not granted before cannot be asked for now."""

    code = "invalid_scope"
    default_text = "The requested scope exceeds what was granted."


class AudienceNotAllowed(Forbidden):
    """No such API, or the client holds no grant for it."""

    code = "audience_not_allowed"
    default_text = "Service not found"


class ConsentMissing(Forbidden):
    """The person has not allowed the client what it asks for, or has taken it back."""

    code = "consent_required"
    default_text = "Consent required"


class InsufficientScope(Forbidden):
    """The token is good and its scope is not enough; ``needed`` lists what would do."""

    code = "insufficient_scope"

    def __init__(self, needed: tuple[str, ...], *, detail: str = "") -> None:
        self.needed = needed
        super().__init__(f"Insufficient scope, expected any of: {','.join(needed)}", detail=detail)


class AnotherUser(Forbidden):
    """The token opens its owner's account, and the request is about another one."""

    code = "another_user"
    default_text = "User to be acted on does not match subject in bearer token."


class ConnectionNotAllowed(Forbidden):
    """No such connection, or it is off, or the client may not use it; never says which."""

    code = "connection_not_allowed"
    default_text = "connection not found"


class Unavailable(DomainError):
    """Not the person's fault, and not for ever."""

    code = "unavailable"
    default_text = "The service is not available at the moment. Try again."


class Busy(Unavailable):
    """The hashing queue is full, or whose turn it is takes long. ``retry_after`` is in seconds."""

    code = "busy"
    default_text = "The service is busy. Try again in a moment."

    def __init__(self, retry_after: float = 1.0, *, detail: str = "") -> None:
        self.retry_after = retry_after
        super().__init__(detail=detail)


class DatabaseUnavailable(Unavailable):
    """The database does not answer."""

    code = "database_unavailable"


class ScriptFailed(Unavailable):
    """An action script did not answer as it should. ``script`` names it; why is for administrators alone."""

    code = "script_failed"
    default_text = "Sign-in is not available at the moment. Try again in a few minutes."

    def __init__(self, script: str, *, detail: str = "", console: Sequence[str] = ()) -> None:
        self.script = script
        self.console = console
        """What it printed until then."""
        super().__init__(detail=detail)
        self.facts = {"script": script}


class PasswordUnchecked(Unavailable):
    """Whether the password is known from a breach cannot be found out, and without that it is not taken."""

    code = "password_unchecked"
    default_text = "Passwords cannot be checked at the moment. Try again in a few minutes."


class DeliveryFailed(Unavailable):
    """A mail server or SMS gateway did not take a message. ``permanent`` where trying again cannot help."""

    code = "delivery_failed"
    default_text = "The message could not be delivered."

    def __init__(self, *, permanent: bool = False, detail: str = "") -> None:
        self.permanent = permanent
        super().__init__(detail=detail)


class InternalError(Unavailable):
    """A defect of ours: nobody refused anything. The log has the traceback."""

    code = "internal_error"
    default_text = "Something went wrong on our side."
