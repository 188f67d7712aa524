// Comforts only: every page works without this file.

for (const button of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) break; // only a secure context has one
  button.hidden = false;
  button.addEventListener("click", async () => {
    const told = button.parentElement.querySelector("[role=status]");
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
      told.textContent = button.dataset.copied;
    } catch {
      told.textContent = button.dataset.refused;
    }
  });
}

// The list of errors is what a person must read first.
document.querySelector(".summary")?.focus();
