// The data is text: every word of it goes into the page by textContent, and none of it is run.
const data = JSON.parse(document.getElementById("data").textContent);
const pictures = await unpacked(document.getElementById("leaves").textContent);
const home = document.getElementById("home"), leaf = document.getElementById("leaf");
const rows = pictures.rows.map((row, number) => ({ ...row, number }));

async function unpacked(letters) {
  const bytes = Uint8Array.from(atob(letters), (letter) => letter.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).json();
}
function el(tag, about = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(about)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name === "tone") made.style.setProperty("--tone", value);
    else if (value !== null && value !== undefined && value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== ""));
  return made;
}
const word = (row) => row.verdict || (row.outcome && row.outcome !== "info" ? row.outcome : "nothing compared");
const tone = (verdict) => (data.verdicts[verdict] || {}).color || "#868c96";
const mark = (row) => (data.outcomes[row.outcome] || {}).mark || "";
const severity = (row) => (data.verdicts[row.verdict] || { severity: 99 }).severity;
const name = (row) => (row.argument ? `${row.function} / ${row.argument}` : row.function);
const short = (number) => (number === null || number === undefined ? "" : Number(number).toPrecision(3).replace(/\.?0+($|e)/, "$1"));
const badness = (row) => [(data.outcomes[row.outcome] || {}).failing ? 0 : 1, severity(row), -(row.bits_lost ?? -1), -(row.error_ulp ?? -1)];
const byBadness = (a, b) => { const [x, y] = [badness(a), badness(b)]; const k = x.findIndex((v, i) => v !== y[i]); return k < 0 ? a.number - b.number : x[k] - y[k]; };
const called = (names, list) => Object.fromEntries(names.map((n, k) => [n, list[k]]));

// -- the rows -----------------------------------------------------------------------------------------------

const COLUMNS = [
  ["verdict", "Verdict", byBadness], ["function", "Function"], ["system", "System"], ["dtype", "Dtype"],
  ["input", "Point"], ["bits_lost", "Bits lost", (a, b) => (b.bits_lost ?? -1) - (a.bits_lost ?? -1)],
  ["error_ulp", "Ulps off", (a, b) => (b.error_ulp ?? -1) - (a.error_ulp ?? -1)], ["where", "Worst element"],
];
const asked = { text: "", verdict: "", sort: "verdict", way: 1, cell: null };
const varied = new Set(["verdict", "function", "bits_lost", "error_ulp", "where", ...["system", "dtype", "input"].filter((id) => new Set(rows.map((r) => r[id] || "")).size > 1)]);
const one = !rows.some((r) => r.function !== rows[0].function || r.system !== rows[0].system || r.dtype !== rows[0].dtype);
let shown = [];

function link(row, text) {
  return el("a", { href: `#row-${row.number}` }, text);
}

function lost(row) {
  return row.bits_lost === undefined || row.bits_lost === null ? "" : `${short(row.bits_lost)}${row.digits ? ` of ${row.digits}` : ""}`;
}

function line(row) {
  const cells = {
    verdict: el("span", { class: "said", tone: tone(row.verdict) }, `${mark(row)} ${word(row)}`), function: link(row, name(row)),
    system: row.system || "", dtype: row.dtype || "", input: row.input || "", bits_lost: lost(row), error_ulp: short(row.error_ulp), where: row.where || "",
  };
  return el("tr", {}, COLUMNS.filter(([id]) => varied.has(id)).map(([id]) => el("td", { class: id }, cells[id])));
}

