// One's own page while a provider has not told: ask again quietly, and show the news once. Without this file the
// page reloads itself instead.

async function ask(address) {
  await new Promise((later) => setTimeout(later, 3000));
  let answer, next;
  try {
    answer = await fetch(address);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    next = page.querySelector("[data-again]")?.dataset.again;
  } catch {
    return ask(address); // no network for a moment
  }
  if (next) return ask(next);
  location.replace(answer.url);
}

ask(document.querySelector("[data-again]").dataset.again);
