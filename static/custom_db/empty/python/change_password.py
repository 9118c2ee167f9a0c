"""Yours: somebody chose a new password."""


def change_password(email: str, new_password: str) -> bool:
    # Changed: return True. Not changed: return False.
    raise NotImplementedError("The script change_password has not been written yet.")
