"""Yours: is there such a user?"""

from keystead_scripts import Context, Profile


def get_user(identifier: str, context: Context | None = None) -> Profile | None:
    # identifier: an e-mail address or another identifier; where context["identifierType"] is "user_id", an id.
    #
    # Somebody: return the same profile as login. Nobody: return None. Cannot say: raise an exception.
    return None
