function loginByEmail(email, password, callback) {
  // pg.connect has been gone since pg 7; scripts of that time call it with an address.
  const hashing = require('bcrypt');
  const pg = require('pg');

  pg.connect(configuration.ADDRESS, function (problem, client, done) {
    if (problem) return callback(problem);

    const statement = 'SELECT n AS id, nickname, email, password FROM people WHERE email = $1';
    client.query(statement, [email], function (problem, found) {
      // The connection goes back to the pool.
      done();

      if (problem || found.rows.length === 0) {
        return callback(problem || new WrongUsernameOrPasswordError(email));
      }
      const row = found.rows[0];
      hashing.compare(password, row.password, function (problem, same) {
        if (problem || !same) return callback(problem || new WrongUsernameOrPasswordError(email));

        return callback(null, { user_id: row.id, nickname: row.nickname, email: row.email });
      });
    });
  });
}
