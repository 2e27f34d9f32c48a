// The page: choose a task, step or play, and change what experts hear. Two trials run side by side on the same
// task and the same random numbers: the agent as it is, and the agent with the reader's changes.

import { drawCurves, drawEars, drawOutputs, drawStrip } from "./drawing.js";
import { chanceOf } from "./random.js";
import { unpacked } from "./step.js";
import { Trial, replay } from "./trial.js";

const TEXTS = {
  "guessing-hardwired": {
    title: "Guessing game, an expert for each number", size: "Numbers", sizes: [2, 6], usual: [3, 3, 20], low: -1, measure: "Error",
    about: "Each expert writes one number and sees only its own. Expert 1 alone hears the error of all. Without talk the others cannot know whether they got better.",
  },
  "guessing-attentional": {
    title: "Guessing game, any number of experts", size: "Numbers", sizes: [1, 12], usual: [4, 4, 20], low: -1, measure: "Error",
    about: "Numbers are dealt to experts by random addresses. All hear the one error that they make together, so they must take turns: whose move was it?",
  },
  xor: {
    title: "XOR: the parity of bits", size: "Bits", sizes: [2, 10], usual: [4, 5, 10], low: -1, measure: "Squared miss",
    about: "Each expert sees one bit. All must write the same answer, the product of all bits. Who misses one bit knows nothing.",
  },
  bandit: {
    title: "Bandit: earn from unknown arms", size: "Arms", sizes: [2, 20], usual: [5, 5, 100], low: 0, measure: "Regret so far",
    about: "An expert for each arm. It hears what its own arm paid, and writes how much it wants that arm to be pulled. These experts were trained without a channel: each decides alone.",
  },
};
const agents = JSON.parse(document.getElementById("agents").textContent).map(unpacked);
const at = (id) => document.getElementById(id);
const now = { agent: agents[0], trial: null, base: null, chosen: 0, marks: [], log: [], turns: 0, timer: null };

const whole = (id, low, high) => {
  const value = Math.min(high, Math.max(low, Math.round(Number(at(id).value)) || low));
  at(id).value = value;
  return value;
};

function settings() {
  const text = TEXTS[now.agent.name], size = whole("size", ...text.sizes);
  const least = now.agent.fixed_experts ? size : 1;
  return { size, experts: whole("experts", least, 20), horizon: whole("steps", 2, 200) };
}

function choose(name) {
  now.agent = agents.find((agent) => agent.name === name);
  const text = TEXTS[name], [size, experts, steps] = text.usual;
  Object.entries({ size, experts, steps }).forEach(([id, value]) => { at(id).value = value; });
  at("size-name").textContent = text.size;
  at("about").textContent = text.about;
  begin();
}

function begin() {
  stop();
  const chosen = settings(), seed = whole("seed", 0, 999999);
  [now.trial, now.base] = [0, 1].map(() => new Trial(now.agent, chosen, chanceOf(seed)));
  Object.assign(now, { chosen: 0, marks: [], log: [], turns: 0 });
  show(`A new trial of ${chosen.horizon} steps. Nothing is changed.`);
}

function advance() {
  if (now.trial.over) return stop();
  now.trial.step();
  now.base.step();
  if (now.trial.over) stop();
  show();
}

function stop() {
  clearInterval(now.timer);
  now.timer = null;
}

function play() {
  if (now.timer) stop();
  else if (!now.trial.over) now.timer = setInterval(advance, now.trial.horizon > 40 ? 120 : 350);
  show();
}

function changed(told) {
  if (!now.marks.includes(now.trial.time)) now.marks.push(now.trial.time);
  now.log.push(`Before step ${now.trial.time + 1}: ${told}`);
  show(told);
}

const nameOf = (i) => `Expert ${now.trial.names[i] + 1}`;

const doings = {
  begin, play, step: advance,
  end() { stop(); while (!now.trial.over) { now.trial.step(); now.base.step(); } show("The trial is over."); },
  fresh() { at("seed").value = Number(at("seed").value) + 1; begin(); },
  choose({ expert }) { now.chosen = Number(expert); show(`${nameOf(now.chosen)} is chosen.`); },
  silence(_, on) { now.trial.speak(now.chosen, !on); changed(`${nameOf(now.chosen)} is ${on ? "silenced" : "heard again"}.`); },
  deafen(_, on) { now.trial.hear(now.chosen, !on); changed(`${nameOf(now.chosen)} is ${on ? "deafened" : "hearing again"}.`); },
  edge({ expert }, on) {
    now.trial.edge(now.chosen, Number(expert), on);
    changed(`${nameOf(now.chosen)} ${on ? "now" : "no longer"} hears ${nameOf(Number(expert))}.`);
  },
  shuffle(_, on) { now.trial.shuffle(on); changed(on ? "Messages arrive under another's name." : "Messages arrive as they are sent."); },
  hide() { now.turns += 1; now.trial.hideAgain(now.turns); changed("What is hidden is another now."); },
  clone() {
    if (now.trial.experts >= 20) return show("There are 20 experts, the most that fit here.");
    const told = `${nameOf(now.chosen)} got a copy, expert ${now.trial.next + 1}.`;
    now.trial.clone(now.chosen);
    changed(told);
  },
  remove() {
    const why = now.trial.staying();
    if (why) return show(why);
    const told = `${nameOf(now.chosen)} is gone.`;
    now.trial.remove(now.chosen);
    now.chosen = Math.min(now.chosen, now.trial.experts - 1);
    changed(told);
  },
};

