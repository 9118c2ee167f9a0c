async function verify(email) {
  // Documents that matched, changed or not: whoever opens the link twice is still verified.
  const { matchedCount } = await users().updateOne(
    { email: { $eq: String(email).toLowerCase() } },
    { $set: { email_verified: true } }
  );
  return matchedCount > 0;

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
