async function create(user) {
  const bcrypt = require("bcrypt");
  const sql = require("mssql");

  // Whoever signs up with a passkey has no password.
  const hash = user.password ? await bcrypt.hash(user.password, Number(configuration.BCRYPT_COST || 12)) : null;
  try {
    // The unique index decides who was first: looking before inserting would let two through at once.
    await run(
      "INSERT INTO dbo.users (email, password_hash, email_verified) VALUES (@email, @hash, 0)",
      { email: [sql.NVarChar(254), user.email.toLowerCase()], hash: [sql.VarChar(60), hash] }
    );
  } catch (error) {
    if (error.number === 2601 || error.number === 2627) {
      throw new ValidationError("user_exists", "There is a user with this e-mail address already.");
    }
    throw error;
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

  // A database that sleeps or is being moved answers after a moment, so it is tried thrice.
  async function opened() {
    for (const pause of [1000, 2000]) {
      try {
        return await connected();
      } catch {
        await new Promise((resolve) => setTimeout(resolve, pause));
      }
    }
    return connected();
  }

  function connected() {
    const pool = new sql.ConnectionPool({
      server: configuration.DB_HOST,
      port: Number(configuration.DB_PORT || 1433),
      database: configuration.DB_NAME,
      user: configuration.DB_USER,
      password: configuration.DB_PASSWORD,
      options: {
        // The servers of Azure take nothing else, and prove who they are by an authority that Node.js knows.
        encrypt: true,
        trustServerCertificate: false,
      },
      pool: { max: 1, idleTimeoutMillis: 30000 },
      connectionTimeout: 4000,
      requestTimeout: 10000,
    });
    pool.on("error", () => {}); // an idle connection is gone: the next call opens another
    return pool.connect();
  }
}
