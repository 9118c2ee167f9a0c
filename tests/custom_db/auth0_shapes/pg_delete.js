function remove(id, callback) {
  const pg = require('pg');
  pg.connect(configuration.ADDRESS, function (problem, client, done) {
    if (problem) return callback(problem);
    client.query('DELETE FROM people WHERE n = $1', [id], function (problem) {
      done();
      return callback(problem);
    });
  });
}
