/** What the landing page asks the server for with its access token: the profile, and My Account's passkeys. */
import { create } from "/static/js/webauthn.js";

/** The login is too old for this change; signing in again helps. */
export class StepUpRequired extends Error {}

/** The access token is over. */
export class SignedOut extends Error {}

/** One person's account, seen through one access token. */
export class Account {
  #token;
  #methods;
  #signals;

  constructor(accessToken, audience) {
    this.#token = accessToken;
    this.#methods = new URL("v1/authentication-methods", audience);
    this.#signals = new URL("v1/keystead/signals", audience);
  }

  async #call(url, method = "GET", json = undefined) {
    const headers = { authorization: `Bearer ${this.#token}`, accept: "application/json" };
    if (json) headers["content-type"] = "application/json";
    const answer = await fetch(url, { method, headers, body: json && JSON.stringify(json) });
    const body = answer.status === 204 ? null : await answer.json().catch(() => ({}));
    if (answer.ok) return { answer, body };
    if (answer.status === 401) throw new SignedOut("Your sign-in has expired. Sign in again.");
    if (answer.status === 403 && body.type?.endsWith("step-up-required")) throw new StepUpRequired(body.detail);
    throw new Error(body.detail || body.error_description || "The server cannot do this at the moment. Try again.");
  }

  /** The claims of /userinfo. */
  async profile() {
    return (await this.#call("/userinfo")).body;
  }

  /** The account's passkeys, as My Account lists them. */
  async passkeys() {
    const url = new URL(this.#methods);
    url.searchParams.set("type", "passkey");
    return (await this.#call(url)).body.authentication_methods;
  }

  /** Creates one more passkey on this device. Throws what the browser throws when the person stops it. */
  async addPasskey() {
    const start = await this.#call(this.#methods, "POST", { type: "passkey", use_exclude_credentials: true });
    const { auth_session, authn_params_public_key } = start.body;
    const authn_response = await create(authn_params_public_key);
    const place = new URL(start.answer.headers.get("location"), this.#methods);
    await this.#call(`${place}/verify`, "POST", { auth_session, authn_response });
  }

  /** Removes the passkey with that id. */
  async removePasskey(id) {
    await this.#call(`${this.#methods}/${encodeURIComponent(id)}`, "DELETE");
  }

  /** What the browser should be told about the passkeys that it keeps, as things are now. */
  async signals() {
    return (await this.#call(this.#signals)).body.signals;
  }
}
