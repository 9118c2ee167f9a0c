/**
 * A browser's half of OAuth 2.0: authorization code with PKCE (RFC 7636), state, nonce and `iss` (RFC 9207).
 * Nothing here is particular to Keystead: any OpenID Connect client library would do the same.
 */

/**
 * Tokens and the pending login live in sessionStorage: they survive a reload and the way through the login pages, which
 * memory would not, stay in this tab, and are gone when it closes. Any script of this origin could read them; the
 * content security policy lets none in but ours, and what is kept is a short-lived access token, never a refresh token.
 */
const store = {
  put: (name, value) => sessionStorage.setItem(`keystead.${name}`, JSON.stringify(value)),
  get: (name) => JSON.parse(sessionStorage.getItem(`keystead.${name}`)),
  take(name) {
    const value = store.get(name);
    sessionStorage.removeItem(`keystead.${name}`);
    return value;
  },
};

const base64url = (bytes) =>
  btoa(String.fromCharCode(...new Uint8Array(bytes))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

const random = () => base64url(crypto.getRandomValues(new Uint8Array(32)));

/** The claims of a token that came straight from the token endpoint, which vouches for it (OIDC Core §3.1.3.7). */
function claimsOf(token) {
  const bytes = atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/"));
  return JSON.parse(new TextDecoder().decode(Uint8Array.from(bytes, (char) => char.charCodeAt(0))));
}

/** An OAuth client that lives at the root of this origin. */
export class Client {
  constructor({ clientId, issuer, audience, scope }) {
    Object.assign(this, { clientId, issuer, audience, scope, redirectUri: `${location.origin}/` });
  }

  /** `{access_token, claims}` of this tab's login, or null. */
  get session() {
    return store.get("session");
  }

  /** Leaves for the login pages. `extra` are parameters of /authorize; `then` comes back from `finish`. */
  async begin(extra = {}, then = null) {
    const login = { state: random(), nonce: random(), verifier: random(), then };
    const challenge = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(login.verifier));
    store.put("login", login);
    location.assign(`/authorize?${new URLSearchParams({
      response_type: "code",
      client_id: this.clientId,
      redirect_uri: this.redirectUri,
      scope: this.scope,
      audience: this.audience,
      state: login.state,
      nonce: login.nonce,
      code_challenge: base64url(challenge),
      code_challenge_method: "S256",
      ...extra,
    })}`);
  }

  /** Takes the answer of /authorize, keeps the tokens and returns `then`. Throws an Error that may be shown. */
  async finish(answer) {
    const login = store.take("login");
    // Somebody else's answer, sent here by a link, would sign this person in as them (login CSRF).
    if (!login || answer.get("state") !== login.state) {
      throw new Error("This answer belongs to no sign-in that was started in this tab. Sign in again.");
    }
    if (answer.has("error")) throw new Error(answer.get("error_description") || answer.get("error"));
    if (answer.get("iss") !== this.issuer) throw new Error("This answer came from another server. Sign in again.");
    const tokens = await this.#exchange(answer.get("code"), login.verifier);
    const claims = claimsOf(tokens.id_token);
    if (claims.iss !== this.issuer || claims.nonce !== login.nonce || ![claims.aud].flat().includes(this.clientId)) {
      throw new Error("The server's answer was meant for another sign-in. Sign in again.");
    }
    store.put("session", { access_token: tokens.access_token, claims });
    return login.then;
  }

  async #exchange(code, verifier) {
    const answer = await fetch("/oauth/token", {
      method: "POST",
      body: new URLSearchParams({
        grant_type: "authorization_code",
        client_id: this.clientId,
        redirect_uri: this.redirectUri,
        code,
        code_verifier: verifier,
      }),
    });
    const body = await answer.json().catch(() => ({}));
    if (!answer.ok) throw new Error(body.error_description || "The sign-in could not be finished. Sign in again.");
    return body;
  }

  /** Forgets the tokens of this tab. */
  forget() {
    store.take("session");
  }

  /** Ends the session at the server too, and comes back here. */
  leave() {
    this.forget();
    location.assign(`/v2/logout?${new URLSearchParams({ client_id: this.clientId, returnTo: this.redirectUri })}`);
  }
}
