async function remove(id) {
  const { ObjectId } = require("mongodb");

  if (!/^[0-9a-f]{24}$/i.test(id)) {
    return; // no document of this collection has such an id
  }
  await users().deleteOne({ _id: { $eq: new ObjectId(id) } });

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
