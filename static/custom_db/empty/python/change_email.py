"""Yours: a user gets another e-mail address."""


def change_email(email: str, new_email: str, verified: bool) -> bool:
    # verified: whether the new address is proved. Changed: return True. Not changed: return False.
    raise NotImplementedError("The script change_email has not been written yet.")
