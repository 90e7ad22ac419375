// Passkeys: asks the registry for a challenge, lets the device sign it, sends the answer. Without this file the codes work.
"use strict";
(() => {
  const bytes = (text) =>
    Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (letter) => letter.charCodeAt(0));
  const text = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  const known = (list) => (list || []).map((one) => ({ ...one, id: bytes(one.id) }));

  const send = (address, form, body) =>
    fetch(address, {
      method: "POST",
      credentials: "same-origin",
      redirect: "error",
      headers: { "Content-Type": "application/json", "X-CSRFToken": form.elements.csrfmiddlewaretoken.value },
      body: JSON.stringify(body),
    });

  const asked = async (form) => {
    const answer = await send(form.dataset.ask, form, {});
    if (!answer.ok) throw new Error("refused");
    const options = await answer.json();
    return { ...options, challenge: bytes(options.challenge) };
  };

  const add = async (options) => {
    const user = { ...options.user, id: bytes(options.user.id) };
    const publicKey = { ...options, user, excludeCredentials: known(options.excludeCredentials) };
    const made = await navigator.credentials.create({ publicKey });
    const { attestationObject, clientDataJSON } = made.response;
    return said(made, { attestationObject: text(attestationObject), clientDataJSON: text(clientDataJSON) });
  };

  const show = async (options) => {
    const publicKey = { ...options, allowCredentials: known(options.allowCredentials) };
    const shown = await navigator.credentials.get({ publicKey });
    const { authenticatorData, clientDataJSON, signature, userHandle } = shown.response;
    return said(shown, {
      authenticatorData: text(authenticatorData),
      clientDataJSON: text(clientDataJSON),
      signature: text(signature),
      userHandle: userHandle ? text(userHandle) : null,
    });
  };

  const said = (credential, response) => ({
    id: credential.id,
    rawId: text(credential.rawId),
    type: credential.type,
    response,
    clientExtensionResults: {},
  });

  const start = async (form) => {
    try {
      const options = await asked(form);
      const answer = await send(form.dataset.answer, form, await (form.dataset.adds ? add : show)(options));
      const way = answer.ok ? (await answer.json()).way : "";
      if (way) window.location.assign(way);
      else window.location.reload();
    } catch (error) {
      // Given up, no device, or the session is over: the page, loaded anew, says what is wanted.
      if (error.name !== "NotAllowedError") window.location.reload();
    }
  };

  if (!window.PublicKeyCredential) return;
  for (const note of document.querySelectorAll(".without-passkeys")) note.hidden = true;
  for (const form of document.querySelectorAll("form.passkey")) {
    form.hidden = false;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      start(form);
    });
  }
})();
