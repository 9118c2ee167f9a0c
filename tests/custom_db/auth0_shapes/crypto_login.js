function login(email, password, callback) {
  // The two hash schemes of ASP.NET, as scripts compute them: with callbacks, and buffers made in the old way.
  const crypto = require('crypto');

  function older(password, salt) {
    const hash = crypto.createHash('sha1');
    hash.update(new Buffer(salt, 'base64'));
    hash.update(new Buffer(password, 'ucs2'));
    return hash.digest('base64');
  }
  function later(password, stored, done) {
    const buffer = new Buffer(stored, 'base64');
    crypto.pbkdf2(password, buffer.slice(1, 17), 1000, 32, 'sha1', function (problem, key) {
      if (problem) return done(problem);
      done(null, buffer.slice(17).toString('base64') === key.toString('base64'));
    });
  }
  if (older(password, configuration.SALT) !== configuration.OLDER) return callback(new WrongUsernameOrPasswordError(email));
  later(password, configuration.LATER, function (problem, same) {
    if (problem) return callback(problem);
    if (!same) return callback(new WrongUsernameOrPasswordError(email));
    callback(null, { user_id: 17, email: email });
  });
}
