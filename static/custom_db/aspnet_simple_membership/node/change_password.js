async function change_password(email, newPassword) {
  const crypto = require("node:crypto");
  const { promisify } = require("node:util");
  const sql = require("mssql");

  const user = await find(email);
  if (!user) {
    return false;
  }
  // With the password go the provider's own links to set one, and its count of failures.
  const { rowsAffected } = await run(
    `UPDATE dbo.webpages_Membership
        SET Password = @password, PasswordSalt = '', PasswordChangedDate = GETUTCDATE(),
            PasswordFailuresSinceLastSuccess = 0,
            PasswordVerificationToken = NULL, PasswordVerificationTokenExpirationDate = NULL
      WHERE UserId = @id`,
    { password: [sql.NVarChar(128), await hashed(newPassword)], id: [sql.Int, user.UserId] }
  );
  return rowsAffected[0] > 0;

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

  // In base64: a zero, 16 bytes of salt, 32 bytes that are derived.
  async function hashed(password) {
    const salt = crypto.randomBytes(16);
    return Buffer.concat([Buffer.alloc(1), salt, await derived(password, salt)]).toString("base64");
  }

  // PBKDF2 with HMAC-SHA-1, 1000 rounds: what the membership of these tables reads.
  function derived(password, salt) {
    return promisify(crypto.pbkdf2)(password, salt, 1000, 32, "sha1");
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