function list(body) {
  const words = asked.text.toLowerCase().split(/\s+/).filter(Boolean);
  const text = (row) => `${name(row)} ${row.system} ${row.dtype} ${row.input} ${word(row)} ${row.diagnosis}`.toLowerCase();
  shown = rows.filter((row) => (!asked.verdict || word(row) === asked.verdict) && (!asked.cell || asked.cell(row)) &&
    words.every((w) => text(row).includes(w)));
  const compare = COLUMNS.find(([id]) => id === asked.sort)[2] ||
    ((a, b) => String(a[asked.sort] ?? "").localeCompare(String(b[asked.sort] ?? "")) || byBadness(a, b));
  shown.sort((a, b) => asked.way * compare(a, b));
  body.replaceChildren();
  more(body);
  const there = new Set(shown.map((row) => row.function));
  for (const tr of document.querySelectorAll(".matrix tbody tr")) tr.hidden = !there.has(tr.dataset.function);
  document.getElementById("many").textContent = `${shown.length} of ${rows.length} rows`;
  for (const button of document.querySelectorAll(".rows th button")) {
    if (button.dataset.id === asked.sort) button.dataset.way = asked.way; else delete button.dataset.way;
    button.parentElement.setAttribute("aria-sort", button.dataset.id !== asked.sort ? "none" : asked.way > 0 ? "ascending" : "descending");
  }
}

// Of thousands of rows those near the window are in the page, and all when it is printed.
const AT_ONCE = 200;
let waiting = null;

function more(body, count = AT_ONCE) {
  waiting?.disconnect();
  const there = body.children.length, last = Math.min(shown.length, there + count);
  body.append(...shown.slice(there, last).map(line));
  if (last === shown.length) return;
  waiting = new IntersectionObserver((seen) => { if (seen.some((one) => one.isIntersecting)) more(body); }, { rootMargin: "1200px" });
  waiting.observe(body.lastElementChild);
}
addEventListener("beforeprint", () => { const body = document.querySelector("#home .rows tbody"); if (body) more(body, Infinity); });

function matrix() {
  const kinds = [...new Set(rows.map((row) => `${row.system || ""}\u0000${row.dtype || ""}`))];
  const functions = [...new Set(rows.toSorted(byBadness).map((row) => row.function))]; // the worst first
  if (one) return points();
  const cells = new Map();
  for (const row of rows) {
    const key = `${row.function}\u0000${row.system || ""}\u0000${row.dtype || ""}`;
    cells.set(key, [...(cells.get(key) || []), row]);
  }
  const cell = (f, kind) => {
    const found = (cells.get(`${f}\u0000${kind}`) || []).toSorted(byBadness);
    if (!found.length) return el("td");
    const worst = found[0], of = found.length > 1 ? `, the worst of ${found.length} rows` : "";
    return el("td", { "data-kind": kind.replace("\u0000", " ").trim() }, el("a", { href: `#row-${worst.number}`, tone: tone(worst.verdict), title: `${f}, ${kind.replace("\u0000", " ")}: ${word(worst)}${of}` }, `${mark(worst)} ${word(worst)}`));
  };
  const breaking = (f) => f.split(/(?<=[._])/).flatMap((part) => [part, el("wbr")]); // a long name, at its dots
  const head = kinds.map((kind) => el("th", { scope: "col" }, kind.replace("\u0000", " ")));
  return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "the worst verdict of each function, system and dtype" },
    el("table", { class: "matrix" }, el("thead", {}, el("tr", {}, el("th", {}), head)),
      el("tbody", {}, functions.map((f) => el("tr", { "data-function": f }, el("th", { scope: "row" }, breaking(f)), kinds.map((kind) => cell(f, kind)))))));
}

function points() {
  // Of one function: its arguments, at each point.
  if (rows.length < 2) return "";
  const names = [...new Set(rows.map((row) => row.argument || ""))];
  return el("div", { class: "points" }, names.map((argument) => el("div", {}, el("b", {}, argument), rows.filter((row) => (row.argument || "") === argument).toSorted(byBadness).map((row) =>
    el("a", { href: `#row-${row.number}`, tone: tone(row.verdict), title: `${word(row)} at ${row.input}` }, `${mark(row)} ${row.probe || row.input}`)))));
}

