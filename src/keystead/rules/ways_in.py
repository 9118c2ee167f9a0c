"""What somebody can sign in with, and what they must not lose by mistake.

A message to a verified address is a way back and not a way in: it depends on a mailbox that nobody here can vouch for,
and ends everything else that the account has. So the last passkey stays although its owner could recover.
"""

from collections.abc import Iterable

from keystead.rules.passkey_policy import Context, Credential, evaluate
from keystead.rules.passkey_terms import PasskeyPolicy


def opens(policy: PasskeyPolicy, credential: Credential, rp_ids: tuple[str, ...]) -> bool:
    """Whether a stored passkey would be let in, if its next login is like its last."""
    return not evaluate(policy, credential, Context(registers=False, rp_ids=rp_ids)).refused


def is_last(policy: PasskeyPolicy, others: Iterable[Credential], rp_ids: tuple[str, ...], *, password: bool) -> bool:
    """Whether a passkey is all that its owner has, given their ``others``; ``password`` is one that logs in.

    A passkey that the policy turns away, or that is in quarantine, is no other way in.
    """
    return not password and not any(opens(policy, each, rp_ids) for each in others)
