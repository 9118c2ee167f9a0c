async function change_email(email, newEmail, verified) {
  const sql = require("mssql");

  const user = await find(email);
  if (!user) {
    return false;
  }
  // In one transaction, behind a lock on the name: nobody can take it in between.
  const { recordset } = await run(
    `SET NOCOUNT ON; SET XACT_ABORT ON;
     BEGIN TRANSACTION;
     DECLARE @done int = 0;
     IF NOT EXISTS (SELECT 1 FROM dbo.UserProfile WITH (UPDLOCK, HOLDLOCK) WHERE UserName = @email AND UserId <> @id)
     BEGIN
       UPDATE dbo.UserProfile SET UserName = @email WHERE UserId = @id;
       IF @kept = 0 UPDATE dbo.webpages_Membership SET IsConfirmed = @verified WHERE UserId = @id;
       SET @done = 1;
     END;
     COMMIT;
     SELECT @done AS done;`,
    {
      email: [sql.NVarChar(254), newEmail],
      verified: [sql.Bit, Boolean(verified)],
      kept: [sql.Bit, meansApproval()],
      id: [sql.Int, user.UserId],
    }
  );
  if (!recordset[0].done) {
    throw new ValidationError("user_exists", "There is a user with this e-mail address already.");
  }
  return true;

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
