async function get_user(identifier, context = {}) {
  // Where the connection has script contexts on, its context says when the identifier is the id of a user.
  const byId = context.identifierType === "user_id";
  const user = byId ? await findById(identifier) : await find(identifier);
  return user ? profileOf(user) : null;

  // As text, and compared by $eq: nothing that a stranger sends can be an operator.
  function find(email) {
    return users().findOne({ email: { $eq: String(email).toLowerCase() } });
  }

  async function findById(id) {
    const { ObjectId } = require("mongodb");
    return /^[0-9a-f]{24}$/i.test(id) ? users().findOne({ _id: { $eq: new ObjectId(id) } }) : null;
  }

  function profileOf(user) {
    return {
      user_id: String(user._id),
      email: user.email,
      email_verified: Boolean(user.email_verified),
      nickname: user.nickname || undefined,
    };
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
