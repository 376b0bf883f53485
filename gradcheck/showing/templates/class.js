"use strict";
// The page is complete without this script, but for most of a large class. Text goes into the page as text only.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const STATES = data.states;
  const SIGNS = data.signs;
  const SVG = "http://www.w3.org/2000/svg";
  const $ = (id) => document.getElementById(id);
  const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });

  const students = data.students.map((values, index) => {
    const student = { index };
    data.columns.forEach((name, place) => { student[name] = values[place]; });
    for (const letter of Object.keys(STATES)) student[letter] = student.states.split(letter).length - 1;
    student.text = [student.name, student.student, student.email, student.id].join("\n").toLowerCase();
    student.mistakes = [];
    return student;
  });
  data.mistakes.forEach((mistake, number) => {
    mistake.people = new Set(mistake.who);
    mistake.who.forEach((index) => students[index].mistakes.push(number));
  });

  function make(tag, properties, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(properties || {})) {
      if (name in element) element[name] = value; else element.setAttribute(name, value);
    }
    element.append(...children.filter((child) => child !== null && child !== ""));
    return element;
  }

  const plural = (count, word) => `${count.toLocaleString("en")} ${word}${count === 1 ? "" : "s"}`;
  const points = (value) => String(Math.round(value * 100) / 100);

  // The table of submissions.

  const table = $("student-table");
  const body = table && table.tBodies[0];
  let shown = students, page = 0, picked = null, printing = false;
  let order = { key: "name", down: false };

  function strip(states) {
    const width = data.places.length ? data.places[data.places.length - 1] + 5 : 1;
    const svg = document.createElementNS(SVG, "svg");
    const set = (element, values) => Object.entries(values).forEach(([name, value]) => element.setAttribute(name, value));
    set(svg, { class: "strip", width, height: 14, viewBox: `0 0 ${width} 14`, "aria-hidden": "true" });
    const paths = {};
    data.places.forEach((x, place) => {
      const letter = states[place];
      paths[letter] = `${paths[letter] || ""}M${x} ${data.shapes[letter]}`;
    });
    for (const [letter, d] of Object.entries(paths)) {
      const path = document.createElementNS(SVG, "path");
      set(path, { class: `s-${letter}`, d });
      svg.append(path);
    }
    return svg;
  }

  const number = (value) => make("td", { className: "number" }, String(value));

  function row(student) {
    const fold = make("button", { type: "button", className: "fold", "aria-expanded": "false" }, "▸");
    fold.setAttribute("aria-label", `More about ${student.student || student.name}`);
    fold.dataset.student = student.index;
    const person = [student.student && student.name, student.id].filter(Boolean).join(" · ");
    const marked = student.final !== null;
    const score = make("td", { className: "number" }, make("strong", {}, marked ? points(student.final) : "–"));
    if (!marked) {
      score.append(make("span", { className: "quiet before" }, `${student.ungraded} ungraded`));
    } else if (student.final !== student.score) {
      score.append(make("span", { className: "quiet before" }, `of ${points(student.score)} earned`));
    }
    return make(
      "tr", {},
      make(
        "th", { scope: "row" }, fold, make("a", { href: student.link }, student.student || student.name),
        person ? make("span", { className: "quiet person" }, person) : null,
      ),
      score, number(student.late || ""), number(student.p), number(student.f), number(student.e), number(student.n),
      number(student.problems.length || ""), make("td", { className: "states" }, strip(student.states)),
    );
  }

  function details(student) {
    const cell = make("td", { colSpan: 9 });
    if (student.email) cell.append(make("p", { className: "quiet" }, student.email));
    if (student.problems.length) {
      cell.append(make("h4", {}, "Notes"), make("ul", {}, ...student.problems.map((text) => make("li", {}, text))));
    }
    if (student.mistakes.length) {
      const items = student.mistakes.map((place) => {
        const mistake = data.mistakes[place];
        return make("li", {}, make("strong", {}, mistake.where), ` ${mistake.text} `, make("code", {}, mistake.code));
      });
      cell.append(make("h4", {}, "Mistakes"), make("ul", {}, ...items));
    }
    const chips = data.exercises.map(([name], place) => {
      const letter = student.states[place];
      const chip = make("span", { className: STATES[letter] }, `${SIGNS[letter]} ${name}`);
      chip.title = STATES[letter].replace("_", " ");
      return chip;
    });
    const letters = Object.keys(STATES).filter((letter) => students.some((each) => each[letter]));
    const legend = letters.map((letter) => `${SIGNS[letter]} ${STATES[letter].replace("_", " ")}`).join(", ");
    cell.append(make("h4", {}, `Exercises: ${legend}`), make("div", { className: "chips" }, ...chips));
    cell.append(make("p", { className: "quiet" }, make("a", { href: student.report }, "The whole report (JSON)")));
    return make("tr", { className: "more" }, cell);
  }

  function matches(student, words, state, exercise) {
    if (picked !== null && !data.mistakes[picked].people.has(student.index)) return false;
    if (!words.every((word) => student.text.includes(word))) return false;
    if (state === "late") return student.late > 0;
    if (state === "noted") return student.problems.length > 0;
    if (!state) return true;
    if (exercise !== "") {
      const own = STATES[student.states[exercise]];
      return state === "unpassed" ? own !== "passed" && own !== "ungraded" : own === state;
    }
    const all = student.states.length;
    return {
      passed: student.p === all, unpassed: student.p + student.u < all, failed: student.f > 0, errored: student.e > 0,
      not_started: student.n === all, ungraded: student.u > 0,
    }[state];
  }

  function compare(first, second) {
    const pick = (student) => ({
      problems: student.problems.length, name: student.student || student.name,
    }[order.key] ?? student[order.key]);
    const [a, b] = [pick(first), pick(second)];
    if (a === null || b === null) return Number(a === null) - Number(b === null) || first.index - second.index;
    const result = typeof a === "number" ? a - b : order.key === "states" ? (a < b ? -1 : Number(a > b)) : collator.compare(a, b);
    return (order.down ? -result : result) || first.index - second.index;
  }

  function update() {
    const words = $("search").value.toLowerCase().split(/\s+/).filter(Boolean);
    const [state, exercise] = [$("state").value, $("in-exercise").value];
    shown = students.filter((student) => matches(student, words, state, exercise)).sort(compare);
    page = 0;
    draw();
  }

  function draw() {
    const first = printing ? 0 : page * data.page;
    const last = printing ? shown.length : Math.min(shown.length, first + data.page);
    body.replaceChildren(...shown.slice(first, last).map(row));
    if (!shown.length) body.append(make("tr", {}, make("td", { colSpan: 9, className: "quiet" }, "No submission is like that.")));
    const range = shown.length > last - first ? `${(first + 1).toLocaleString("en")} to ${last.toLocaleString("en")} of ` : "";
    const rest = shown.length < students.length ? `, of ${students.length.toLocaleString("en")} in all` : "";
    $("showing").textContent = `${range}${plural(shown.length, "submission")}${rest}`;
    pages();
  }

  function pages() {
    const count = Math.ceil(shown.length / data.page);
    if (count < 2) { $("pages").replaceChildren(); return; }
    const button = (text, target, enabled) => {
      const made = make("button", { type: "button", disabled: !enabled }, text);
      made.dataset.page = target;
      return made;
    };
    $("pages").replaceChildren(
      button("Previous", page - 1, page > 0), make("span", {}, `Page ${page + 1} of ${count}`),
      button("Next", page + 1, page + 1 < count),
    );
  }

  function mark(head, key, down) {
    for (const cell of head.querySelectorAll("th[aria-sort]")) {
      cell.setAttribute("aria-sort", cell.dataset.key === key ? (down ? "descending" : "ascending") : "none");
    }
  }

  function unfold(button) {
    const line = button.closest("tr");
    const open = button.getAttribute("aria-expanded") === "true";
    button.setAttribute("aria-expanded", String(!open));
    button.textContent = open ? "▸" : "▾";
    if (open) line.nextElementSibling.remove(); else line.after(details(students[Number(button.dataset.student)]));
  }

  function choose(place) {
    picked = picked === place ? null : place;
    for (const button of document.querySelectorAll("[data-mistake]")) {
      button.setAttribute("aria-pressed", String(Number(button.dataset.mistake) === picked));
    }
    for (const box of [$("chosen"), $("picked")].filter(Boolean)) {
      box.hidden = picked === null;
      box.replaceChildren();
      if (picked === null) continue;
      const mistake = data.mistakes[picked];
      box.append(
        make("strong", {}, `${plural(mistake.who.length, "submission")}: ${mistake.where}`), ` ${mistake.text} `,
        make("code", {}, mistake.code),
      );
      if (box.id === "chosen") {
        const names = mistake.who.slice(0, 30).map((index) => students[index].student || students[index].name);
        const more = mistake.who.length - names.length;
        box.append(
          make("span", { className: "whose" }, names.join(", ") + (more > 0 ? ` and ${more} more` : "")),
          make("a", { href: "#students" }, "See them in the table"),
        );
      }
      box.append(make("button", { type: "button", className: "unpick" }, "Show all again"));
    }
    update();
  }

  if (table) {
    table.tHead.addEventListener("click", (event) => {
      const head = event.target.closest("th[aria-sort]");
      if (!head) return;
      const key = head.dataset.key;
      // Numbers begin with the largest, names with A.
      const down = order.key === key ? !order.down : !["name", "states"].includes(key);
      order = { key, down };
      mark(table.tHead, key, down);
      update();
    });
    body.addEventListener("click", (event) => {
      const button = event.target.closest(".fold");
      if (button) unfold(button);
    });
    $("pages").addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (!button) return;
      page = Number(button.dataset.page);
      draw();
      const again = [...$("pages").querySelectorAll("button")].find((each) => each.textContent === button.textContent);
      (again.disabled ? table : again).focus();
      $("students").scrollIntoView();
    });
    $("filters").addEventListener("submit", (event) => event.preventDefault());
    $("filters").addEventListener("input", () => { label(); update(); });
    $("clear").addEventListener("click", () => { $("filters").reset(); label(); choose(null); });
    document.addEventListener("click", (event) => {
      const mistake = event.target.closest("[data-mistake]");
      if (mistake) choose(Number(mistake.dataset.mistake));
      else if (event.target.closest(".unpick")) choose(null);
      const exercise = event.target.closest("[data-exercise]");
      if (!exercise) return;
      $("in-exercise").value = exercise.dataset.exercise;
      $("state").value = "unpassed";
      label();
      update();
      $("students").scrollIntoView();
      $("in-exercise").focus({ preventScroll: true });
    });
    window.addEventListener("beforeprint", () => { printing = true; draw(); });
    window.addEventListener("afterprint", () => { printing = false; draw(); });
  }

  function label() {
    const side = $("in-exercise").value === "" ? "any" : "one";
    for (const option of $("state").options) if (option.dataset[side]) option.textContent = option.dataset[side];
  }

  // The table of exercises, whose rows stand in the page already.

  const exercises = $("exercise-table");
  if (exercises) {
    let sorted = { key: "passed", down: false };
    mark(exercises.tHead, "passed", false);
    exercises.tHead.addEventListener("click", (event) => {
      const head = event.target.closest("th[aria-sort]");
      if (!head) return;
      const key = head.dataset.key;
      sorted = { key, down: sorted.key === key ? !sorted.down : !["name", "passed", "mean"].includes(key) };
      mark(exercises.tHead, key, sorted.down);
      const value = (line) => Number(line.dataset[key === "name" ? "place" : key]);
      const lines = [...exercises.tBodies[0].rows];
      lines.sort((a, b) => (sorted.down ? value(b) - value(a) : value(a) - value(b)) || a.dataset.place - b.dataset.place);
      exercises.tBodies[0].append(...lines);
    });
  }

  document.documentElement.classList.add("scripted");
  if (table) { label(); mark(table.tHead, "name", false); update(); }
})();
