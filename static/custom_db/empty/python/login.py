"""Yours: whose password is this?"""

from keystead_scripts import Profile


def login(identifier: str, password: str) -> Profile | None:
    # identifier: what was typed. password: what was typed.
    #
    # Right: return the profile, in which user_id is text that never changes and that no other user has:
    #   return {"user_id": "42", "email": "ann@example.com", "email_verified": True}
    # Wrong password of a user that there is (the id is for the journal, people are told nothing of it):
    #   raise WrongUsernameOrPasswordError("42", "The password is wrong.")
    # Nobody: raise WrongUsernameOrPasswordError(None, "There is no such user."), or return None.
    # Something that the person is to read: raise UnauthorizedError("Your contract has ended.")
    # The database cannot be reached: raise any other exception.
    return None
