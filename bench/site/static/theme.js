/* Light or dark: as the reader chose before, else as the system says. Runs before the page is painted. */
"use strict";
(() => {
  const key = "marl-distill-bench-theme";
  const root = document.documentElement;
  const system = window.matchMedia("(prefers-color-scheme: dark)");

  function chosen() {
    try {
      return window.localStorage.getItem(key);
    } catch {
      return null; // a browser that keeps nothing for local files
    }
  }

  function show(theme) {
    root.dataset.theme = theme;
    const button = document.getElementById("theme");
    if (button) {
      const other = theme === "dark" ? "light" : "dark";
      button.textContent = other === "dark" ? "Dark" : "Light";
      button.setAttribute("aria-label", `Show in ${other} colours`);
      button.hidden = false;
    }
    document.dispatchEvent(new CustomEvent("theme"));
  }

  function current() {
    const kept = chosen();
    return kept === "dark" || kept === "light" ? kept : system.matches ? "dark" : "light";
  }

  show(current());
  system.addEventListener("change", () => show(current()));
  document.addEventListener("DOMContentLoaded", () => {
    show(root.dataset.theme);
    document.getElementById("theme").addEventListener("click", () => {
      const theme = root.dataset.theme === "dark" ? "light" : "dark";
      try {
        window.localStorage.setItem(key, theme);
      } catch {
        /* it then holds for this page alone */
      }
      show(theme);
    });
  });
})();
