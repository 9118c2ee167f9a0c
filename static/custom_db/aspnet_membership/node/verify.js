async function verify(email) {
  const sql = require("mssql");

  const user = await find(email);
  if (!user) {
    return false;
  }
  if (meansApproval()) {
    return true;
  }
  const { rowsAffected } = await run(
    "UPDATE dbo.aspnet_Membership SET IsApproved = 1 WHERE UserId = @id",
    { id: [sql.UniqueIdentifier, user.UserId] }
  );
  return rowsAffected[0] > 0;

  async function find(email) {
    const { recordset } = await run(
      `SELECT m.UserId, u.UserName, m.Email, m.Password, m.PasswordFormat, m.PasswordSalt, m.IsApproved, m.IsLockedOut
         FROM dbo.aspnet_Membership AS m
         JOIN dbo.aspnet_Users AS u ON u.UserId = m.UserId
         JOIN dbo.aspnet_Applications AS a ON a.ApplicationId = m.ApplicationId
        WHERE a.LoweredApplicationName = @application AND m.LoweredEmail = @email`,
      { application: [sql.NVarChar(256), application()], email: [sql.NVarChar(256), email.toLowerCase()] }
    );
    // Collations find more than was asked for, and the provider can be set to let two users share an address.
    const rows = recordset.filter((row) => (row.Email || "").toLowerCase() === email.toLowerCase());
    if (rows.length > 1) {
      throw new Error("Several users have this e-mail address.");
    }
    return rows[0];
  }

  function application() {
    return (configuration.APPLICATION_NAME || "/").toLowerCase();
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
