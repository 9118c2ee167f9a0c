async function create(user) {
  const bcrypt = require("bcrypt");

  // Whoever signs up with a passkey has no password.
  const hash = user.password ? await bcrypt.hash(user.password, Number(configuration.BCRYPT_COST || 12)) : null;
  try {
    // The unique index decides who was first: looking before inserting would let two through at once.
    await database().query(
      `INSERT INTO users (email, password_hash, email_verified) VALUES (lower($1), $2, false)`,
      [user.email, hash]
    );
  } catch (error) {
    if (error.code === "23505") {
      throw new ValidationError("user_exists", "There is a user with this e-mail address already.");
    }
    throw error;
  }

  // One connection for all the scripts, for as long as their process is kept: it runs one of them at a time.
  function database() {
    if (!global.postgresql) {
      const { Pool } = require("pg");
      global.postgresql = new Pool({
        host: configuration.DB_HOST,
        port: Number(configuration.DB_PORT || 5432),
        database: configuration.DB_NAME,
        user: configuration.DB_USER,
        password: configuration.DB_PASSWORD,
        // The server must prove to be this very host, by DB_CA or by an authority that Node.js knows.
        ssl: configuration.DB_TLS !== "off" && { rejectUnauthorized: true, ca: configuration.DB_CA || undefined },
        max: 1,
        connectionTimeoutMillis: 5000,
        query_timeout: 10000,
        idleTimeoutMillis: 30000,
      });
      // The server has closed an idle connection: the next call opens another.
      global.postgresql.on("error", () => {});
    }
    return global.postgresql;
  }
}
