async function change_email(email, newEmail, verified) {
  const sql = require("mssql");

  const user = await find(email);
  if (!user) {
    return false;
  }
  try {
    const { rowsAffected } = await run(
      "UPDATE dbo.users SET email = @email, email_verified = @verified WHERE id = @id",
      {
        email: [sql.NVarChar(254), newEmail.toLowerCase()],
        verified: [sql.Bit, Boolean(verified)],
        id: [sql.BigInt, user.id],
      }
    );
    return rowsAffected[0] > 0;
  } catch (error) {
    if (error.number === 2601 || error.number === 2627) {
      throw new ValidationError("user_exists", "There is a user with this e-mail address already.");
    }
    throw error;
  }

  async function find(email) {
    const { recordset } = await run(
      "SELECT id, email FROM dbo.users WHERE email = @email",
      { email: [sql.NVarChar(254), email.toLowerCase()] }
    );
    // Collations find more than was asked for: other accents, other widths, blanks at the end.
    return recordset.find((row) => row.email.toLowerCase() === email.toLowerCase());
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
