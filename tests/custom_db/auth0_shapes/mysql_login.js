function login(email, password, callback) {
  // Opens a connection for each call, and never closes one.
  const mysql = require('mysql');
  const hashing = require('bcrypt');

  const connection = mysql.createConnection({
    host: '127.0.0.1',
    port: configuration.PORT,
    user: configuration.USER,
    password: configuration.PASSWORD,
    database: 'legacy'
  });
  connection.connect();

  const statement = 'SELECT n AS id, nickname, email, password FROM people WHERE email = ?';
  connection.query(statement, [email], function (problem, rows) {
    if (problem) return callback(problem);
    if (rows.length === 0) return callback(new WrongUsernameOrPasswordError(email));
    const row = rows[0];

    hashing.compare(password, row.password, function (problem, same) {
      if (problem || !same) return callback(problem || new WrongUsernameOrPasswordError(email));

      callback(null, {
        user_id: row.id.toString(),
        nickname: row.nickname,
        email: row.email
      });
    });
  });
}
