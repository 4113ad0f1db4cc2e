// Views of which one is seen at a time: tabs by click and by arrow keys, lists to choose from, links by `#`.
"use strict";
(() => {
  function start(root) {
    const own = (query) => [...root.querySelectorAll(query)].filter((it) => it.closest(".views") === root);
    const views = own(".view");
    const tabs = own("[role=tab]");
    const [list] = own("select");

    function show(place, focus) {
      const wanted = (place + views.length) % views.length;
      views.forEach((view, at) => { view.hidden = at !== wanted; });
      tabs.forEach((tab, at) => {
        tab.setAttribute("aria-selected", String(at === wanted));
        tab.tabIndex = at === wanted ? 0 : -1;
      });
      if (list) list.selectedIndex = wanted;
      if (tabs.length) keepInSight(tabs[wanted]);
      if (focus) tabs[wanted].focus({ preventScroll: true });
    }

    // Moves the row of tabs alone, never the page.
    function keepInSight(tab) {
      const row = tab.parentElement;
      const [from, to] = [tab.offsetLeft - row.offsetLeft, tab.offsetLeft - row.offsetLeft + tab.offsetWidth];
      if (from < row.scrollLeft) row.scrollLeft = from - 24;
      else if (to > row.scrollLeft + row.clientWidth) row.scrollLeft = to - row.clientWidth + 24;
    }

    const shown = () => views.findIndex((view) => !view.hidden);
    const steps = { ArrowRight: () => shown() + 1, ArrowLeft: () => shown() - 1, Home: () => 0, End: () => views.length - 1 };
    tabs.forEach((tab, place) => {
      tab.addEventListener("click", () => {
        show(place);
        remember(views[place]);
      });
      tab.addEventListener("keydown", (event) => {
        const step = event.ctrlKey || event.metaKey || event.altKey ? undefined : steps[event.key];
        if (!step) return;
        event.preventDefault();
        show(step(), true);
        remember(views[shown()]);
      });
    });
    list?.addEventListener("change", () => show(list.selectedIndex));
    for (const button of own("[data-step]")) {
      button.addEventListener("click", () => show(shown() + Number(button.dataset.step)));
    }
    root.reveal = (view) => { if (views.includes(view)) show(views.indexOf(view)); };
    show(0);
  }

  // The address names the tab, so that a reader comes back to it.
  function remember(view) {
    try {
      history.replaceState(null, "", "#" + view.id);
    } catch {
      // Some browsers refuse that for files.
    }
  }

  // Shows what an id names, with all views around it.
  function reveal(id) {
    const wanted = id && document.getElementById(id);
    if (!wanted) return;
    for (let at = wanted; at; at = at.parentElement) {
      if (at.matches?.(".view")) at.closest(".views").reveal(at);
      if (at.matches?.("details")) at.open = true;
    }
    if (wanted.matches("main > .view")) window.scrollTo(0, 0);
    else wanted.closest(".views").scrollIntoView({ block: "start" });
  }

  document.querySelectorAll(".views").forEach(start);
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[href^='#']");
    if (!link) return;
    event.preventDefault();
    const id = link.getAttribute("href").slice(1);
    reveal(id);
    const view = document.getElementById(id);
    if (view) remember(view);
  });
  window.addEventListener("hashchange", () => reveal(location.hash.slice(1)));
  reveal(location.hash.slice(1));
})();
