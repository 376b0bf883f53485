// In a terminal's session what is wrong and what to think about have their colours; the latter goes on, further in.
let thinking = false;
for (const { classList, textContent } of document.querySelectorAll(".language-console .go")) {
  thinking = /^ +Think:/.test(textContent) || (thinking && /^ {4}/.test(textContent));
  classList.toggle("think", thinking);
  classList.toggle("bad", /^\w+\.\w+ +\[[\w-]+\]/.test(textContent));
}

// What scrolls sideways is reached by the keyboard, once the theme has laid it out; from phones the theme takes that away.
const reach = ({ target }) => {
  if (target.tabIndex && target.scrollWidth > target.clientWidth) target.tabIndex = 0;
};
const sized = new ResizeObserver((entries) => entries.forEach(reach));
const changed = new MutationObserver((entries) => entries.forEach(reach));
const watch = () => {
  const wide = ".md-typeset__scrollwrap, .md-typeset pre > code, .wide, .md-typeset math";
  for (const each of document.querySelectorAll(wide)) {
    sized.observe(each);
    changed.observe(each, { attributeFilter: ["tabindex"] });
  }
};
watch();
addEventListener("load", watch);

// The search has a tree and a style of its own, in which the way to a result is too faint.
addEventListener("focusin", ({ target: { shadowRoot } }) => {
  if (!shadowRoot || shadowRoot.querySelector("style.site")) return;
  const style = document.createElement("style");
  style.className = "site";
  style.textContent = "[id$='-path'] { color: rgb(var(--color-foreground) / 0.7) !important }";
  shadowRoot.append(style);
});
