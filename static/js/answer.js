// Hands the answer of a sign-in to the application: by a form that sends itself, or by a message to the window that
// asked. The message names the one origin that may read it; a page of any other gets nothing.

const answer = document.getElementById("answer");

if (answer instanceof HTMLFormElement) {
  answer.submit();
} else {
  const asker = window.opener ?? (window.parent === window ? null : window.parent);
  const response = JSON.parse(answer.dataset.response);
  asker?.postMessage({ type: "authorization_response", response }, answer.dataset.origin);
}
