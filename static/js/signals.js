/**
 * Passes on what the server says about passkeys, so that the browser keeps those that still work, under the right name
 * (the Signal API, WebAuthn Level 3 §5.1.10). A page carries it as JSON in `data-signals`; each is said once.
 */

/** Says signals, `{type, options}`, to a browser that listens to them. What it makes of them, no page can learn. */
export function tell(signals) {
  for (const { type, options } of signals) {
    const method = `signal${type[0].toUpperCase()}${type.slice(1)}`;
    // A passkey of another address than this page's may be none of this page's business: the browser says so.
    globalThis.PublicKeyCredential?.[method]?.(options).catch(() => {});
  }
}

const said = document.querySelector("[data-signals]")?.dataset.signals;
if (said) tell(JSON.parse(said));
