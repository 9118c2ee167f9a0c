/** The landing page: an ordinary OAuth client of the server, and the smallest account page there can be. */
import { tell } from "/static/js/signals.js";
import { explain, supported, whyUnsupported } from "/static/js/webauthn.js";
import { Account, SignedOut, StepUpRequired } from "./account.js";
import { Client } from "./oauth.js";

const { clientId, issuer, audience } = document.querySelector("#home").dataset;
const rights = ["read", "create", "delete"].map((act) => `${act}:me:authentication_methods`);
const scope = ["openid", "profile", "email", ...rights].join(" ");
const client = new Client({ clientId, issuer, audience, scope });
let account = null;

const find = (id) => document.getElementById(id);
const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

/** Names of the password managers that most passkeys live in, by AAGUID. Only a hint: nobody vouches for it. */
const KEEPERS = {
  "08987058-cadc-4b81-b6e1-30de50dcbe96": "Windows Hello",
  "50726f74-6f6e-5061-7373-50726f746f6e": "Proton Pass",
  "531126d6-e717-415c-9320-3d9aa6981239": "Dashlane",
  "53414d53-554e-4700-0000-000000000000": "Samsung Pass",
  "6028b017-b1d4-4c02-b4b3-afcdafc96bb2": "Windows Hello",
  "9ddd1817-af5a-4672-a2b9-3e3dd95000a9": "Windows Hello",
  "adce0002-35bc-c60a-648b-0b25f1f05503": "Chrome on Mac",
  "bada5566-a7aa-401f-bd96-45619a55120d": "1Password",
  "d548826e-79b4-db40-a3d8-11116f7e8349": "Bitwarden",
  "dd4ec289-e01d-41c9-bb89-70fa845d4bf2": "Apple Passwords",
  "ea9b8d66-4d01-1d21-3ce4-b6b48cb575d4": "Google Password Manager",
  "fbfc3007-154e-4ecc-8c0b-6e020557d7bd": "Apple Passwords",
  "fdb141b2-5d84-443e-8a35-4698c205a502": "KeePassXC",
};

/** One line for the person: a refusal is an alert, everything else a status. */
function say(text, wrong = false) {
  const message = find("message");
  message.setAttribute("role", wrong ? "alert" : "status");
  message.classList.toggle("alert", wrong);
  message.textContent = text;
}

function show(section) {
  for (const id of ["loading", "welcome", "account"]) find(id).hidden = id !== section;
}

/** What the login proved itself with, from the `amr` claim (RFC 8176). */
function methodOf({ amr = [] }) {
  if (amr.some((method) => method === "phr" || method === "phrh")) return "with a passkey";
  return amr.includes("pwd") ? "with a password" : "";
}

function showPerson(profile, claims) {
  find("name").textContent = profile.name || profile.email || profile.phone_number || profile.nickname || "Somebody";
  const other = profile.email || profile.phone_number || profile.nickname || "";
  find("identifier").textContent = other === find("name").textContent ? "" : other;
  find("picture").hidden = !profile.picture;
  if (profile.picture) find("picture").src = profile.picture;
  find("method").textContent = methodOf(claims);
  const at = new Date(claims.auth_time * 1000);
  find("signed-in-at").dateTime = at.toISOString();
  find("signed-in-at").textContent = moment.format(at);
}

/** Whether losing the device loses the passkey, in the words of its backup flags. */
function reachOf(passkey) {
  if (passkey.credential_backed_up) return "Synced";
  return passkey.credential_device_type === "multi_device" ? "Can be synced" : "On one device";
}

function card(passkey) {
  const item = find("passkey-card").content.cloneNode(true).firstElementChild;
  const title = passkey.name || KEEPERS[passkey.aaguid] || "Passkey";
  item.dataset.id = passkey.id;
  item.querySelector(".title").textContent = title;
  const facts = [
    reachOf(passkey),
    `created ${day.format(new Date(passkey.created_at))}`,
    passkey.last_auth_at ? `last used ${day.format(new Date(passkey.last_auth_at))}` : "not used yet",
  ];
  item.querySelector(".facts").textContent = facts.join(" · ");
  const button = item.querySelector("button");
  button.setAttribute("aria-label", `Remove ${title}`);
  button.addEventListener("click", () => confirmRemoval(passkey, title));
  return item;
}

async function showPasskeys() {
  const passkeys = await account.passkeys();
  find("passkeys").replaceChildren(...passkeys.map(card));
  find("no-passkeys").hidden = passkeys.length > 0;
  tell(await account.signals());
}

function confirmRemoval(passkey, title) {
  const dialog = find("confirm");
  find("confirm-name").textContent = title;
  dialog.returnValue = "";
  dialog.onclose = () => dialog.returnValue === "remove" && attempt({ act: "remove", id: passkey.id });
  dialog.showModal();
}

const acts = {
  async add() {
    say("Continue in the window of your browser or device.");
    await account.addPasskey();
    await showPasskeys();
    say("The passkey was added. Next time you can sign in with it.");
  },
  async remove({ id }) {
    await account.removePasskey(id);
    await showPasskeys();
    say("The passkey was removed here. Your device or password manager may still list it: delete it there as well.");
    find("add-passkey").focus();
  },
};

/** Does what was asked. A login that is too old is renewed once, and the wish survives the way there and back. */
async function attempt(wish, again = true) {
  say("");
  try {
    await acts[wish.act](wish);
  } catch (error) {
    if (error instanceof StepUpRequired && again) return client.begin({ max_age: 0 }, wish);
    if (error instanceof SignedOut) return showWelcome(error);
    const { text, quiet } = error instanceof DOMException ? explain(error) : { text: error.message };
    say(text, !quiet);
  }
}

function showWelcome(error = null) {
  client.forget();
  account = null;
  show("welcome");
  if (error) say(error.message, true);
}

async function showAccount() {
  account = new Account(client.session.access_token, audience);
  const [profile] = await Promise.all([account.profile(), showPasskeys()]);
  showPerson(profile, client.session.claims);
  find("add-passkey").hidden = !supported();
  find("no-support").textContent = supported() ? "" : whyUnsupported();
  show("account");
}

function listen() {
  find("sign-up").addEventListener("click", () => client.begin({ screen_hint: "signup" }));
  find("sign-in").addEventListener("click", () => client.begin());
  find("sign-out").addEventListener("click", () => client.leave());
  find("add-passkey").addEventListener("click", () => attempt({ act: "add" }));
  // A picture from elsewhere is not loaded by this page's policy.
  find("picture").addEventListener("error", () => (find("picture").hidden = true));
}

async function start() {
  listen();
  if (client.redirectUri !== new URL("/", issuer).href) {
    // Redirects and passkeys are bound to the one address that the server was given.
    find("elsewhere").hidden = false;
    return show("");
  }
  if (!isSecureContext) say("Signing in here needs a secure connection: open this page with https.", true);
  const answer = new URLSearchParams(location.search);
  try {
    let wish = null;
    if (answer.has("state")) {
      history.replaceState(null, "", "/"); // the code is good for one use and has no place in the history
      wish = await client.finish(answer);
    }
    if (!client.session) return show("welcome");
    await showAccount();
    if (wish) await attempt(wish, false);
  } catch (error) {
    showWelcome(error);
  }
}

start();