function drawHome() {
  const body = el("tbody");
  const again = () => list(body);
  const sortBy = (id) => { asked.way = asked.sort === id ? -asked.way : 1; asked.sort = id; pick.value = id; again(); };
  const search = el("input", { type: "search", id: "filter", placeholder: "Filter: function, dtype, words of the reason  ( / )", "aria-label": "filter the rows", oninput: (e) => { asked.text = e.target.value; again(); } });
  const words = [...new Set(rows.toSorted(byBadness).map(word))];
  const choose = el("select", { "aria-label": "verdict", onchange: (e) => { asked.verdict = e.target.value; again(); } },
    el("option", { value: "" }, "all verdicts"), words.map((w) => el("option", { value: w }, w)));
  const pick = el("select", { "aria-label": "sort by", onchange: (e) => { asked.sort = e.target.value; asked.way = 1; again(); } },
    COLUMNS.filter(([id]) => varied.has(id)).map(([id, text]) => el("option", { value: id }, id === "verdict" ? "worst first" : `by ${text.toLowerCase()}`)));
  const head = COLUMNS.filter(([id]) => varied.has(id)).map(([id, text]) => el("th", { scope: "col" }, el("button", { "data-id": id, onclick: () => sortBy(id) }, text)));
  const table = el("table", { class: "rows" }, el("thead", {}, el("tr", {}, head)), body);
  const first = el("div", { id: "first" });
  const tools = el("div", { class: "tools", hidden: rows.length < 2 }, search, choose, pick, el("span", { class: "soft", id: "many", role: "status" }));
  home.replaceChildren(...[one ? "" : tools, matrix(), one ? first : "",
    one && rows.length > 1 ? el("h2", { class: "part" }, "All rows") : "", one ? tools : "",
    rows.length > 1 ? el("div", {}, table) : "", ...data.sections.map(section),
    data.command && !one ? el("section", {}, el("h2", { class: "part" }, "To show this again"), el("pre", { class: "command" }, data.command)) : ""].filter(Boolean));
  again();
  if (one && rows.length) drawLeaf(first, rows.toSorted(byBadness)[0], false);
}

function section(one) {
  const parts = [el("h2", { class: "part" }, one.title)];
  if (one.note) parts.push(el("p", { class: "soft" }, one.note));
  if (one.chart) parts.push(chart(one.chart, one.data, one.title));
  if (one.columns.length) parts.push(el("div", { class: "scroll", tabindex: "0" }, el("table", {},
    el("thead", {}, el("tr", {}, one.columns.map((c) => el("th", {}, c)))),
    el("tbody", {}, one.rows.map((r) => el("tr", {}, r.map((v) => el("td", { class: typeof v === "number" ? "number" : null }, String(v ?? "")))))))));
  return el("section", {}, parts);
}

// -- a row's page -------------------------------------------------------------------------------------------

function facts(pairs) {
  return el("dl", { class: "facts" }, pairs.filter(([, v]) => v !== null && v !== undefined && v !== "").map(([k, v]) => [el("dt", {}, k), el("dd", {}, String(v))]));
}

function drawLeaf(place, row, whole) {
  const value = row.value;
  const meaning = data.verdicts[row.verdict] || {};
  const about = [row.system, row.dtype, row.shape, row.input === "given" ? "" : row.input, row.probe, row.seed === undefined ? "" : `seed ${row.seed}`].filter(Boolean).join(", ");
  const at = shown.findIndex((r) => r.number === row.number);
  const step = (k, text) => shown[at + k] && at >= 0 ? el("a", { href: `#row-${shown[at + k].number}` }, text) : "";
  const command = row.command || data.command;
  const parts = [
    whole ? el("nav", { class: "steps", "aria-label": "rows" }, el("a", { href: "#" }, "All rows"), step(-1, "Previous row"), step(1, "Next row")) : "",
    el("h2", {}, name(row)), el("p", { class: "soft" }, about),
    el("p", {}, el("span", { class: "badge", tone: tone(row.verdict) }, `${mark(row)} ${word(row)}`)),
    el("p", { class: "why" }, [row.diagnosis, row.blame, row.excuse].filter(Boolean).join("\n") || row.reason || meaning.meaning || ""),
    facts([["worst element", row.where], ["computed", row.computed], ["true", row.true],
      ["off by", row.error_ulp === null || row.error_ulp === undefined ? "" : `${short(row.error_ulp)} ulps`],
      ["attainable (a)", row.attainable_ulp === undefined || row.attainable_ulp === null ? "" : `${short(row.attainable_ulp)} ulps, by rounding the inputs alone`],
      ["program bound (B)", row.bound_ulp === undefined || row.bound_ulp === null ? "" : `${short(row.bound_ulp)} ulps, by rounding its program`],
      ["bits lost", row.bits_lost === undefined || row.bits_lost === null ? "" : `${short(row.bits_lost)} of ${row.digits}; the budget is ${short(row.budget)}`],
      ["the function's value", value ? [value.verdict === "accurate" ? "as its program rounds" : word(value), value.where && `at ${value.where} computed ${value.computed}, true ${value.true}, ${short(value.error_ulp) || "infinitely many"} ulps off`, value.diagnosis].filter(Boolean).join("; ") : ""],
      ["this verdict means", row.diagnosis ? meaning.meaning : ""], ["what to do", row.advice ?? meaning.advice], ...(row.facts || [])]),
    command ? [el("h3", {}, "To show it again"), el("pre", { class: "command" }, command)] : [],
    over(row), tensorOf(row), sourceOf(row), others(row, whole),
  ];
  place.replaceChildren(...parts.flat(2).filter(Boolean));
}

