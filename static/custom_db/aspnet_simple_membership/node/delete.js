async function remove(id) {
  const sql = require("mssql");

  if (!/^[0-9]{1,9}$/.test(id)) {
    return; // no user of these tables has such an id
  }
  await run(
    `SET XACT_ABORT ON;
     BEGIN TRANSACTION;
     DELETE FROM dbo.webpages_UsersInRoles WHERE UserId = @id;
     DELETE FROM dbo.webpages_OAuthMembership WHERE UserId = @id;
     DELETE FROM dbo.webpages_Membership WHERE UserId = @id;
     DELETE FROM dbo.UserProfile WHERE UserId = @id;
     COMMIT;`,
    { id: [sql.Int, Number(id)] }
  );

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
