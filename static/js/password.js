/** <password-field> around a password input adds a button that shows what was typed. */
class PasswordField extends HTMLElement {
  connectedCallback() {
    this.input = this.querySelector("input");
    this.button = document.createElement("button");
    this.button.type = "button";
    this.button.className = "inside";
    this.button.setAttribute("aria-controls", this.input.id);
    this.button.addEventListener("click", () => this.show(this.input.type === "password"));
    // Sent as a password, or managers do not offer to save it and the browser may remember it as plain text.
    this.input.form.addEventListener("submit", () => this.show(false));
    this.show(false);
    this.append(this.button);
  }

  show(shown) {
    this.input.type = shown ? "text" : "password";
    this.button.textContent = shown ? "Hide" : "Show";
    this.button.setAttribute("aria-label", shown ? "Hide password" : "Show password");
  }
}

customElements.define("password-field", PasswordField);
