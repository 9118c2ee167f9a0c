/**
 * WebAuthn spoken in JSON: the two browser calls, base64url <-> buffers where the browser does not do it itself,
 * and what to tell a person when a call fails.
 */

/** Whether this browser, on this page, can use passkeys at all. Pages without https cannot. */
export const supported = () => typeof PublicKeyCredential === "function" && Boolean(navigator.credentials);

/** Whether this browser can make a passkey by itself, after a password that it filled in. */
export const upgrades = async () =>
  supported() && (await PublicKeyCredential.getClientCapabilities?.())?.conditionalCreate === true;

/** What the server answered instead of options; its text may be shown. */
export class Refusal extends Error {
  constructor(text, code = "") {
    super(text);
    this.code = code;
  }
}

/** Asks for a fresh ceremony. Throws `Refusal`, or the reason of a signal. */
export async function begin(url, signal) {
  const answer = await fetch(url, { method: "POST", signal }).catch((cause) => {
    throw signal?.aborted ? cause : new Refusal("The server cannot be reached. Check your connection and try again.");
  });
  const body = await answer.json().catch(() => ({}));
  const { error, error_description: text } = body;
  if (!answer.ok) throw new Refusal(text || "The server cannot do this at the moment. Try again.", error);
  return body;
}

const toBuffer = (text) =>
  Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (char) => char.charCodeAt(0)).buffer;

const toText = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

const withBufferIds = (list) => list?.map((item) => ({ ...item, id: toBuffer(item.id) }));

/** PublicKeyCredentialCreationOptionsJSON to what `create` takes (WebAuthn Level 3 §5.1.8). */
function creationOptions(json) {
  if (PublicKeyCredential.parseCreationOptionsFromJSON) return PublicKeyCredential.parseCreationOptionsFromJSON(json);
  return {
    ...json,
    challenge: toBuffer(json.challenge),
    user: { ...json.user, id: toBuffer(json.user.id) },
    excludeCredentials: withBufferIds(json.excludeCredentials) ?? [],
  };
}

/** PublicKeyCredentialRequestOptionsJSON to what `get` takes (WebAuthn Level 3 §5.1.9). */
function requestOptions(json) {
  if (PublicKeyCredential.parseRequestOptionsFromJSON) return PublicKeyCredential.parseRequestOptionsFromJSON(json);
  return {
    ...json,
    challenge: toBuffer(json.challenge),
    allowCredentials: withBufferIds(json.allowCredentials) ?? [],
  };
}

/** The credential as JSON. Password managers that stand in for the browser may lack a working `toJSON`. */
function plain(credential) {
  try {
    return credential.toJSON();
  } catch {
    const response = { transports: credential.response.getTransports?.() };
    for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
      if (credential.response[name]) response[name] = toText(credential.response[name]);
    }
    const { id, type, authenticatorAttachment } = credential;
    const clientExtensionResults = credential.getClientExtensionResults();
    return { id, rawId: id, type, authenticatorAttachment, clientExtensionResults, response };
  }
}

/**
 * Runs a registration and returns RegistrationResponseJSON; with `mediation: "conditional"` the browser asks nobody.
 * Throws what `navigator.credentials.create` throws.
 */
export async function create(options, { mediation, signal } = {}) {
  return plain(await navigator.credentials.create({ publicKey: creationOptions(options), mediation, signal }));
}

/** Runs an authentication and returns AuthenticationResponseJSON; `mediation: "conditional"` is autofill. */
export async function get(options, { mediation, signal } = {}) {
  return plain(await navigator.credentials.get({ publicKey: requestOptions(options), mediation, signal }));
}

const WORDS = {
  // The browser gives one name to "closed", "timed out" and "no passkey here", so that a page learns nothing.
  NotAllowedError: "No passkey was used: the window was closed or timed out. Try again whenever you like.",
  AbortError: "The passkey request was stopped. Try again whenever you like.",
  TimeoutError: "That took too long. Try again whenever you like.",
  InvalidStateError: "This device already holds a passkey for this account. You can sign in with it.",
  NotSupportedError: "This device cannot make the kind of passkey that is needed here.",
  ConstraintError: "This device has no screen lock. Set one up, or use another device.",
  SecurityError: "Passkeys do not work at this web address.",
  NotReadableError: "The device that holds the passkey did not answer. Try again.",
};
const QUIET = ["NotAllowedError", "AbortError", "TimeoutError"];

/** What to say about a failed call: `text`, and whether it is a `quiet` hint because the person just stopped. */
export function explain(error) {
  const text = WORDS[error.name] ?? "The passkey could not be used. Try again.";
  return { text, quiet: QUIET.includes(error.name) };
}

/** Why passkeys cannot be used here, for pages that are about passkeys. */
export const whyUnsupported = () =>
  globalThis.isSecureContext
    ? "This browser does not support passkeys."
    : "Passkeys need a secure connection: open this page with https.";
