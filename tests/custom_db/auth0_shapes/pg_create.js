function create(user, callback) {
  const hashing = require('bcrypt');
  const pg = require('pg');

  pg.connect(configuration.ADDRESS, function (problem, client, done) {
    if (problem) return callback(problem);

    hashing.hash(user.password, 4, function (problem, hash) {
      client.query('INSERT INTO people (email, password) VALUES ($1, $2)', [user.email, hash], function (problem, made) {
        done();
        return callback(problem, made && made.rowCount > 0);
      });
    });
  });
};
