"use strict";
const root = document.documentElement, by = id => document.getElementById(id);
const theme = by("theme"), save = by("save"), result = by("result");
theme.hidden = false;
theme.addEventListener("click", () => {
  const now = root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  root.dataset.theme = now === "dark" ? "light" : "dark";
});
if (save) {
  save.hidden = false;
  save.addEventListener("click", () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([result.textContent], { type: "application/json" }));
    link.download = "result.json";
    link.click();
  });
  JSON.parse(result.textContent);
}
const folds = [...document.querySelectorAll("main > details")];
const named = () => { const of = by(location.hash.slice(1)); if (of && of.tagName === "DETAILS") of.open = true; };
addEventListener("hashchange", named);
addEventListener("beforeprint", () => folds.forEach(of => { of.dataset.was = of.open; of.open = true; }));
addEventListener("afterprint", () => folds.forEach(of => { of.open = of.dataset.was === "true"; }));
named();
root.dataset.ready = "yes";
