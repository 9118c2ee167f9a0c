"""Yours: somebody has proved that an e-mail address is theirs."""


def verify(email: str) -> bool:
    # Somebody has proved that the address is theirs. Noted: return True. There is no such user: return False.
    raise NotImplementedError("The script verify has not been written yet.")
