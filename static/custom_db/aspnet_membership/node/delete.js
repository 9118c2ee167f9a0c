async function remove(id) {
  const sql = require("mssql");

  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(id)) {
    return; // no user of these tables has such an id
  }
  const named = await run(
    `SELECT u.UserName, a.ApplicationName
       FROM dbo.aspnet_Users AS u
       JOIN dbo.aspnet_Applications AS a ON a.ApplicationId = u.ApplicationId
      WHERE u.UserId = @id AND a.LoweredApplicationName = @application`,
    {
      id: [sql.UniqueIdentifier, id],
      application: [sql.NVarChar(256), (configuration.APPLICATION_NAME || "/").toLowerCase()],
    }
  );
  if (named.recordset.length === 0) {
    return;
  }
  // The provider's own procedure: it knows which of its tables there are. 15: from all of them.
  await run(
    `DECLARE @tables int;
     EXEC dbo.aspnet_Users_DeleteUser @ApplicationName = @application, @UserName = @user,
          @TablesToDeleteFrom = 15, @NumTablesDeletedFrom = @tables OUTPUT;`,
    {
      application: [sql.NVarChar(256), named.recordset[0].ApplicationName],
      user: [sql.NVarChar(256), named.recordset[0].UserName],
    }
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
