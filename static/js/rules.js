/**
 * <password-rules for="id"> around the list of rules for a new password ticks them off while it is typed.
 *
 * A rule with `data-rule` can be judged by the password alone; the server judges all of them, these included. Each
 * carries its state as text, and what is still missing is said politely when the typing pauses.
 */

/** In milliseconds; sooner, and a screen reader would speak over every letter. */
const PAUSE = 900;

const KINDS = { lowercase: /[a-z]/, uppercase: /[A-Z]/, number: /[0-9]/, special: /[ -/:-@[-`{-~]/ };
const WORD = /^[A-Za-z0-9]$/;

/** Whether three neighbours follow each other by `step`. */
function run(text, step, counts = () => true) {
  const found = [...text];
  const codes = found.map((each) => each.codePointAt(0));
  return codes.some((code, at) =>
    at > 1 && code - codes[at - 1] === step && codes[at - 1] - codes[at - 2] === step &&
    found.slice(at - 2, at + 1).every(counts));
}

const JUDGES = {
  length: (text, least) => [...text].length >= least,
  bytes: (text, most) => new TextEncoder().encode(text).length <= most,
  identical: (text) => !run(text, 0),
  sequential: (text) => [1, -1].every((step) => !run(text, step, (each) => WORD.test(each))),
  types: (text, least, kinds) => kinds.filter((kind) => KINDS[kind].test(text)).length >= least,
};

function judge(rule, text) {
  const { rule: name, value } = rule.dataset;
  if (KINDS[name]) return KINDS[name].test(text);
  const kinds = [...rule.querySelectorAll("[data-rule]")].map((each) => each.dataset.rule);
  return JUDGES[name](text, Number(value), kinds);
}

class PasswordRules extends HTMLElement {
  connectedCallback() {
    this.input = document.getElementById(this.getAttribute("for"));
    this.rules = [...this.querySelectorAll("[data-rule]")];
    for (const rule of this.rules) {
      const state = document.createElement("span");
      state.className = "unseen state";
      rule.querySelector("span").append(state);
    }
    this.said = document.createElement("p");
    this.said.className = "unseen";
    this.said.setAttribute("role", "status");
    this.append(this.said);
    this.input.addEventListener("input", () => this.update());
    this.update();
  }

  disconnectedCallback() {
    clearTimeout(this.timer);
  }

  update() {
    const text = this.input.value.normalize("NFC");
    for (const rule of this.rules) {
      // Nothing is met by nothing: "no more than" would be ticked off before the first letter.
      const met = text !== "" && judge(rule, text);
      rule.dataset.met = met;
      rule.querySelector(".state").textContent = met ? ", met" : ", not met yet";
    }
    clearTimeout(this.timer);
    if (text) this.timer = setTimeout(() => this.say(), PAUSE);
  }

  say() {
    const open = this.rules.filter((rule) => rule.dataset.met === "false" && rule.parentElement.id === "rules");
    const missing = open.map((rule) => rule.querySelector("span").firstChild.data).join(". ");
    this.said.textContent = missing ? `Still needed: ${missing}` : "The password meets these rules.";
  }
}

customElements.define("password-rules", PasswordRules);