const same = (a, b) => a.function === b.function && a.system === b.system && a.dtype === b.dtype;

function over(row) {
  // Every system that was asked about the same function in the same dtype, this one first.
  const of = rows.filter((r) => r.sweep !== undefined && r.function === row.function && r.dtype === row.dtype && (r.argument === row.argument || r.system !== row.system));
  const ours = of.filter((r) => r.number === row.number || (r.system === row.system && row.sweep === undefined));
  const known = new Map([...ours, ...of].map((r) => [r.system || "", r]).reverse());
  const each = [...known.values()].reverse().filter((r, k, all) => all.findIndex((o) => o.sweep === r.sweep) === k);
  if (!each.length) return "";
  const names = data.columns.point, sweeps = each.map((r) => pictures.sweeps[r.sweep]), first = sweeps[0];
  const beside = sweeps.some((s) => (s.values || []).length);
  const legend = [...new Set(sweeps.flatMap((s) => [...s.points, ...(s.values || [])]).map((p) => p[names.indexOf("verdict")]))].filter(Boolean);
  const figure = (r, sweep, of, list) => {
    const said = [beside ? of : "", each.length > 1 ? `${r.system}${r.input && r.input !== "given" ? `, at ${r.input}` : ""}` : ""].filter(Boolean).join(", ");
    const points = list.map((p) => ({ ...called(names, p), budget: sweep.budget, digits: sweep.digits }));
    return el("figure", {}, said ? el("figcaption", {}, said) : "",
      chart(data.charts[`over ${sweep.dtype}`], { points, given: [{ place: sweep.given[1] }] }, `bits of error of ${of} over ${sweep.argument}, ${r.system}`,
        { width: "fit", height: each.length > 1 || beside ? 150 : 230 }), numbersOf(list, [of, r.system].filter(Boolean).join(", ")));
  };
  return el("section", {}, el("h3", {}, "Error over the input"),
    el("p", { class: "soft" }, `${first.argument} goes over all numbers of its dtype, the other inputs stay; the upright line is at ${first.given[0]}. Point at a dot for its numbers.`),
    el("p", { class: "legend" }, legend.map((w) => el("span", { class: "said", tone: tone(w) }, w))),
    each.map((r, k) => [figure(r, sweeps[k], "the gradient", sweeps[k].points), (sweeps[k].values || []).length ? figure(r, sweeps[k], "the function's value", sweeps[k].values) : ""]));
}

function numbersOf(points, of) {
  // For who cannot point, and to copy: made when it is opened.
  const made = el("details", { ontoggle: () => {
    if (made.open && made.children.length === 1) made.append(el("div", { class: "scroll", tabindex: "0" }, el("table", { class: "code" },
      el("thead", {}, el("tr", {}, data.columns.point.map((c) => el("th", {}, c)))),
      el("tbody", {}, points.map((p) => el("tr", {}, p.map((v) => el("td", {}, v === null ? "" : String(v)))))))));
  } }, el("summary", { class: "soft" }, `The numbers of ${of}`));
  return made;
}

