/**
 * A passkey that the browser makes by itself, right after a password (conditional create).
 *
 *   <input type="hidden" name="can_upgrade">   beside a password: says that this browser can
 *   <passkey-upgrade options-url>              around the form that goes on; lets the browser try, and submits it
 */
import { begin, create, upgrades } from "./webauthn.js";

/** Nobody has asked for it, so nobody waits for it. In milliseconds. */
const PATIENCE = 3_000;

/** Rejects when the time is over, also where a browser does not heed the signal. */
const late = (signal) =>
  new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason), { once: true }));

class PasskeyUpgrade extends HTMLElement {
  async connectedCallback() {
    const form = this.querySelector("form");
    try {
      const signal = AbortSignal.timeout(PATIENCE);
      const made = await Promise.race([this.#made(signal), late(signal)]);
      form.elements.auth_session.value = made.auth_session;
      form.elements.response.value = JSON.stringify(made.response);
    } catch {
      // Refused, or not in time: the form goes on without.
    }
    form.submit();
  }

  async #made(signal) {
    const { auth_session, authn_params_public_key } = await begin(this.getAttribute("options-url"), signal);
    return { auth_session, response: await create(authn_params_public_key, { mediation: "conditional", signal }) };
  }
}

customElements.define("passkey-upgrade", PasskeyUpgrade);

const field = document.querySelector("input[name=can_upgrade]");
if (field && (await upgrades())) field.value = "1";
