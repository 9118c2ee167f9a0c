async function get_user(identifier, context = {}) {
  // Where the connection has script contexts on, its context says when the identifier is the id of a user.
  const byId = context.identifierType === "user_id";
  const user = byId ? await findById(identifier) : await find(identifier);
  return user ? profileOf(user) : null;

  async function find(email) {
    const { rows } = await database().query(
      `SELECT id, email, email_verified, nickname, password_hash FROM users WHERE lower(email) = lower($1)`,
      [email]
    );
    return rows[0];
  }

  async function findById(id) {
    if (!/^[0-9]{1,18}$/.test(id)) {
      return undefined;
    }
    const { rows } = await database().query(
      `SELECT id, email, email_verified, nickname, password_hash FROM users WHERE id = $1`,
      [id]
    );
    return rows[0];
  }

  function profileOf(user) {
    return {
      user_id: String(user.id),
      email: user.email,
      email_verified: Boolean(user.email_verified),
      nickname: user.nickname || undefined,
    };
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
