async function create(user) {
  const bcrypt = require("bcrypt");

  // Whoever signs up with a passkey has no password.
  const hash = user.password ? await bcrypt.hash(user.password, Number(configuration.BCRYPT_COST || 12)) : null;
  try {
    // The unique key decides who was first: looking before inserting would let two through at once.
    await run(
      "INSERT INTO users (email, password_hash, email_verified) VALUES (?, ?, 0)",
      [user.email.toLowerCase(), hash]
    );
  } catch (error) {
    if (error.code === "ER_DUP_ENTRY") {
      throw new ValidationError("user_exists", "There is a user with this e-mail address already.");
    }
    throw error;
  }

  // Prepared by the server: no value ever becomes part of a statement.
  async function run(sql, values) {
    const [result] = await database().execute({ sql, values, timeout: 10000 });
    return result;
  }

  // One connection for all the scripts, for as long as their process is kept: it runs one of them at a time.
  function database() {
    if (!global.mysql) {
      const encrypted = configuration.DB_TLS !== "off";
      if (encrypted && require("node:net").isIP(configuration.DB_HOST)) {
        throw new Error("DB_HOST must be a name: the driver cannot tell whose certificate that of an address is.");
      }
      global.mysql = require("mysql2/promise").createPool({
        host: configuration.DB_HOST,
        port: Number(configuration.DB_PORT || 3306),
        database: configuration.DB_NAME,
        user: configuration.DB_USER,
        password: configuration.DB_PASSWORD,
        // The server must prove to be this very host, by DB_CA or by an authority that Node.js knows.
        ssl: encrypted
          ? { rejectUnauthorized: true, verifyIdentity: true, ca: configuration.DB_CA || undefined }
          : undefined,
        charset: "utf8mb4",
        supportBigNumbers: true,
        bigNumberStrings: true,
        connectionLimit: 1,
        connectTimeout: 5000,
        idleTimeout: 30000,
      });
    }
    return global.mysql;
  }
}
