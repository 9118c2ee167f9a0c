"""Whoever has an account is told when a passkey was added to it, removed or taken out of use, by whichever door.

OWASP ASVS 5.0, 6.3.7.
"""

from dataclasses import dataclass
from typing import Final, Literal

from sqlmodel import Session

from keystead.db.passkeys import PasskeyRecord
from keystead.flows.post import Post
from keystead.rules.authenticator_names import name_of
from keystead.rules.devices import known_device
from keystead.rules.events import Caller
from keystead.rules.messages import Message
from keystead.rules.passkey_names import shown_name
from keystead.rules.profiles import Profile

PAGE: Final = "/u/account/passkeys"
"""Where its owner sees what there is, and takes away what is not theirs."""


@dataclass(frozen=True)
class PasskeyNotices:
    """A mail in the transaction of what it is about; whoever has no address is not told."""

    post: Post

    def send(
        self,
        session: Session,
        happened: Literal["passkey_added", "passkey_removed", "passkey_quarantined"],
        owner: Profile,
        passkey: PasskeyRecord,
        caller: Caller,
    ) -> None:
        """Ask for the notice to be sent, as a part of a unit of work. The address need not be verified to be warned."""
        if not owner.email:
            return
        notice = Message(
            channel="email",
            template="security_notice",
            to=owner.email,
            language=caller.language,
            variables={
                "happened": happened,
                "passkey": shown_name(passkey.name, name_of(passkey.aaguid), passkey.transports, passkey.user_agent),
                "device": known_device(caller.user_agent),
                "url": self.post.public_url + PAGE,
            },
            user_id=owner.user_id,
            connection_id=owner.connection_id,
        )
        self.post.send(session, notice)