function tensorOf(row) {
  const tensor = pictures.tensors[row.tensor];
  if (!tensor || tensor.elements < 2) return "";
  const cells = tensor.cells.map((c) => called(data.columns.cell, c));
  const told = el("p", { class: "told", role: "status" });
  const side = Math.max(5, Math.min(30, Math.floor(Math.min(leafWidth(), 720) / tensor.columns)));
  const argument = row.argument || (row.where || "").split("[")[0];
  let at = Math.max(0, cells.findIndex((c) => c.worst)), view = null;
  const point = (k) => {
    at = k;
    const c = cells[k];
    told.textContent = `${argument}[${c.at}]: computed ${c.computed}, true ${c.true}; ${short(c.error_ulp) || "infinitely many"} ulps off, ${short(c.bits_lost)} bits lost, ${c.verdict}`;
    if (view) view.data("cursor", [{ row: c.row, column: c.column }]).run();
  };
  const move = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
  const picture = chart(data.charts[`heat ${row.digits}`], { cells, cursor: [{ row: cells[at].row, column: cells[at].column }] }, `bits lost in ${argument}`,
    { width: side * tensor.columns, height: side * tensor.rows }, (found) => {
      view = found;
      view.addEventListener("click", (_, item) => { const k = item && item.datum ? cells.findIndex((c) => c.row === item.datum.row && c.column === item.datum.column) : -1; if (k >= 0) point(k); });
    });
  const frame = el("div", { class: "heat", tabindex: "0", role: "application", "aria-label": "the tensor; arrow keys move from element to element", onkeydown: (e) => {
    const by = move[e.key];
    if (!by) return;
    e.preventDefault();
    const k = cells.findIndex((c) => c.row === cells[at].row + by[0] && c.column === cells[at].column + by[1]);
    if (k >= 0) point(k);
  } }, picture);
  point(at);
  const blocks = tensor.block[0] * tensor.block[1] > 1 ? ` A cell is the worst of ${tensor.block[0]} x ${tensor.block[1]} elements.` : "";
  return el("section", {}, el("h3", {}, "The tensor"),
    el("p", { class: "soft" }, `Bits lost in ${tensor.elements.toLocaleString("en")} elements, the worst marked with a cross.${blocks} Click one, or move with the arrow keys.`), frame, told);
}

function sourceOf(row) {
  const source = pictures.sources[row.source];
  if (!source) return "";
  const bar = (one) => one ? el("td", { class: "number share" }, `${(100 * one.share).toFixed(one.share && one.share < 0.1 ? 1 : 0)} %`, shareOf(one.share)) : el("td", { class: "share" });
  const bits = (one) => el("td", { class: "number" }, one && one.bits >= 0.5 ? `${one.bits.toFixed(0)}` : "");
  const ops = (l) => [...new Set([l.backward, l.forward].filter(Boolean).flatMap((o) => o.operations.split(", ")))].join(", ");
  const head = el("thead", {}, el("tr", {}, ["", "value", "bits cancel", "gradient", "bits cancel", "", ""].map((t) => el("th", {}, t))));
  const listing = (one) => el("figure", {}, el("figcaption", {}, `${one.function} (${one.file})`), el("div", { class: "scroll", tabindex: "0" },
    el("table", { class: "listing code" }, head.cloneNode(true), el("tbody", {}, one.lines.map((l) => el("tr", { class: l.guilty ? "guilty" : null },
      el("td", { class: "number" }, `${l.guilty ? "▶ " : ""}${l.number}`), bar(l.forward), bits(l.forward), bar(l.backward), bits(l.backward), el("td", {}, l.text), el("td", { class: "soft" }, ops(l))))))));
  const elsewhere = source.elsewhere.length ? el("figure", {}, el("figcaption", {}, "operations whose line is not known"), el("div", { class: "scroll", tabindex: "0" }, el("table", { class: "listing code" }, head.cloneNode(true),
    el("tbody", {}, source.elsewhere.map((l) => el("tr", {}, el("td"), bar(l.forward), bits(l.forward), bar(l.backward), bits(l.backward), el("td", {}, l.operation), el("td"))))))) : "";
  return el("section", {}, el("h3", {}, "The source"),
    el("p", { class: "soft" }, `Each line's share of the error bound at ${row.where || "the worst element"}, of the function's value (forward) and of its gradient (backward), and how many leading bits cancel there. ${source.note}`),
    source.listings.map(listing), elsewhere);
}

