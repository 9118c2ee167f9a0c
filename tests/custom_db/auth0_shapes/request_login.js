function (email, password, callback) {
  // No name at all; and nothing said where the service does not know the person.
  const request = require('request');

  request.get({
    url: configuration.URL + '/me',
    auth: {
      username: email,
      password: password
    }
  }, function (problem, response, body) {
    if (problem) return callback(problem);
    if (response.statusCode === 401) return callback();

    const person = JSON.parse(body);
    callback(null, {
      user_id: person.id.toString(),
      nickname: person.nick,
      email: person.email
    });
  });
}
