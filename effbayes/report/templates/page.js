// The page can be read without this: it sorts tables, changes the light, and puts figures that
// can be explored in the place of those that stand still.
"use strict";
(() => {
  const root = document.documentElement;
  const bokeh = window.Bokeh;
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const make = (name, content, attributes = {}) => {
    const made = document.createElement(name);
    made.textContent = content;
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    return made;
  };

  // --- tables ------------------------------------------------------------------------------

  const compare = (a, b) => {
    const [x, y] = [a, b].map((cell) => cell.dataset.value);
    if (x !== undefined && y !== undefined) return Number(x) - Number(y);
    return a.textContent.localeCompare(b.textContent, "en", { numeric: true });
  };

  const sortBy = (table, place, rising) => {
    const body = table.tBodies[0];
    const numeric = table.tHead.rows[0].cells[place].classList.contains("number");
    const missing = (row) => numeric && row.cells[place].dataset.value === undefined;
    const rows = [...body.rows].sort((a, b) => {
      // What has no number comes last, whichever way the others go.
      if (missing(a) || missing(b)) return missing(a) - missing(b);
      return (rising ? 1 : -1) * compare(a.cells[place], b.cells[place]);
    });
    body.append(...rows);
  };

  for (const table of document.querySelectorAll("figure.table table")) {
    if (table.tBodies[0].rows.length < 2) continue;
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, place) => {
      const button = make("button", head.textContent, { type: "button" });
      // Chromium does not print a button again at the head of a table's next page.
      const printed = make("span", head.textContent, { class: "printed" });
      head.replaceChildren(button, printed);
      button.addEventListener("click", () => {
        const rising = head.getAttribute("aria-sort") !== "ascending";
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", rising ? "ascending" : "descending");
        sortBy(table, place, rising);
      });
    });
  }

  // A box that scrolls can be reached by keyboard; one that does not is no stop.
  const reachScrolling = () => {
    for (const box of document.querySelectorAll(".scroll")) {
      const scrolls = box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight + 1;
      if (scrolls) box.setAttribute("tabindex", "0");
      else box.removeAttribute("tabindex");
    }
  };
  window.addEventListener("resize", reachScrolling);
  document.addEventListener("toggle", reachScrolling, true);
  reachScrolling();

  // --- figures -----------------------------------------------------------------------------

  // What is painted: a model, its property, and the name that the page has for the colour.
  const painted = [];
  const palette = JSON.parse(document.getElementById("palette").textContent);

  const colorsOf = (model) => {
    for (const property of model) {
      if (!property.attr.endsWith("color")) continue;
      const value = model[property.attr];
      const name = palette[String(value?.value ?? value).toLowerCase()];
      if (name) painted.push([model, property.attr, name, value?.value !== undefined]);
    }
  };

  const repaint = () => {
    const style = getComputedStyle(root);
    for (const [model, attribute, name, isSpec] of painted) {
      const color = style.getPropertyValue(`--${name}`).trim();
      model.setv({ [attribute]: isSpec ? { value: color } : color });
    }
  };

  const scaled = (range, factor, log) => {
    const [to, from] = log ? [Math.exp, Math.log] : [(x) => x, (x) => x];
    const [start, end] = [from(range.start), from(range.end)];
    const [middle, half] = [(start + end) / 2, ((end - start) / 2) * factor];
    range.setv({ start: to(middle - half), end: to(middle + half) });
  };

  const button = (words, name, act) => {
    const made = make("button", words, { type: "button" });
    if (name) made.setAttribute("aria-label", name);
    made.addEventListener("click", () => act(made));
    return made;
  };

  const zoomButtons = (plots) => {
    const first = new Map();
    for (const plot of plots) {
      for (const range of [plot.x_range, plot.y_range]) {
        first.set(range, { start: range.start, end: range.end });
      }
    }
    const zoom = (factor) => () => {
      for (const plot of plots) {
        scaled(plot.x_range, factor, plot.x_scale.type === "LogScale");
        if (!plot.tags.includes("names")) {
          scaled(plot.y_range, factor, plot.y_scale.type === "LogScale");
        }
      }
    };
    const group = make("div", "", { role: "group", "aria-label": "Zoom" });
    group.append(
      button("−", "Zoom out", zoom(1.5)),
      button("+", "Zoom in", zoom(1 / 1.5)),
      button("Reset", "", () => first.forEach((ends, range) => range.setv(ends))),
    );
    return group;
  };

  const viewButtons = (tabs) => {
    const group = make("div", "", { role: "group", "aria-label": "View" });
    // The page's own buttons, which a keyboard reaches, stand for the heads of the tabs.
    tabs.stylesheets = [...tabs.stylesheets, ".bk-header { display: none; }"];
    tabs.tabs.forEach((tab, place) => {
      group.append(button(tab.title, "", (pressed) => {
        tabs.active = place;
        for (const other of group.children) {
          other.setAttribute("aria-pressed", String(other === pressed));
        }
      }));
    });
    group.firstElementChild.setAttribute("aria-pressed", "true");
    for (const other of [...group.children].slice(1)) other.setAttribute("aria-pressed", "false");
    return group;
  };

  const explore = async (figure) => {
    const place = figure.querySelector(".live");
    const item = JSON.parse(figure.querySelector("script.data").textContent);
    place.hidden = false;
    const views = await bokeh.embed.embed_item(item, place.id);
    const top = [...views.roots][0].model;
    const models = [...top.document.all_models];
    const plots = models.filter((model) => model.type === "Figure");
    for (const plot of plots) plot.toolbar.visible = false;
    if (window.matchMedia("(pointer: coarse)").matches) {
      // A finger that drags scrolls the page.
      for (const model of models) if (model.type === "PanTool") model.active = false;
    }
    const controls = make("div", "", { class: "controls" });
    controls.append(top.type === "Tabs" ? viewButtons(top) : make("span", ""), zoomButtons(plots));
    place.before(controls);
    figure.classList.add("is-live");
    models.forEach(colorsOf);
    repaint();
  };

  const figures = [...document.querySelectorAll("figure.picture")].filter((figure) =>
    figure.querySelector("script.data"),
  );
  if (bokeh && "IntersectionObserver" in window) {
    const seen = new IntersectionObserver((entries) => {
      for (const entry of entries) {
        if (!entry.isIntersecting) continue;
        seen.unobserve(entry.target);
        explore(entry.target);
      }
    }, { rootMargin: "50% 0px" });
    figures.forEach((figure) => seen.observe(figure));
  }

  // --- light and dark ----------------------------------------------------------------------

  const theme = document.getElementById("theme");
  const kept = {
    get: () => { try { return localStorage.getItem("effbayes-theme"); } catch { return null; } },
    set: (value) => { try { localStorage.setItem("effbayes-theme", value); } catch { /* private */ } },
  };
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : dark.matches);
  const relight = () => {
    theme.textContent = isDark() ? "Light page" : "Dark page";
    repaint();
  };
  if (["light", "dark"].includes(kept.get())) root.dataset.theme = kept.get();
  theme.hidden = false;
  theme.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    kept.set(root.dataset.theme);
    relight();
  });
  dark.addEventListener("change", relight);
  relight();
})();
