async function change_password(email, newPassword) {
  // Changed: return true. Not changed: return false.
  throw new Error("The script change_password has not been written yet.");
}
