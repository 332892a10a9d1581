/* Sorting and filtering of tables. Without it every table is whole and in the paper's order. */
"use strict";
(() => {
  const FEWEST = 4; // rows below which there is nothing to filter

  function value(row, column, numeric) {
    const cell = row.cells[column];
    const text = cell.dataset.value ?? cell.textContent.trim();
    return numeric ? (text === "" ? null : Number(text)) : text.toLowerCase();
  }

  /* What has no number stays at the end, whichever way is sorted. */
  function compare(a, b, down) {
    if (a === null || b === null) return (a === null) - (b === null);
    const order = typeof a === "number" ? a - b : a.localeCompare(b, "en", { numeric: true });
    return down ? -order : order;
  }

  function sort(table, header) {
    const numeric = header.dataset.sort === "number";
    const before = header.getAttribute("aria-sort");
    const down = before ? before === "ascending" : numeric;
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", down ? "descending" : "ascending");
    const body = table.tBodies[0];
    const keyed = [...body.rows].map((row) => [value(row, header.cellIndex, numeric), row]);
    keyed.sort((a, b) => compare(a[0], b[0], down));
    body.append(...keyed.map(([, row]) => row));
    once(table);
  }

  /* A sentence that rows in succession share is shown in the first of them alone. */
  function once(table) {
    let before = null;
    for (const row of table.tBodies[0].rows) {
      const sentence = row.querySelector(".sentence");
      if (!sentence || row.hidden) continue;
      row.classList.toggle("again", sentence.textContent === before);
      before = sentence.textContent;
    }
  }

  function sortable(table) {
    if (table.tBodies[0].rows.length < 2) return;
    for (const header of table.tHead.rows[0].cells) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "sort";
      const link = header.querySelector("a");
      if (link) {
        button.setAttribute("aria-label", `sort by ${link.textContent.trim()}`);
        link.after(button);
      } else {
        button.append(header.firstChild);
        header.prepend(button);
      }
      button.addEventListener("click", () => sort(table, header));
    }
  }

  function labelled(text, control) {
    const label = document.createElement("label");
    label.append(text, control);
    return label;
  }

  function codes(table) {
    const found = [...table.tBodies[0].rows].flatMap((row) => (row.dataset.code ?? "").split(" "));
    return [...new Set(found)].filter(Boolean).sort();
  }

  function filterable(table) {
    const rows = [...table.tBodies[0].rows];
    if (rows.length < FEWEST) return;
    const tools = document.createElement("div");
    tools.className = "tools";
    const words = document.createElement("input");
    words.type = "search";
    words.autocomplete = "off";
    tools.append(labelled(`Filter by ${table.dataset.filter}`, words));
    const chosen = document.createElement("select");
    const known = codes(table);
    if (known.length > 1) {
      chosen.append(new Option("all", ""));
      for (const code of known) chosen.append(new Option(code.replaceAll("_", " "), code));
      tools.append(labelled("Verdict", chosen));
    }
    const count = document.createElement("span");
    count.setAttribute("role", "status");
    tools.append(count);

    function apply() {
      const asked = words.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const row of rows) {
        const text = row.textContent.toLowerCase();
        const own = (row.dataset.code ?? "").split(" ");
        row.hidden = !asked.every((word) => text.includes(word)) || (chosen.value !== "" && !own.includes(chosen.value));
        shown += !row.hidden;
      }
      once(table);
      count.textContent = shown === rows.length ? `${rows.length} rows` : `${shown} of ${rows.length} rows`;
    }

    words.addEventListener("input", apply);
    chosen.addEventListener("change", apply);
    apply();
    (table.closest(".scroll") ?? table).before(tools);
  }

  for (const table of document.querySelectorAll("table[data-table]")) {
    sortable(table);
    filterable(table);
  }
})();
