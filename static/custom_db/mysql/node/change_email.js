async function change_email(email, newEmail, verified) {
  const user = await find(email);
  if (!user) {
    return false;
  }
  try {
    const { affectedRows } = await run(
      "UPDATE users SET email = ?, email_verified = ? WHERE id = ?",
      [newEmail.toLowerCase(), verified ? 1 : 0, user.id]
    );
    return affectedRows > 0;
  } catch (error) {
    if (error.code === "ER_DUP_ENTRY") {
      throw new ValidationError("user_exists", "There is a user with this e-mail address already.");
    }
    throw error;
  }

  async function find(email) {
    const rows = await run("SELECT id, email FROM users WHERE email = ?", [email.toLowerCase()]);
    // Collations find more than was asked for: other accents, other widths, blanks at the end.
    return rows.find((row) => row.email.toLowerCase() === email.toLowerCase());
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
