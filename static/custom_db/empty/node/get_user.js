async function get_user(identifier, context = {}) {
  // identifier: an e-mail address or another identifier; the id of a user where context.identifierType is "user_id".
  //
  // Somebody: return the same profile as login. Nobody: return null. Cannot say: throw an Error.
  return null;
}
