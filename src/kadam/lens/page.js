// What is wider than its place can be moved by keyboard.
addEventListener("load", () => {
  for (const one of document.querySelectorAll("pre,.formula")) if (one.scrollWidth > one.clientWidth) one.tabIndex = 0;
});
// On paper what is short stands open; of what is long only what the reader has opened.
let folded = [];
addEventListener("beforeprint", () => {
  folded = [...document.querySelectorAll("details:not(.long):not([open])")];
  for (const one of folded) one.open = true;
});
addEventListener("afterprint", () => {
  for (const one of folded) one.open = false;
});