// ---- drawing all anew; what had the focus has it again ----

function show(told) {
  const { trial, base, agent, chosen } = now, text = TEXTS[agent.name], focus = document.activeElement?.id;
  if (told) at("told").textContent = told;
  at("clock").textContent = `Step ${trial.time} of ${trial.horizon}`;
  at("play").textContent = now.timer ? "Pause" : "Play";
  ["play", "step", "end"].forEach((id) => at(id).setAttribute("aria-disabled", String(trial.over)));
  at("measure").textContent = text.measure;
  at("curves").innerHTML = drawCurves(base.curve, trial.curve, now.marks, trial.horizon, text.measure, room("curves"));
  at("values").textContent = `With your changes ${trial.curve.at(-1).toPrecision(3)}, as it is ${base.curve.at(-1).toPrecision(3)}.`;
  at("outputs").innerHTML = drawOutputs(trial.world.outputs, base.world.outputs, trial.target, text.low, agent.task, room("outputs"));
  at("outputs-key").textContent = agent.task === "bandit" ? "Bars: what an arm pays on average. Dot: the arm pulled; ring: as it is."
    : "Bar: what is right. Dot: what is written; ring: as it is.";
  at("ears").innerHTML = drawEars(trial, chosen);
  at("experts-list").innerHTML = trial.names.map((name, i) => expertRow(trial, i)).join("");
  at("chosen-name").textContent = nameOf(chosen);
  at("silence").checked = !trial.talk.speaks[chosen];
  at("deafen").checked = !trial.talk.hears[chosen];
  at("shuffle").checked = trial.shuffled;
  at("edges").innerHTML = trial.names.map((name, j) => (j === chosen ? "" :
    `<label><input type="checkbox" id="edge-${name}" data-do="edge" data-expert="${j}" ${trial.talk.edges[chosen][j] ? "checked" : ""}> ${name + 1}</label>`)).join("") || "There is nobody else.";
  at("log").innerHTML = now.log.map((line) => `<li>${line}</li>`).join("") || "<li>Nothing yet.</li>";
  if (focus && document.activeElement?.id !== focus) at(focus)?.focus({ preventScroll: true });
}

const room = (id) => Math.max(280, at(id).clientWidth || 560);

function expertRow(trial, i) {
  const name = trial.names[i], marks = [trial.talk.speaks[i] ? "" : "silent", trial.talk.hears[i] ? "" : "deaf"].filter(Boolean);
  const slots = trial.state.membrane.writers, own = (slots ? slots.flatMap((row, slot) => (row[i] ? [slot + 1] : [])) : i < trial.size ? [i + 1] : []);
  const message = trial.record ? trial.record.messages[i] : null;
  return `<li class="${i === now.chosen ? "chosen" : ""}"><button id="expert-${name}" data-do="choose" data-expert="${i}" aria-pressed="${i === now.chosen}">${name + 1}</button>` +
    `<span class="owns">${own.length ? `writes ${own.join(", ")}` : "writes nothing"}${marks.length ? `, ${marks.join(", ")}` : ""}</span>` +
    `<span class="what">state</span>${drawStrip(trial.state.experts[i], `State of expert ${name + 1}`)}` +
    `<span class="what">says</span>${message ? drawStrip(message, `Message of expert ${name + 1}`) : "<span class='none'>nothing yet</span>"}</li>`;
}

document.addEventListener("click", (event) => {
  const source = event.target.closest("[data-do]");
  if (source && source.type !== "checkbox") doings[source.dataset.do](source.dataset);
});
document.addEventListener("change", ({ target }) => {
  if (target.id === "task") choose(target.value);
  else if (["size", "experts", "steps", "seed"].includes(target.id)) begin();
  else if (target.dataset.do) doings[target.dataset.do](target.dataset, target.checked);
});

// For tests, in whatever browser the page is.
window.replay = (name, told) => replay(agents.find((agent) => agent.name === name), told);

window.addEventListener("resize", () => show());

at("task").innerHTML = agents.map(({ name }) => `<option value="${name}">${TEXTS[name].title}</option>`).join("");
choose(agents[0].name);
