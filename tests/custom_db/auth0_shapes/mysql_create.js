function create(user, callback) {
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

  hashing.hash(user.password, 4, function (problem, hash) {
    if (problem) { return callback(problem); }
    connection.query('INSERT INTO people SET ?', { email: user.email, password: hash }, function (problem, rows) {
      if (problem) return callback(problem);
      if (rows.length === 0) return callback();
      callback(null);
    });
  });
}
