// A server-side application with openid-client. Told by two arguments: where the modules are, and JSON of what it is
// registered as. Prints where to send the browser, reads where it came back, and prints what it found.
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const [modules, json] = process.argv.slice(2);
const client = await import(pathToFileURL(`${modules}/openid-client/build/index.js`));
const told = JSON.parse(json);
const config = await client.discovery(new URL(told.issuer), told.client_id, told.client_secret);

const pkceCodeVerifier = client.randomPKCECodeVerifier();
const [expectedState, expectedNonce] = [client.randomState(), client.randomNonce()];
const asked = {
  redirect_uri: told.callback,
  scope: "openid profile email offline_access",
  code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
  code_challenge_method: "S256",
  state: expectedState,
  nonce: expectedNonce,
  max_age: "600",
};
const url = told.push
  ? await client.buildAuthorizationUrlWithPAR(config, asked)
  : client.buildAuthorizationUrl(config, asked);
console.log(url.href);

for await (const line of createInterface({ input: process.stdin })) {
  const checks = { pkceCodeVerifier, expectedState, expectedNonce, maxAge: 600, idTokenExpected: true };
  const tokens = await client.authorizationCodeGrant(config, new URL(line), checks);
  const claims = tokens.claims();
  const fresh = await client.refreshTokenGrant(config, tokens.refresh_token);
  const about = await client.fetchUserInfo(config, fresh.access_token, claims.sub);
  await client.tokenRevocation(config, tokens.refresh_token);
  const late = await client.refreshTokenGrant(config, tokens.refresh_token).catch((error) => error);
  const out = client.buildEndSessionUrl(config, {
    id_token_hint: tokens.id_token,
    post_logout_redirect_uri: told.bye,
    state: "done",
  });
  const wrong = await client.fetchUserInfo(config, "no token", claims.sub).catch((error) => error);
  console.log(JSON.stringify({ claims, about, late: late.error, out: out.href, wrong: wrong.status }));
  break;
}
