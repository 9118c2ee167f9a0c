async function remove(id) {
  // id: the user_id that login and get_user gave. Deleted, or not there any more: return.
  throw new Error("The script delete has not been written yet.");
}
