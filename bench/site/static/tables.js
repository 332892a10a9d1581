/* Sorting and filtering of tables. Without it every table is whole and in the paper's order. */
"use strict";
(() => {
  const FEWEST = 4; // rows below which there is nothing to filter

  function value(row, column, numeric) {
    const cell = row.cells[column];
    const text = cell.dataset.value ?? cell.textContent.trim();
    return numeric ? (text === "" ? null : Number(text)) : text.toLowerCase();
  }

  /* A row without a number stays at the end in either order. */
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

  /* A sentence that successive rows share is shown only in the first of them. */
  function once(table) {
    let before = null;
    for (const row of table.tBodies[0].rows) {
      const sentence = row.querySelector(".sentence");
      if (!sentence || row.hidden) continue;
      row.classList.toggle("again", sentence.textContent === before);
      before = sentence.textContent;
    }
  }

  /* On a phone a row is a card, whose cells say their column. A screen reader would take it for no table, so roles are named. */
  function cards(table) {
    const labels = [...table.tHead.rows[0].cells].map((head) => {
      const own = head.cloneNode(true);
      own.querySelectorAll(".fine").forEach((more) => more.remove());
      return own.textContent.replace(/\s+/g, " ").trim();
    });
    table.classList.add("cards");
    table.setAttribute("role", "table");
    for (const part of [table.tHead, ...table.tBodies, table.tFoot].filter(Boolean)) {
      part.setAttribute("role", "rowgroup");
      for (const row of part.rows) {
        row.setAttribute("role", "row");
        for (const cell of row.cells) {
          cell.setAttribute("role", cell.tagName === "TD" ? "cell" : cell.scope === "row" ? "rowheader" : "columnheader");
          if (part !== table.tHead && cell.cellIndex) cell.dataset.label = labels[cell.cellIndex];
        }
      }
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
        button.append(...[...header.childNodes].filter((part) => !part.classList?.contains("fine")));
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

  /* What rows can be filtered by: `data-facets="code=Verdict;suite=Paper"`, each a data attribute of rows, a list of words. */
  function facets(table) {
    const named = (table.dataset.facets ?? "code=Verdict").split(";").map((text) => text.split("="));
    const rows = [...table.tBodies[0].rows];
    return named.flatMap(([key, label]) => {
      const found = [...new Set(rows.flatMap((row) => (row.dataset[key] ?? "").split(" ")))].filter(Boolean).sort();
      return found.length > 1 ? [{ key, label, found }] : [];
    });
  }

  /* The address holds every table's choices behind its #: `claims-table.code=reproduced&claims-table.words=maddpg`. */
  function stated() {
    const text = location.hash.slice(1);
    return new URLSearchParams(text.includes("=") ? text : "");
  }

  function state(id, choices, typed) {
    const now = stated();
    for (const key of [...now.keys()].filter((key) => key.startsWith(`${id}.`))) now.delete(key);
    for (const [key, value] of Object.entries(choices)) if (value) now.set(`${id}.${key}`, value);
    const hash = `#${now}`;
    if (hash === location.hash || (hash === "#" && !location.hash)) return;
    if (typed) history.replaceState(null, "", hash); // or every letter would be a step back
    else history.pushState(null, "", hash);
  }

  const filters = [];

  function filterable(table, index) {
    const rows = [...table.tBodies[0].rows];
    if (rows.length < FEWEST) return;
    const id = table.id || `table-${index}`;
    const tools = document.createElement("div");
    tools.className = "tools";
    tools.setAttribute("role", "search");
    tools.setAttribute("aria-label", `rows of ${table.closest(".scroll")?.getAttribute("aria-label") ?? "the table"}`);
    const words = document.createElement("input");
    words.type = "search";
    words.autocomplete = "off";
    tools.append(labelled(`Filter by ${table.dataset.filter}`, words));
    const controls = { words };
    for (const { key, label, found } of facets(table)) {
      const chosen = document.createElement("select");
      chosen.append(new Option("all", ""), ...found.map((value) => new Option(value.replaceAll("_", " "), value)));
      chosen.addEventListener("change", () => told(false));
      controls[key] = chosen;
      tools.append(labelled(label, chosen));
    }
    const count = document.createElement("span");
    count.setAttribute("role", "status");
    tools.append(count);

    function apply() {
      const asked = words.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const row of rows) {
        const text = row.textContent.toLowerCase();
        const fits = Object.entries(controls).every(([key, { value }]) => key === "words" || !value || (row.dataset[key] ?? "").split(" ").includes(value));
        row.hidden = !fits || !asked.every((word) => text.includes(word));
        shown += !row.hidden;
      }
      once(table);
      count.textContent = shown === rows.length ? `${rows.length} rows` : `${shown} of ${rows.length} rows`;
    }

    function told(typed) {
      apply();
      state(id, Object.fromEntries(Object.entries(controls).map(([key, { value }]) => [key, value])), typed);
    }

    /* Take the choices from the address; return whether it has any for this table. */
    function read() {
      const now = stated();
      for (const [key, control] of Object.entries(controls)) control.value = now.get(`${id}.${key}`) ?? "";
      apply();
      return [...now.keys()].some((key) => key.startsWith(`${id}.`));
    }

    words.addEventListener("input", () => told(true));
    (table.closest(".scroll") ?? table).before(tools);
    filters.push({ read, tools });
  }

  function readAll() {
    const named = filters.filter(({ read }) => read());
    return named[0]?.tools;
  }

  document.querySelectorAll(".scroll > table").forEach((table) => table.tHead && cards(table));
  document.querySelectorAll("table[data-table]").forEach((table, index) => {
    sortable(table);
    filterable(table, index);
  });
  window.addEventListener("popstate", readAll);
  window.addEventListener("hashchange", readAll);
  const first = readAll();
  first?.closest("details")?.setAttribute("open", "");
  first?.scrollIntoView();
})();
