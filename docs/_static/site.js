// What the theme leaves out for listeners: levels of headings, names of regions, focus in code.
addEventListener("DOMContentLoaded", () => {
  for (const caption of document.querySelectorAll("p.caption[role=heading]")) {
    caption.setAttribute("aria-level", "2");
  }
  for (const [selector, name] of [[".sidebar-drawer", "pages"], [".toc-drawer", "this page"]]) {
    document.querySelector(selector)?.setAttribute("aria-label", name);
  }
  for (const code of document.querySelectorAll("pre, .table-wrapper")) code.tabIndex = 0;
  if (!document.querySelector("h1")) {  // the page of search results
    document.querySelector("article").insertAdjacentHTML("afterbegin", "<h1>Search</h1>");
  }
});
