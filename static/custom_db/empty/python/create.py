"""Yours: somebody signs up."""

from keystead_scripts import NewUser


def create(user: NewUser) -> None:
    # user: email, password, username, phone_number, user_metadata, app_metadata, client_id, connection.
    # Whoever signs up with a passkey has no password.
    #
    # Made: return. There is one already: raise ValidationError("user_exists", "There is such a user already.")
    # Refused for a reason that the person is to read: raise ValidationError("a_code", "The reason.")
    raise NotImplementedError("The script create has not been written yet.")
