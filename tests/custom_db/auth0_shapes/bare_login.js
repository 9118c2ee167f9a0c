function login(email, password, callback) {
  // What everybody begins with.
  const message = 'Write the login script before it is used.';
  return callback(new Error(message));
}
