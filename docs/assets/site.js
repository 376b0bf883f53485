// A failure in a terminal's session has its colours: what is wrong, what to think about, and what is not checked yet.
const marks = { Think: "think", "Not checked": "quiet" };
let mark = "";
for (const { classList, textContent } of document.querySelectorAll(".language-console .go")) {
  const title = /^\w+\.\w+ +\[[\w-]+\]/.test(textContent);
  const [, said] = textContent.match(/^ {2}(Answer|Think|Again|More|Not checked)/) ?? [];
  if (said) mark = marks[said] ?? "";
  else if (!/^ {2}/.test(textContent)) mark = title ? "bad" : "";
  if (title) classList.add("quiet");
  else if (mark && /^ {2,4}\S/.test(textContent)) classList.add(mark);
}

// What scrolls sideways is reached by the keyboard, once the theme has laid it out; from phones the theme takes that away.
const reach = ({ target }) => {
  if (target.tabIndex && target.scrollWidth > target.clientWidth) target.tabIndex = 0;
};
const sized = new ResizeObserver((entries) => entries.forEach(reach));
const changed = new MutationObserver((entries) => entries.forEach(reach));
const watch = () => {
  const wide = ".md-typeset__scrollwrap, .md-typeset pre > code, .wide, .computation, .md-typeset math";
  for (const each of document.querySelectorAll(wide)) {
    sized.observe(each);
    changed.observe(each, { attributeFilter: ["tabindex"] });
  }
};
watch();
addEventListener("load", watch);

// On a phone these two are drawn as buttons, and are to be reached as such.
for (const each of document.querySelectorAll(".md-header label:is([for=__drawer], [for=__search])")) {
  each.tabIndex = 0;
  each.role = "button";
}

// The search has a tree and a style of its own, in which the way to a result is too faint.
addEventListener("focusin", ({ target: { shadowRoot } }) => {
  if (!shadowRoot || shadowRoot.querySelector("style.site")) return;
  const style = document.createElement("style");
  style.className = "site";
  style.textContent = "[id$='-path'] { color: rgb(var(--color-foreground) / 0.7) !important }";
  shadowRoot.append(style);
});
