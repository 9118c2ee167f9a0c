async function create(user) {
  // user: email, password, username, phone_number, user_metadata, app_metadata, client_id, connection.
  // Whoever signs up with a passkey has no password.
  //
  // Made: return. There is one already: throw new ValidationError("user_exists", "There is such a user already.");
  // Refused for a reason that the person is to read: throw new ValidationError("a_code", "The reason.");
  throw new Error("The script create has not been written yet.");
}
