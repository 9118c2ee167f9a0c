async function login(identifier, password) {
  // identifier: what was typed. password: what was typed.
  //
  // Right: return the profile, in which user_id is text that never changes and that no other user has:
  //   return { user_id: "42", email: "ann@example.com", email_verified: true };
  // Wrong password of a user that there is (the id is for the journal, people are told nothing of it):
  //   throw new WrongUsernameOrPasswordError("42", "The password is wrong.");
  // Nobody: throw new WrongUsernameOrPasswordError(null, "There is no such user."), or return null.
  // Something that the person is to read: throw new UnauthorizedError("Your contract has ended.");
  // The database cannot be reached: throw any other Error.
  return null;
}
