async function create(user) {
  const crypto = require("node:crypto");
  const { promisify } = require("node:util");
  const sql = require("mssql");

  // The column takes no NULL: whoever signs up with a passkey has a password that nobody knows.
  const chosen = user.password || crypto.randomBytes(32).toString("base64");
  // In one transaction, behind a lock on the name: two sign-ups at once make one user.
  const { recordset } = await run(
    `SET NOCOUNT ON; SET XACT_ABORT ON;
     BEGIN TRANSACTION;
     DECLARE @done int = 0;
     IF NOT EXISTS (SELECT 1 FROM dbo.UserProfile WITH (UPDLOCK, HOLDLOCK) WHERE UserName = @email)
     BEGIN
       INSERT INTO dbo.UserProfile (UserName) VALUES (@email);
       INSERT INTO dbo.webpages_Membership
         (UserId, CreateDate, IsConfirmed, PasswordFailuresSinceLastSuccess,
          Password, PasswordChangedDate, PasswordSalt)
         VALUES (CAST(SCOPE_IDENTITY() AS int), GETUTCDATE(), @approved, 0, @password, GETUTCDATE(), '');
       SET @done = 1;
     END;
     COMMIT;
     SELECT @done AS done;`,
    {
      email: [sql.NVarChar(254), user.email],
      password: [sql.NVarChar(128), await hashed(chosen)],
      approved: [sql.Bit, meansApproval()],
    }
  );
  if (!recordset[0].done) {
    throw new ValidationError("user_exists", "There is a user with this e-mail address already.");
  }

  // In base64: a zero, 16 bytes of salt, 32 bytes that are derived.
  async function hashed(password) {
    const salt = crypto.randomBytes(16);
    return Buffer.concat([Buffer.alloc(1), salt, await derived(password, salt)]).toString("base64");
  }

  // PBKDF2 with HMAC-SHA-1, 1000 rounds: what the membership of these tables reads.
  function derived(password, salt) {
    return promisify(crypto.pbkdf2)(password, salt, 1000, 32, "sha1");
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
