// One trial of one agent, with what a reader does to it: plain data, and functions that change it.

import { adjacency, begin, cloned, grow, removed, step } from "./step.js";
import { tasks } from "./tasks.js";

const range = (n) => [...Array(n).keys()];

// chance: {normal(name, number, width), uniform(name, i)}: all random numbers of the trial, by name and place.
export class Trial {
  constructor(agent, { size, experts, horizon }, chance) {
    Object.assign(this, { agent, size, horizon, chance, task: tasks[agent.task], time: 0, names: range(experts), next: experts });
    this.family = { ...this.task.slots(size), horizon };
    this.secret = this.task.hide(size, (name, i) => chance.uniform(name, i));
    this.world = this.task.start(this.secret, size);
    this.draw = (name, number) => chance.normal(name, number, name === "experts" ? agent.policy.hidden_size : agent.membrane.address_size);
    this.state = begin(agent, this.family, experts, this.draw);
    this.talk = { edges: adjacency(agent.channel.topology, experts), ...this.plain(experts) };
    this.record = null;
    this.curve = [this.task.measure(this.world)];
  }

  plain(experts) {
    return { speaks: range(experts).map(() => true), hears: range(experts).map(() => true), order: range(experts) };
  }

  get experts() { return this.names.length; }
  get over() { return this.time >= this.horizon; }
  get target() { return this.task.target(this.secret); }

  observe() { return this.task.observe(this.secret, this.world, this.horizon); }

  step() {
    const chances = range(this.size).map((i) => this.chance.uniform("choice", this.time * this.size + i));
    const [state, action, record] = step(this.agent, this.state, this.observe(), this.talk, chances, this.time);
    this.world = this.task.step(this.secret, this.world, action, this.chance.uniform("noise", this.time));
    Object.assign(this, { state, record: { ...record, action }, time: this.time + 1 });
    this.curve.push(this.task.measure(this.world));
  }

  // ---- interventions; experts by place ----

  edge(listener, speaker, on) { this.talk.edges[listener][speaker] = on; }
  speak(expert, on) { this.talk.speaks[expert] = on; }
  hear(expert, on) { this.talk.hears[expert] = on; }

  // Everybody's message arrives as that of another, keys stay; or as sent again.
  shuffle(on) { this.talk.order = range(this.experts).map((i) => (on ? (i + 1) % this.experts : i)); }
  get shuffled() { return this.talk.order.some((who, i) => who !== i); }

  clone(expert) { this.regroup(cloned(this.experts), expert); }

  // Why an expert cannot go, or "".
  staying() {
    if (this.experts === 1) return "The last expert must stay.";
    if (this.agent.membrane.kind === "hardwired" && this.experts === this.size) return "Every output needs its own expert here.";
    return "";
  }

  remove(expert) {
    if (this.staying()) throw new Error(this.staying());
    this.regroup(removed(this.experts, expert), null);
  }

  regroup(order, copy) {
    const before = this.experts, { edges, speaks, hears } = this.talk, shuffled = this.shuffled;
    this.state = grow(this.agent, this.state, order, copy, this.time, this.draw);
    const fresh = adjacency(this.agent.channel.topology, order.length);
    this.names = order.map((who) => (who < before ? this.names[who] : this.next++));
    this.talk.edges = order.map((a, i) => order.map((b, j) => (a < before && b < before ? edges[a][b] : fresh[i][j])));
    this.talk.speaks = order.map((who) => speaks[who] ?? true);
    this.talk.hears = order.map((who) => hears[who] ?? true);
    this.shuffle(shuffled);
    this.record = null;
  }

  // Another secret, from other draws of the same streams.
  hideAgain(turn) {
    const offset = turn * 1000;
    this.secret = this.task.hide(this.size, (name, i) => this.chance.uniform(name, offset + i));
  }
}

// A whole trial with given random numbers and interventions [[time, method, ...arguments], ...]: what tests compare.
export function replay(agent, { settings, normals, uniforms, events }) {
  const chance = { normal: (name, number) => normals[name][number], uniform: (name, i) => uniforms[name][i] };
  const trial = new Trial(agent, settings, chance), steps = [];
  while (!trial.over) {
    for (const [time, method, ...words] of events) {
      if (time === trial.time) trial[method](...words);
    }
    trial.step();
    steps.push({ ...trial.record, outputs: trial.world.outputs, states: trial.state.experts });
  }
  return steps;
}
