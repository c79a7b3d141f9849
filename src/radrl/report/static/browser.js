/* The rollout browser. Everything a model wrote reaches the page through textContent, never as markup. */
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("rollouts").textContent);
  const find = (id) => document.getElementById(id);
  const controls = { show: find("show"), stage: find("stage"), kind: find("kind"), search: find("search") };
  const state = { shown: [], at: 0, lens: "" };
  const drawings = unpack(data.drawings);

  const OUTCOME = { right: "\u2713", partly: "\u25D1", wrong: "\u2717" };
  const OUTCOME_WORDS = { right: "answer right", partly: "answer partly right", wrong: "answer wrong" };
  const VERDICT = { right: "\u2713 right", partly: "\u25D1 partly right", wrong: "\u2717 wrong", unreadable: "? unreadable", unjudged: "\u2013 not judged" };
  const FACT = { agreed: "\u2713 agrees", contradicted: "\u2260 contradicts", missing: "\u2212 not stated", extra: "+ only the model" };
  const RELATION = { located_at: "at", suggestive_of: "suggests", modify: "describes" };

  const SPAN = { right: "\u2713 right", wrong: "\u2717 wrong", unreadable: "? unreadable" };
  const WORST = ["right", "unreadable", "wrong"];
  const WIDE = 0.6; // A span over more of the text than this is about the text as a whole: it is listed, not marked.

  async function unpack(text) {
    const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return JSON.parse(await new Response(stream).text());
  }

  function make(tag, { text, name, ...attributes } = {}, children = []) {
    const element = document.createElement(tag);
    if (text !== undefined) element.textContent = text;
    if (name) element.className = name;
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...children);
    return element;
  }

  function byQuality(a, b) {
    return a.outcome - b.outcome || a.mean_part - b.mean_part || a.step - b.step;
  }

  function matches(rollout, words) {
    const text = `${rollout.question} ${rollout.completion} ${rollout.reference_answer} ${rollout.id}`.toLowerCase();
    return words.every((word) => text.includes(word));
  }

  function select() {
    const words = controls.search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let found = data.rollouts.filter((rollout) =>
      (!controls.stage.value || rollout.stage === controls.stage.value.slice(1)) &&
      (!controls.kind.value || rollout.kind === controls.kind.value.slice(1)) && matches(rollout, words));
    const quarter = Math.ceil(found.length / 4);
    const show = controls.show.value;
    if (show === "worst") found = found.sort(byQuality).slice(0, quarter);
    if (show === "best") found = found.sort((a, b) => byQuality(b, a)).slice(0, quarter);
    if (show === "disagreements") found = found.filter((rollout) => rollout.disagreement);
    if (show === "failures") found = found.filter((rollout) => Object.keys(rollout.failures).length);
    if (show in OUTCOME) found = found.filter((rollout) => rollout.verdict === show);
    return found;
  }

  function refresh() {
    state.shown = select();
    const list = find("list");
    list.replaceChildren(...state.shown.map((rollout, at) => make("li", {}, [listButton(rollout, at)])));
    if (!state.shown.length) list.append(make("li", { name: "empty", text: "No rollout fits these filters." }));
    find("count").textContent = `${state.shown.length} of ${data.rollouts.length} embedded rollouts`;
    open(0);
  }

  function listButton(rollout, at) {
    const mark = make("span", { name: `mark-${rollout.verdict}`, text: OUTCOME[rollout.verdict], title: OUTCOME_WORDS[rollout.verdict] });
    const words = make("span", { name: "ask", text: rollout.question });
    const meta = `Step ${rollout.step}${rollout.stage ? ` \u00B7 ${rollout.stage}` : ""}${rollout.disagreement ? " \u00B7 disagreement" : ""}`;
    const button = make("button", { type: "button" }, [mark, words, make("span", { name: "meta", text: meta })]);
    button.addEventListener("click", () => open(at));
    return button;
  }

  function open(at) {
    state.at = Math.max(0, Math.min(at, state.shown.length - 1));
    const buttons = find("list").querySelectorAll("button");
    buttons.forEach((button, index) => {
      button.setAttribute("aria-current", String(index === state.at));
      button.tabIndex = index === state.at ? 0 : -1;
    });
    find("previous").disabled = state.at === 0;
    find("next").disabled = state.at >= state.shown.length - 1;
    find("detail").replaceChildren(...(state.shown.length ? describe(state.shown[state.at]) : []));
  }

  function describe(rollout) {
    return [
      chips(rollout),
      make("div", { name: "case" }, [films(rollout), make("div", {}, [
        make("p", { name: "question", text: rollout.question }), answers(rollout),
      ])]),
      heading("Reasoning, step by step"), steps(rollout),
      heading("Facts stated in the reasoning, beside the reference's"), ...graphs(rollout),
      heading("As the model wrote it"), written(rollout),
      heading("What it was rewarded for"), rewards(rollout),
    ];
  }

  function chips(rollout) {
    const words = [[OUTCOME[rollout.verdict] + " " + OUTCOME_WORDS[rollout.verdict], rollout.verdict]];
    if (rollout.disagreement) words.push(["\u26A0 " + rollout.disagreement, "disagreement"]);
    words.push([`step ${rollout.step}`, ""], [data.kinds[rollout.kind] || rollout.kind, ""]);
    if (rollout.stage) words.push([`stage: ${rollout.stage}`, ""]);
    words.push([`question ${rollout.id}, sample ${rollout.index}`, ""]);
    const failed = Object.keys(rollout.failures).length;
    if (failed) words.push([`\u26A0 ${failed} ${failed === 1 ? "reward" : "rewards"} without a score, see below`, "wrong"]);
    if (rollout.stop === "length") words.push(["cut off at the length limit", "wrong"]);
    return make("div", { name: "chips" }, words.map(([text, style]) => make("span", { name: `chip ${style}`, text })));
  }

  function films(rollout) {
    const pictures = rollout.images.map((image, at) => image.key
      ? make("img", { src: data.images[image.key], alt: `Radiograph ${at + 1} of ${rollout.images.length}` })
      : make("p", { name: "missing", text: `The radiograph could not be read: ${image.path}` }));
    if (!pictures.length) pictures.push(make("p", { name: "missing", text: "This question comes without a radiograph." }));
    return make("div", { name: "films" }, pictures);
  }

  function answers(rollout) {
    const box = (name, text) => make("div", {}, [make("div", { name: "name", text: name }), make("div", { text })]);
    return make("div", { name: "answers" }, [
      box("Model's final answer", rollout.answer || "\u2013 none could be read"),
      box("Reference answer", rollout.reference_answer || "\u2013"),
    ]);
  }

  function steps(rollout) {
    if (!rollout.steps.length) return make("p", { name: "missing", text: "No complete step could be read from this text." });
    const rows = rollout.steps.map((step, at) => make("tr", {}, [
      make("td", { text: String(at + 1) }), make("td", { text: step.think || "\u2013" }), make("td", { text: step.answer || "\u2013" }),
      make("td", {}, [make("span", { name: `mark-${step.mark}`, text: VERDICT[step.mark] }), make("div", { name: "small soft", text: step.note })]),
    ]));
    return table("steps", ["", "Reasoning", "Judgement", "Against the reference"], rows);
  }

  function graphs(rollout) {
    if (!rollout.facts.length) return [make("p", { name: "missing", text: "No fact was found in either text." })];
    const list = make("details", {}, [make("summary", { text: `The same as a list (${rollout.facts.length})` }), facts(rollout)]);
    const box = make("div", { name: "scroll drawing", tabindex: "0", role: "region", "aria-label": "Drawing of the facts" });
    drawings.then((all) => {
      if (!all[rollout.drawing]) return instead(box, list, "Too many facts to draw legibly: they are listed below.");
      box.replaceChildren(document.importNode(new DOMParser().parseFromString(all[rollout.drawing], "text/html").querySelector("svg"), true));
    }).catch(() => instead(box, list, "This browser cannot unpack the drawing: the facts are listed below."));
    return [box, list];
  }

  function instead(box, list, words) {
    box.replaceChildren(make("p", { name: "missing", text: words }));
    list.open = true;
  }

  function facts(rollout) {
    const rows = rollout.facts.map((fact) => make("tr", { name: fact.status === "missing" ? "missing-fact" : fact.status }, [
      make("td", { text: `${fact.head} ${RELATION[fact.relation] || fact.relation} ${fact.tail}` }),
      make("td", { text: fact.model || "\u2013" }), make("td", { text: fact.reference || "\u2013" }),
      make("td", { name: "small", text: FACT[fact.status] }),
    ]));
    return table("facts", ["Fact", "Model", "Reference", ""], rows);
  }

  function written(rollout) {
    const found = rollout.reasons.find((reasons) => reasons.reward === state.lens);
    const box = make("div", { name: "written" });
    const lens = (key, text, current) => {
      const button = make("button", { type: "button", text, "aria-pressed": String(current), "data-lens": key });
      button.addEventListener("click", () => {
        state.lens = key;
        const fresh = written(rollout);
        box.replaceWith(fresh);
        fresh.querySelector("[aria-pressed=true]").focus();
      });
      return button;
    };
    const buttons = rollout.reasons.map((reasons) => lens(reasons.reward, `${title(reasons.reward)} ${tally(reasons)}`, reasons === found));
    if (buttons.length) box.append(make("div", { name: "lenses", role: "group", "aria-label": "What to mark in the text" }, [
      make("span", { name: "small soft", text: "Mark" }), lens("", "how sure it was", !found), ...buttons]));
    box.append(...(found ? explained(rollout, found) : tokens(rollout)));
    return box;
  }

  function title(reward) { return data.rewards[reward] || reward; }

  function tally(reasons) {
    if (reasons.today !== null) return "(changed since)";
    const count = (verdict) => reasons.spans.filter((span) => span[2] === verdict).length;
    return Object.keys(SPAN).filter(count).map((verdict) => `${SPAN[verdict][0]}${count(verdict)}`).join(" ");
  }

  function explained(rollout, reasons) {
    if (reasons.today !== null) {
      return [make("p", { name: "missing", text: `Recorded was ${rollout.rewards[reasons.reward].toFixed(3)}, but this reward gives ` +
        `${reasons.today.toFixed(3)} now: its rules or its settings have changed since, so its reasons are not shown.` }),
      make("div", { name: "tokens", tabindex: "0", text: rollout.completion })];
    }
    const text = Array.from(rollout.completion); // spans count characters, not UTF-16 units
    const marked = reasons.spans.map(([start, end, verdict, note], at) => ({ start, end, verdict, note, number: at + 1 }));
    const narrow = marked.filter((span) => span.end > span.start && span.end - span.start <= WIDE * text.length);
    const quote = (span) => narrow.includes(span) ? `\u201C${untagged(text.slice(span.start, span.end).join(""))}\u201D` : "The text as a whole";
    const items = marked.map((span) => make("li", {}, [
      make("span", { name: `mark-${span.verdict}`, text: SPAN[span.verdict] }), ` ${quote(span)}${span.note ? `: ${inWords(span.note)}` : ""}`,
    ]));
    return [make("p", { name: "small soft", text: "Numbers in the text are those of the list under it." }),
      make("div", { name: "tokens", tabindex: "0" }, marks(text, narrow)), make("ol", { name: "reasons" }, items)];
  }

  function untagged(text) { return text.replace(/<\/?(think|answer)>/g, " ").replace(/\s+/g, " ").trim(); }

  function inWords(note) { return note.replace(/\b(located_at|suggestive_of|modify)\b/g, (name) => RELATION[name]); }

  function marks(text, spans) {
    const cuts = [...new Set([0, text.length, ...spans.flatMap((span) => [span.start, span.end])])].sort((a, b) => a - b);
    return cuts.slice(0, -1).flatMap((start, at) => {
      const end = cuts[at + 1];
      const over = spans.filter((span) => span.start <= start && span.end >= end);
      const piece = text.slice(start, end).join("");
      if (!over.length) return [piece];
      const verdict = over.map((span) => span.verdict).sort((a, b) => WORST.indexOf(b) - WORST.indexOf(a))[0];
      const begun = over.filter((span) => span.start === start).map((span) => make("sup", { text: String(span.number) }));
      return [...begun, make("mark", { name: `judged ${verdict}`, text: piece, title: over.map((span) => inWords(span.note) || SPAN[span.verdict]).join("; ") })];
    });
  }

  function tokens(rollout) {
    if (!rollout.logprobs) {
      return [make("p", { name: "small soft", text: "The file holds no token probabilities that fit this text." }),
        make("div", { name: "tokens", tabindex: "0", text: rollout.completion })];
    }
    const legend = make("p", { name: "small soft" }, ["sure", make("span", { name: "ramp" }),
      "unsure when it chose the token; underlined: it gave the token less than an even chance."]);
    const spans = rollout.tokens.map((text, at) => {
      const probability = Math.exp(rollout.logprobs[at]);
      const shown = text || (at === rollout.tokens.length - 1 && rollout.stop === "eos" ? "\u23CE" : "");
      const span = make("span", { text: shown, title: `probability ${probability.toFixed(3)}` });
      span.style.setProperty("--doubt", String(1 - Math.min(probability, 1)));
      if (!text) span.className = "end";
      else if (probability < 0.5) span.className = "unlikely";
      return span;
    });
    return [legend, make("div", { name: "tokens", tabindex: "0" }, spans)];
  }

  function rewards(rollout) {
    const weights = data.weights[rollout.stage];
    const rows = Object.entries(rollout.rewards).map(([name, value]) => make("tr", {}, [
      make("td", {}, [make("div", { text: title(name) }), make("div", { name: "key", text: name }), ...why(rollout, name, value)]),
      ...(weights ? [make("td", { text: name in weights ? String(weights[name]) : "not paid" })] : []),
      make("td", { text: value === null ? "no score" : value.toFixed(3) }),
    ]));
    const advantage = rollout.advantage === null ? "not recorded" : (rollout.advantage > 0 ? "+" : "") + rollout.advantage.toFixed(3);
    rows.push(make("tr", {}, [make("td", {}, [
      make("div", { text: "Advantage: better (+) or worse (\u2212) than the other answers to the same question" }),
      make("div", { name: "key", text: "advantage" })]), ...(weights ? [make("td")] : []), make("td", { text: advantage })]));
    return table("parts", ["Part", ...(weights ? ["Weight"] : []), "Value"], rows);
  }

  function why(rollout, name, value) {
    if (rollout.failures[name]) return [make("div", { name: "small failure", text: rollout.failures[name] })];
    return value === null ? [make("div", { name: "small soft", text: "had nothing to say about this answer" })] : [];
  }

  function table(name, titles, rows) {
    const head = make("thead", {}, [make("tr", {}, titles.map((text) => make("th", { text, scope: "col" })))]);
    return make("div", { name: "scroll" }, [make("table", { name }, [head, make("tbody", {}, rows)])]);
  }

  function heading(text) { return make("h4", { text }); }

  function fill(control, values, words) {
    for (const value of values) control.append(make("option", { value: `=${value}`, text: words(value) }));
  }

  function move(by) {
    open(state.at + by);
    const current = find("list").querySelector("[aria-current=true]");
    if (current) { current.focus({ preventScroll: true }); current.scrollIntoView({ block: "nearest" }); }
  }

  fill(controls.stage, [...new Set(data.rollouts.map((rollout) => rollout.stage))], (stage) => stage || "no stage");
  fill(controls.kind, [...new Set(data.rollouts.map((rollout) => rollout.kind))], (kind) => data.kinds[kind] || kind);
  for (const control of [controls.show, controls.stage, controls.kind]) control.addEventListener("change", refresh);
  controls.search.addEventListener("input", refresh);
  find("previous").addEventListener("click", () => open(state.at - 1));
  find("next").addEventListener("click", () => open(state.at + 1));
  find("list").addEventListener("keydown", (event) => {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (by) { event.preventDefault(); move(by); }
  });
  refresh();
})();
