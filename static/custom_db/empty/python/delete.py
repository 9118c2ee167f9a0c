"""Yours: a user is deleted."""


def delete(id: str) -> None:
    # id: the user_id that login and get_user gave. Deleted, or not there any more: return.
    raise NotImplementedError("The script delete has not been written yet.")
