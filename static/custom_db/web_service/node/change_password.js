async function change_password(email, newPassword) {
  const answer = await call("change_password", { email, password: newPassword });
  if (answer.status === 404) {
    return false;
  }
  if (answer.status === 422) {
    throw refusal(answer, "", "The password was not accepted.");
  }
  if (answer.status < 200 || answer.status > 299) {
    throw unexpected(answer);
  }
  return true;

  // What the service says in its answer is shown to people, so it is to be written for them.
  function refusal(answer, code, words) {
    let said = {};
    try {
      said = JSON.parse(answer.text);
    } catch {
      // no JSON: our own words will do
    }
    return new ValidationError(code || said.code || "invalid", said.message || words);
  }

  // One POST of JSON with basic authentication. Redirects are not followed: they would take the credentials along.
  function call(path, body) {
    const url = new URL(`${configuration.SERVICE_URL.replace(/\/+$/, "")}/${path}`);
    if (url.protocol !== "https:" && configuration.SERVICE_TLS !== "off") {
      throw new Error("SERVICE_URL must begin with https://, unless SERVICE_TLS is off");
    }
    const { request } = require(url.protocol === "https:" ? "node:https" : "node:http");
    return new Promise((resolve, reject) => {
      const sent = request(url, {
        method: "POST",
        auth: `${configuration.SERVICE_USER}:${configuration.SERVICE_PASSWORD}`,
        headers: { "content-type": "application/json", accept: "application/json" },
        // The service must prove to be this very host, by SERVICE_CA or by an authority that Node.js knows.
        ca: configuration.SERVICE_CA || undefined,
        signal: AbortSignal.timeout(10000),
      });
      sent.on("error", reject);
      sent.on("response", (answer) => {
        let text = "";
        answer.setEncoding("utf8");
        answer.on("error", reject);
        answer.on("data", (piece) => {
          text += piece;
          if (text.length > 100000) {
            sent.destroy(new Error("The service answered too much."));
          }
        });
        answer.on("end", () => resolve({ status: answer.statusCode, text }));
      });
      sent.end(JSON.stringify(body));
    });
  }

  function unexpected(answer) {
    return new Error(`The service answered with status ${answer.status}.`);
  }
}
