async function change_email(email, newEmail, verified) {
  // verified: whether the new address is proved. Changed: return true. Not changed: return false.
  throw new Error("The script change_email has not been written yet.");
}
