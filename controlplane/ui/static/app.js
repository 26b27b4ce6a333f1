// Says when what is shown may be old. Everything else works without a script.
(() => {
  const away = () => document.getElementById("away");
  const show = (gone) => { const note = away(); if (note) note.hidden = !gone; };
  document.addEventListener("away", () => show(true));
  document.addEventListener("here", () => show(false));
  document.addEventListener("htmx:after:sse:message", (event) => {
    if (!event.detail?.message?.event) show(false);
  });
  document.addEventListener("htmx:sse:error", (event) => {
    if (event.detail?.status === 401) { location.reload(); return; }
    show(true);
  });
  document.addEventListener("htmx:sse:close", () => show(true));
  window.addEventListener("offline", () => show(true));
  // A form that cannot be sent keeps what was typed: the browser would show its own error page instead.
  document.addEventListener("submit", async (event) => {
    const form = event.target;
    if (form.method !== "post" || form.dataset.sent) return;
    event.preventDefault();
    try {
      await fetch("/healthz", { cache: "no-store" });
    } catch {
      show(true);
      away()?.scrollIntoView();
      return;
    }
    form.dataset.sent = "yes";
    form.requestSubmit(event.submitter);
    delete form.dataset.sent;
  });
})();
