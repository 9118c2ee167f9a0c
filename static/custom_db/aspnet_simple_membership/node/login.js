async function login(identifier, password) {
  const crypto = require("node:crypto");
  const { promisify } = require("node:util");
  const sql = require("mssql");

  const user = await find(identifier);
  const stored = Buffer.from(user ? user.Password : "", "base64");
  const readable = stored.length === 49 && stored[0] === 0;
  if (user && !readable) {
    throw new Error("This user's password is not in the format of SimpleMembership.");
  }
  // Nobody costs as much as somebody, so that time tells no stranger who has an account.
  const known = readable ? stored : Buffer.alloc(49);
  const right = crypto.timingSafeEqual(known.subarray(17), await derived(password, known.subarray(1, 17)));
  if (!user) {
    throw new WrongUsernameOrPasswordError(null, "There is no user with this e-mail address.");
  }
  if (!right) {
    throw new WrongUsernameOrPasswordError(String(user.UserId), "The password is wrong.");
  }
  if (meansApproval() && !user.IsConfirmed) {
    throw new UnauthorizedError("This account is not approved."); // told to nobody but whoever knows the password
  }
  return profileOf(user);

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

  function profileOf(user) {
    return {
      user_id: String(user.UserId),
      email: user.UserName,
      email_verified: meansApproval() ? undefined : Boolean(user.IsConfirmed),
    };
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
