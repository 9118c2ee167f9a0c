/**
 * Two elements around a real form. Each asks its `options-url` for a fresh ceremony, runs it, writes `auth_session` and
 * `response` into the form and submits it, so that the answer is an ordinary navigation.
 *
 *   <passkey-sign-in options-url autofill>   the button, and passkeys among the suggestions of an input
 *   <passkey-sign-in options-url>            one more button on the same page, for passkeys of an older address
 *   <passkey-enrolment options-url renews>   the button that creates a passkey; its form, sent without an answer, `renews`
 *                                            a login that is too old for it
 *
 * `data-state` says where it stands: ready, waiting, sent, cancelled, failed or unsupported.
 */
import { Refusal, begin, create, explain, get, supported, whyUnsupported } from "./webauthn.js";

/** A ceremony lives 300 s on the server; a pending autofill asks for a new one before that. In milliseconds. */
const RENEW_AFTER = 240_000;
/** A refusal sooner than this is the browser's and not a person's: asking again would spin. In milliseconds. */
const AT_ONCE = 1_000;

/** What both elements share: one form, one button, one note, one ceremony at a time. */
class PasskeyForm extends HTMLElement {
  connectedCallback() {
    this.form = this.querySelector("form");
    this.button = this.querySelector("button");
    this.note = this.querySelector(".note");
    // Seen on pages that are about passkeys; the sign-in element stays hidden, and nothing is missed.
    if (!supported()) return this.settle("unsupported", whyUnsupported());
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.run();
    });
    // Coming back with the browser's Back button finds the page as it was left.
    addEventListener("pageshow", (event) => event.persisted && this.settle("ready"));
    if (this.button) this.hidden = this.button.hidden = false;
    this.settle("ready");
  }

  async run() {
    if (this.dataset.state === "waiting" || this.dataset.state === "sent") return;
    this.settle("waiting", "Continue in the window of your browser or device.");
    try {
      this.send(await this.ceremony());
    } catch (error) {
      this.fail(error);
    }
  }

  send({ auth_session, response }) {
    this.form.elements.auth_session.value = auth_session;
    this.form.elements.response.value = JSON.stringify(response);
    this.settle("sent", "One moment…");
    this.form.submit();
  }

  fail(error) {
    const { text, quiet } = error instanceof Refusal ? { text: error.message } : explain(error);
    this.settle(quiet ? "cancelled" : "failed", text);
  }

  /** Shows where things stand. The button keeps the focus: a disabled one would lose it. */
  settle(state, text = "") {
    this.dataset.state = state;
    this.button?.setAttribute("aria-disabled", state === "waiting" || state === "sent");
    this.note.setAttribute("role", state === "failed" ? "alert" : "status");
    this.note.classList.toggle("alert", state === "failed");
    this.note.textContent = text;
  }
}

/** The request behind the suggestions. There is one on a page, whichever button is pressed. */
const suggestions = { stop: new AbortController(), over: Promise.resolve() };

class PasskeySignIn extends PasskeyForm {
  connectedCallback() {
    super.connectedCallback();
    if (supported()) this.offer();
  }

  disconnectedCallback() {
    if (this.hasAttribute("autofill")) suggestions.stop.abort();
  }

  async ceremony() {
    // A browser runs one request at a time: the pending one has to be over before the window can open.
    suggestions.stop.abort();
    await suggestions.over;
    const { auth_session, authn_params_public_key } = await begin(this.getAttribute("options-url"));
    return { auth_session, response: await get(authn_params_public_key) };
  }

  fail(error) {
    super.fail(error);
    document.querySelector("passkey-sign-in[autofill]")?.offer();
  }

  /** Keeps passkeys among the suggestions until one is chosen, the button is pressed, or the server has enough. */
  offer() {
    if (!this.hasAttribute("autofill")) return;
    suggestions.stop = new AbortController();
    suggestions.over = this.#suggest(suggestions.stop.signal);
  }

  async #suggest(stopped) {
    if (!(await PublicKeyCredential.isConditionalMediationAvailable?.())) return;
    while (!stopped.aborted) {
      const began = performance.now();
      const renewal = new AbortController();
      const timer = setTimeout(() => renewal.abort(), RENEW_AFTER);
      const stop = () => renewal.abort();
      stopped.addEventListener("abort", stop);
      try {
        const { auth_session, authn_params_public_key } = await begin(this.getAttribute("options-url"), renewal.signal);
        this.dataset.autofill = "pending";
        const response = await get(authn_params_public_key, { mediation: "conditional", signal: renewal.signal });
        return this.send({ auth_session, response });
      } catch (error) {
        // Nobody asked for this request, so nobody is told that it failed.
        if (error instanceof Refusal || performance.now() - began < AT_ONCE) return;
      } finally {
        delete this.dataset.autofill;
        clearTimeout(timer);
        stopped.removeEventListener("abort", stop);
      }
    }
  }
}

class PasskeyEnrolment extends PasskeyForm {
  async ceremony() {
    const { auth_session, authn_params_public_key } = await begin(this.getAttribute("options-url"));
    return { auth_session, response: await create(authn_params_public_key) };
  }

  fail(error) {
    if (error.code !== "step_up_required" || !this.hasAttribute("renews")) return super.fail(error);
    this.settle("sent", "Sign in again to make this change.");
    this.form.submit();
  }
}

customElements.define("passkey-sign-in", PasskeySignIn);
customElements.define("passkey-enrolment", PasskeyEnrolment);
