// A single-page app, as the documentation of @auth0/auth0-spa-js has it. The test says how it is configured.
const shown = document.querySelector("#state");
const origin = location.origin;

async function show(client) {
  const user = await client.getUser();
  shown.textContent = user ? `Hello ${user.email}` : "Nobody is logged in";
}

async function begin() {
  const client = await auth0.createAuth0Client(window.configuration);
  if (/[?&](code|error)=/.test(location.search)) {
    await client.handleRedirectCallback();
    history.replaceState({}, "", "/");
  }
  const on = (id, action) => document.getElementById(id).addEventListener("click", () => action().catch(fail));
  on("log-in", () => client.loginWithRedirect());
  on("log-out", () => client.logout({ logoutParams: { returnTo: `${origin}/` } }));
  on("pop-up", async () => {
    await client.loginWithPopup();
    await show(client);
  });
  window.client = client;
  await show(client);
}

function fail(error) {
  shown.textContent = `${error.error}: ${error.message}`;
}

begin().catch(fail);
