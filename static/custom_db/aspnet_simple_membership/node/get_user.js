async function get_user(identifier, context = {}) {
  const sql = require("mssql");

  // Where the connection has script contexts on, its context says when the identifier is the id of a user.
  const byId = context.identifierType === "user_id";
  const user = byId ? await findById(identifier) : await find(identifier);
  if (byId && meansApproval() && user && !user.IsConfirmed) {
    return null; // asked for at a login with a passkey, which runs no other script
  }
  return user ? profileOf(user) : null;

  async function find(email) {
    const { recordset } = await run(
      `SELECT p.UserId, p.UserName, m.Password, m.IsConfirmed
         FROM dbo.UserProfile AS p JOIN dbo.webpages_Membership AS m ON m.UserId = p.UserId
        WHERE p.UserName = @email`,
      { email: [sql.NVarChar(254), email] }
    );
    // Collations find more than was asked for: other accents, other widths, blanks at the end.
    return recordset.find((row) => row.UserName.toLowerCase() === email.toLowerCase());
  }

  async function findById(id) {
    if (!/^[0-9]{1,9}$/.test(id)) {
      return undefined;
    }
    const { recordset } = await run(
      `SELECT p.UserId, p.UserName, m.Password, m.IsConfirmed
         FROM dbo.UserProfile AS p JOIN dbo.webpages_Membership AS m ON m.UserId = p.UserId
        WHERE p.UserId = @id`,
      { id: [sql.Int, Number(id)] }
    );
    return recordset[0];
  }

  function profileOf(user) {
    return {
      user_id: String(user.UserId),
      email: user.UserName,
      email_verified: meansApproval() ? undefined : Boolean(user.IsConfirmed),
    };
  }

  // Then the flag says who may come in, and nothing of addresses: scripts read it and never change it.
  function meansApproval() {
    return configuration.UNAPPROVED === "refuse";
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

  function opened() {
    const pool = new sql.ConnectionPool({
      server: configuration.DB_HOST,
      port: Number(configuration.DB_PORT || 1433),
      database: configuration.DB_NAME,
      user: configuration.DB_USER,
      password: configuration.DB_PASSWORD,
      options: {
        // The server must prove to be this very host, by DB_CA or by an authority that Node.js knows.
        encrypt: configuration.DB_TLS !== "off",
        trustServerCertificate: false,
        cryptoCredentialsDetails: configuration.DB_CA ? { ca: configuration.DB_CA } : {},
      },
      pool: { max: 1, idleTimeoutMillis: 30000 },
      connectionTimeout: 5000,
      requestTimeout: 10000,
    });
    pool.on("error", () => {}); // an idle connection is gone: the next call opens another
    return pool.connect();
  }
}
