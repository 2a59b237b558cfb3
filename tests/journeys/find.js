// Visible elements of a role (arguments[0]) whose accessible name is (arguments[2] "whole") or
// contains (arguments[2] "part") arguments[1]. Names are computed as the accessible name
// computation says, for what this page uses.
const [role, wanted, how] = arguments;

const IMPLICIT = {
  button: "button, summary, input[type=button], input[type=submit]",
  link: "a[href]",
  textbox: "input:not([type]), input[type=text], input[type=url], input[type=email], input[type=password], textarea",
  searchbox: "input[type=search]",
  checkbox: "input[type=checkbox]",
  radio: "input[type=radio]",
  combobox: "select",
  option: "option",
  heading: "h1, h2, h3, h4",
  list: "ul, ol",
  listitem: "li",
  navigation: "nav",
  main: "main",
  region: "section",
  dialog: "dialog[open]",
  table: "table",
  row: "tr",
  article: "article",
  img: "img",
  group: "fieldset, details",
  form: "form",
  progressbar: "progress",
  status: "output",
};

const implicit = IMPLICIT[role];
const candidates = document.querySelectorAll(
  `[role~="${role}"]` + (implicit ? `, :is(${implicit}):not([role])` : ""),
);

const tidy = (text) => (text ?? "").replace(/\s+/g, " ").trim();

function content(node) {
  if (node.nodeType === Node.TEXT_NODE) return node.data;
  if (node.nodeType !== Node.ELEMENT_NODE) return "";
  if (node.getAttribute("aria-hidden") === "true" || getComputedStyle(node).display === "none") return "";
  const label = tidy(node.getAttribute("aria-label"));
  if (label) return ` ${label} `;
  if (node.tagName === "IMG") return ` ${node.alt} `;
  const inline = getComputedStyle(node).display.startsWith("inline");
  const inner = [...node.childNodes].map(content).join("");
  return inline && getComputedStyle(node).display === "inline" ? inner : ` ${inner} `;
}

function name(element) {
  const by = element.getAttribute("aria-labelledby");
  if (by) {
    return tidy(by.split(/\s+/).map((id) => content(document.getElementById(id) ?? document.createTextNode(""))).join(" "));
  }
  const label = tidy(element.getAttribute("aria-label"));
  if (label) return label;
  if (element.labels?.length) return tidy([...element.labels].map(labelText).join(" "));
  const own = tidy(content(element));
  return own || tidy(element.getAttribute("title") ?? element.getAttribute("placeholder"));
}

/** A label's text without the field inside it. */
function labelText(label) {
  return [...label.childNodes]
    .filter((node) => !(node instanceof HTMLElement && node.matches("input, select, textarea")))
    .map(content)
    .join("");
}

function visible(element) {
  if (element.closest("[aria-hidden=true], [inert]")) return false;
  return element.checkVisibility?.({ visibilityProperty: true }) ?? element.getClientRects().length > 0;
}

return [...candidates].filter((element) => {
  if (!visible(element)) return false;
  const found = name(element);
  return how === "whole" ? found === wanted : found.includes(wanted);
});
