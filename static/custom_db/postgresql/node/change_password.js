async function change_password(email, newPassword) {
  const bcrypt = require("bcrypt");

  const hash = await bcrypt.hash(newPassword, Number(configuration.BCRYPT_COST || 12));
  const { rowCount } = await database().query(
    `UPDATE users SET password_hash = $2 WHERE lower(email) = lower($1)`,
    [email, hash]
  );
  return rowCount > 0;

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
