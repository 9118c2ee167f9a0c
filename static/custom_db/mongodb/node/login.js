async function login(identifier, password) {
  const bcrypt = require("bcrypt");

  const user = await find(identifier);
  // Nobody costs as much as somebody, so that time tells no stranger who has an account.
  const right = await bcrypt.compare(password, readable((user && user.password_hash) || decoy()));
  if (!user) {
    throw new WrongUsernameOrPasswordError(null, "There is no user with this e-mail address.");
  }
  if (!user.password_hash || !right) {
    throw new WrongUsernameOrPasswordError(String(user._id), "The password is wrong.");
  }
  return profileOf(user);

  // As text, and compared by $eq: nothing that a stranger sends can be an operator.
  function find(email) {
    return users().findOne({ email: { $eq: String(email).toLowerCase() } });
  }

  function profileOf(user) {
    return {
      user_id: String(user._id),
      email: user.email,
      email_verified: Boolean(user.email_verified),
      nickname: user.nickname || undefined,
    };
  }

  // A well-formed hash that no known password has, as dear as those of the table.
  function decoy() {
    const cost = String(configuration.BCRYPT_COST || 12).padStart(2, "0");
    return `$2b$${cost}$izzD06NfQ.MnRcyigeQyfuD8wYr.RdfdB4RUGKCE5Xtb9GNdE7H6W`;
  }

  // PHP writes $2y$ for what everybody else calls $2b$.
  function readable(hash) {
    return hash.replace(/^\$2y\$/, "$2b$");
  }

  // One client for all the scripts, for as long as their process is kept: it runs one of them at a time.
  function users() {
    if (!global.mongodb) {
      const { MongoClient } = require("mongodb");
      global.mongodb = new MongoClient(configuration.DB_URI, {
        // The server must prove to be the host that the address names, by DB_CA or by an authority that Node.js knows.
        tls: configuration.DB_TLS !== "off",
        ca: configuration.DB_CA || undefined,
        maxPoolSize: 1,
        serverSelectionTimeoutMS: 5000,
        socketTimeoutMS: 10000,
        maxIdleTimeMS: 30000,
      });
    }
    return global.mongodb.db(configuration.DB_NAME).collection(configuration.DB_COLLECTION || "users");
  }
}
