function login(email, password, callback) {
  const hashing = require('bcrypt');
  const MongoClient = require('mongodb@3.1.4').MongoClient;
  const client = new MongoClient(configuration.ADDRESS);

  client.connect(function (problem) {
    if (problem) return callback(problem);

    const users = client.db('legacy').collection('users');
    users.findOne({ email: email }, function (problem, user) {
      if (problem || !user) {
        client.close();
        return callback(problem || new WrongUsernameOrPasswordError(email));
      }
      hashing.compare(password, user.password, function (problem, same) {
        client.close();
        if (problem || !same) return callback(problem || new WrongUsernameOrPasswordError(email));
        return callback(null, { user_id: user._id.toString(), email: user.email });
      });
    });
  });
}
