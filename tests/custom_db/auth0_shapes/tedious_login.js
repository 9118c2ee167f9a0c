function login(email, password, callback) {
  const hashing = require('bcrypt');
  const Connection = require('tedious@1.11.0').Connection;
  const Request = require('tedious@1.11.0').Request;
  const TYPES = require('tedious@1.11.0').TYPES;

  const connection = new Connection({
    userName: 'somebody',
    password: 'something',
    server: configuration.SERVER,
    options: { port: 9, database: 'legacy', encrypt: true, rowCollectionOnRequestCompletion: true }
  });

  const request = new Request('SELECT Id, Email, Password FROM dbo.Users WHERE Email = @Email', function (problem, count, rows) {
    if (problem) return callback(problem);
    if (count < 1) return callback(new WrongUsernameOrPasswordError(email));

    hashing.compare(password, rows[0][2].value, function (problem, same) {
      if (problem || !same) return callback(problem || new WrongUsernameOrPasswordError(email));
      callback(null, { user_id: rows[0][0].value, email: rows[0][1].value });
    });
  });
  request.addParameter('Email', TYPES.VarChar, email);

  connection.on('debug', function (text) {
    console.log(text);
  }).on('errorMessage', function (text) {
    console.log(text);
  }).on('connect', function (problem) {
    if (problem) return callback(problem);
    connection.execSql(request);
  });
}
