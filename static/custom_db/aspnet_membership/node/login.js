async function login(identifier, password) {
  const crypto = require("node:crypto");
  const sql = require("mssql");

  const user = await find(identifier);
  if (user && user.PasswordFormat !== 1) {
    throw new Error("This user's password is not in the Hashed format.");
  }
  // Nobody costs as much as somebody, so that time tells no stranger who has an account.
  const stored = user ? user.Password : hashed("", "AAAAAAAAAAAAAAAAAAAAAA==");
  const right = equal(stored, hashed(password, user ? user.PasswordSalt : "AAAAAAAAAAAAAAAAAAAAAA=="));
  if (!user) {
    throw new WrongUsernameOrPasswordError(null, "There is no user with this e-mail address.");
  }
  if (!right) {
    throw new WrongUsernameOrPasswordError(user.UserId.toLowerCase(), "The password is wrong.");
  }
  if (user.IsLockedOut) {
    throw new UnauthorizedError("This account is locked."); // told to nobody but whoever knows the password
  }
  if (meansApproval() && !user.IsApproved) {
    throw new UnauthorizedError("This account is not approved."); // told to nobody but whoever knows the password
  }
  return profileOf(user);

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

  function profileOf(user) {
    return {
      user_id: user.UserId.toLowerCase(),
      email: user.Email,
      email_verified: meansApproval() ? undefined : Boolean(user.IsApproved),
      nickname: user.UserName || undefined,
    };
  }

  // The provider's "Hashed" format: SHA-1 over the salt and the password in UTF-16, both ends in base64.
  function hashed(password, salt) {
    return crypto
      .createHash("sha1")
      .update(Buffer.concat([Buffer.from(salt, "base64"), Buffer.from(password, "utf16le")]))
      .digest("base64");
  }

  function equal(one, other) {
    const [a, b] = [Buffer.from(one, "base64"), Buffer.from(other, "base64")];
    return a.length === b.length && crypto.timingSafeEqual(a, b);
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
