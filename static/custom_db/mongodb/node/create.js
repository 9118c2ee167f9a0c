async function create(user) {
  const bcrypt = require("bcrypt");

  // Whoever signs up with a passkey has no password.
  const hash = user.password ? await bcrypt.hash(user.password, Number(configuration.BCRYPT_COST || 12)) : null;
  try {
    // The unique index decides who was first: looking before inserting would let two through at once.
    await users().insertOne({
      email: user.email.toLowerCase(),
      password_hash: hash,
      email_verified: false,
    });
  } catch (error) {
    if (error.code === 11000) {
      throw new ValidationError("user_exists", "There is a user with this e-mail address already.");
    }
    throw error;
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
