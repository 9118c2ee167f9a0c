async function verify(email) {
  // Somebody has proved that the address is theirs. Noted: return true. There is no such user: return false.
  throw new Error("The script verify has not been written yet.");
}
