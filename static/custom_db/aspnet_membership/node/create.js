async function create(user) {
  const crypto = require("node:crypto");
  const sql = require("mssql");

  // The column takes no NULL: whoever signs up with a passkey has a password that nobody knows.
  const chosen = user.password || crypto.randomBytes(32).toString("base64");
  const salt = crypto.randomBytes(16).toString("base64");
  // In one transaction, behind a lock on the name: two sign-ups at once make one user.
  const { recordset } = await run(
    `SET NOCOUNT ON; SET XACT_ABORT ON;
     BEGIN TRANSACTION;
     DECLARE @application uniqueidentifier =
       (SELECT ApplicationId FROM dbo.aspnet_Applications WHERE LoweredApplicationName = @name);
     DECLARE @id uniqueidentifier = NEWID(), @now datetime = GETUTCDATE(), @done int = 0;
     IF @application IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM dbo.aspnet_Users WITH (UPDLOCK, HOLDLOCK)
                         WHERE ApplicationId = @application AND LoweredUserName = LOWER(@email))
        AND NOT EXISTS (SELECT 1 FROM dbo.aspnet_Membership WITH (UPDLOCK, HOLDLOCK)
                         WHERE ApplicationId = @application AND LoweredEmail = LOWER(@email))
     BEGIN
       INSERT INTO dbo.aspnet_Users
         (ApplicationId, UserId, UserName, LoweredUserName, MobileAlias, IsAnonymous, LastActivityDate)
         VALUES (@application, @id, @email, LOWER(@email), NULL, 0, @now);
       INSERT INTO dbo.aspnet_Membership
         (ApplicationId, UserId, Password, PasswordFormat, PasswordSalt, Email, LoweredEmail, IsApproved, IsLockedOut,
          CreateDate, LastLoginDate, LastPasswordChangedDate, LastLockoutDate, FailedPasswordAttemptCount,
          FailedPasswordAttemptWindowStart, FailedPasswordAnswerAttemptCount, FailedPasswordAnswerAttemptWindowStart)
         VALUES (@application, @id, @password, 1, @salt, @email, LOWER(@email), @approved, 0,
                 @now, @now, @now, '17540101', 0, '17540101', 0, '17540101');
       SET @done = 1;
     END;
     COMMIT;
     SELECT @done AS done, CASE WHEN @application IS NULL THEN 1 ELSE 0 END AS nowhere;`,
    {
      name: [sql.NVarChar(256), (configuration.APPLICATION_NAME || "/").toLowerCase()],
      email: [sql.NVarChar(256), user.email],
      password: [sql.NVarChar(128), hashed(chosen, salt)],
      salt: [sql.NVarChar(128), salt],
      approved: [sql.Bit, meansApproval()],
    }
  );
  if (recordset[0].nowhere) {
    throw new Error("There is no application of the name in APPLICATION_NAME.");
  }
  if (!recordset[0].done) {
    throw new ValidationError("user_exists", "There is a user with this e-mail address already.");
  }

  // The provider's "Hashed" format: SHA-1 over the salt and the password in UTF-16, both ends in base64.
  function hashed(password, salt) {
    return crypto
      .createHash("sha1")
      .update(Buffer.concat([Buffer.from(salt, "base64"), Buffer.from(password, "utf16le")]))
      .digest("base64");
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
