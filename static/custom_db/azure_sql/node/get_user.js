async function get_user(identifier, context = {}) {
  const sql = require("mssql");

  // Where the connection has script contexts on, its context says when the identifier is the id of a user.
  const byId = context.identifierType === "user_id";
  const user = byId ? await findById(identifier) : await find(identifier);
  return user ? profileOf(user) : null;

  async function find(email) {
    const { recordset } = await run(
      "SELECT id, email, email_verified, nickname, password_hash FROM dbo.users WHERE email = @email",
      { email: [sql.NVarChar(254), email.toLowerCase()] }
    );
    // Collations find more than was asked for: other accents, other widths, blanks at the end.
    return recordset.find((row) => row.email.toLowerCase() === email.toLowerCase());
  }

  async function findById(id) {
    if (!/^[0-9]{1,18}$/.test(id)) {
      return undefined;
    }
    const { recordset } = await run(
      "SELECT id, email, email_verified, nickname, password_hash FROM dbo.users WHERE id = @id",
      { id: [sql.BigInt, id] }
    );
    return recordset[0];
  }

  function profileOf(user) {
    return {
      user_id: String(user.id),
      email: user.email,
      email_verified: Boolean(user.email_verified),
      nickname: user.nickname || undefined,
    };
  }

  // Values travel beside the statement, each with its type, and never become part of it.
  async function run(statement, values) {
    const request = (await database()).request();
    for (const [name, [type, value]] of Object.entries(values)) {
      request.input(name, type, value);
    }
    return request.query(statement);
  }

  // One connection for all the scripts, for as long as their process is kept: it runs one of them at a time.
  async function database() {
    if (!global.sqlserver || !global.sqlserver.connected) {
      global.sqlserver = await opened();
    }
    return global.sqlserver;
  }

  // A database that sleeps or is being moved answers after a moment, so it is tried thrice.
  async function opened() {
    for (const pause of [1000, 2000]) {
      try {
        return await connected();
      } catch {
        await new Promise((resolve) => setTimeout(resolve, pause));
      }
    }
    return connected();
  }

  function connected() {
    const pool = new sql.ConnectionPool({
      server: configuration.DB_HOST,
      port: Number(configuration.DB_PORT || 1433),
      database: configuration.DB_NAME,
      user: configuration.DB_USER,
      password: configuration.DB_PASSWORD,
      options: {
        // The servers of Azure take nothing else, and prove who they are by an authority that Node.js knows.
        encrypt: true,
        trustServerCertificate: false,
      },
      pool: { max: 1, idleTimeoutMillis: 30000 },
      connectionTimeout: 4000,
      requestTimeout: 10000,
    });
    pool.on("error", () => {}); // an idle connection is gone: the next call opens another
    return pool.connect();
  }
}