function shareOf(share) {
  const made = el("i");
  made.style.width = `${(3.4 * share).toFixed(2)}rem`;
  return made;
}

function others(row, whole) {
  const beside = rows.filter((r) => same(r, row) && r.argument === row.argument && !r.probe);
  const points = beside.filter((r) => r.tensor !== undefined).toSorted(byBadness).toSorted((a, b) => (b.input === "given") - (a.input === "given"));
  if (beside.length < 2 || (points.length < 2 && !whole)) return "";
  const elements = points.flatMap((r, order) => pictures.tensors[r.tensor].cells.map((c, k) => ({ ...called(data.columns.cell, c), input: r.input, order, number: k, digits: r.digits })));
  const parts = [el("h3", {}, "At other points")];
  if (points.length > 1) parts.push(el("p", { class: "soft" }, "Bits of error of each element of the gradient, a point a picture."), chart(data.charts[`points ${row.digits}`], { elements }, "bits of error at each point", { facets: true }));
  if (whole) parts.push(el("table", { class: "rows" }, el("tbody", {}, beside.toSorted(byBadness).map((r) => el("tr", {},
    el("td", {}, el("span", { class: "said", tone: tone(r.verdict) }, `${mark(r)} ${word(r)}`)),
    el("td", { class: "input" }, r.number === row.number ? r.input : link(r, r.input)),
    el("td", { class: "bits_lost" }, lost(r)), el("td", { class: "where" }, r.diagnosis || ""))))));
  return el("section", {}, parts);
}

// -- charts -------------------------------------------------------------------------------------------------

const leafWidth = () => Math.max(240, document.body.clientWidth - (window.innerWidth < 640 ? 26 : 46));

function chart(spec, datasets, label, size = {}, then) {
  const place = el("div", { class: "chart", role: "img", "aria-label": label });
  const made = { ...structuredClone(spec), datasets };
  if (size.width) { made.width = size.width === "fit" ? Math.min(leafWidth(), 1100) : size.width; made.height = size.height; }
  if (size.width === "fit") made.autosize = { type: "fit-x", contains: "padding" };
  if (size.facets && made.facet === undefined) made.encoding.facet.columns = Math.max(1, Math.min(7, Math.floor(leafWidth() / 150)));
  window.vegaEmbed(place, made, { actions: false, ast: true, renderer: "svg", mode: "vega-lite" })
    .then((found) => { if (then) then(found.view); place.dataset.ready = "yes"; })
    .catch((problem) => { place.textContent = `this chart could not be drawn: ${problem.message}`; throw problem; });
  return place;
}

// -- where one is -------------------------------------------------------------------------------------------

let from = 0;
function route() {
  const found = /^#row-(\d+)$/.exec(location.hash), row = found && rows[Number(found[1])];
  if (!home.hidden) from = window.scrollY;
  home.hidden = Boolean(row);
  leaf.hidden = !row;
  if (row) { drawLeaf(leaf, row, true); window.scrollTo(0, 0); leaf.focus({ preventScroll: true }); } else window.scrollTo(0, from);
  document.body.dataset.ready = "yes";
}

document.addEventListener("keydown", (e) => {
  if (e.target.matches("input, select") || e.ctrlKey || e.metaKey || e.altKey) { if (e.key === "Escape") e.target.blur(); return; }
  const row = /^#row-(\d+)$/.exec(location.hash);
  if (e.key === "/" && !row) { e.preventDefault(); document.getElementById("filter").focus(); }
  if (e.key === "Escape" && row) location.hash = "";
  if ((e.key === "j" || e.key === "k") && row) {
    const at = shown.findIndex((r) => r.number === Number(row[1])), next = shown[at + (e.key === "j" ? 1 : -1)];
    if (at >= 0 && next) location.hash = `#row-${next.number}`;
  }
});
addEventListener("hashchange", route);
drawHome();
route();
