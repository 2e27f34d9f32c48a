// The step of a Badger agent in one trial: read, R rounds of emit, deliver, update, then write.
// The same as badger_agents/badger/agent.py, for the agents that build.py lets through; tests hold both side by side.

const sum = (values) => values.reduce((a, b) => a + b, 0);
const zeros = (n) => new Array(n).fill(0);
const argmax = (values) => values.reduce((best, value, i) => (value > values[best] ? i : best), 0);
const mod = (a, b) => a - b * Math.floor(a / b);
const clamp = (x) => Math.min(1, Math.max(-1, x));
const sigmoid = (x) => 1 / (1 + Math.exp(-x));
const magnified = (x, m) => Math.asinh(m * x) / Math.asinh(m);
const dot = (a, b) => a.reduce((total, x, i) => total + x * b[i], 0);
const unit = (v) => { const length = Math.sqrt(dot(v, v)) || 1; return v.map((x) => x / length); };

// weights: {"NAME.weight": [[...]], "NAME.bias": [...]}
function linear(weights, name, x) {
  const bias = weights[`${name}.bias`];
  return weights[`${name}.weight`].map((row, i) => bias[i] + dot(row, x));
}

// An agent as build.py writes it, weights rounded to the float32 that they are.
export function unpacked(agent) {
  const rounded = (x) => (Array.isArray(x) ? x.map(rounded) : Math.fround(x));
  const weights = Object.fromEntries(Object.entries(agent.weights).map(([name, values]) => [name, rounded(values)]));
  return { ...agent, weights };
}

// ---- policies: emit(state, reading) -> {value, key, query}; update(state, inbox, reading) -> [state, writing] ----

const gru = {
  start: (agent, draw) => draw.map((x) => x * agent.policy.state_noise),
  emit(agent, state, reading) {
    const { message_size: m, key_size: k, sharpness } = agent.policy;
    const said = linear(agent.weights, "say", [...state, ...reading]);
    return { value: said.slice(0, m), key: said.slice(m, m + k), query: said.slice(m + k).map((x) => x * sharpness) };
  },
  update(agent, state, inbox, reading) {
    const { weights } = agent, h = state.length, x = [...inbox, ...reading];
    const gate = (row, from, bias) => weights[`cell.bias_${bias}`][row] + dot(weights[`cell.weight_${bias}`][row], from);
    const next = state.map((old, i) => {
      const reset = sigmoid(gate(i, x, "ih") + gate(i, state, "hh"));
      const keep = sigmoid(gate(h + i, x, "ih") + gate(h + i, state, "hh"));
      const fresh = Math.tanh(gate(2 * h + i, x, "ih") + reset * gate(2 * h + i, state, "hh"));
      return fresh + keep * (old - fresh);
    });
    return [next, linear(weights, "write", next)[0]];
  },
};

const averaging = {
  start: (agent) => zeros(2 * agent.policy.heads),
  recalled(agent, state) {
    const n = agent.policy.heads;
    const means = state.slice(n).map((value, i) => value / (1 + state[i]));
    return [...means, ...state.slice(0, n).map((weight) => Math.log1p(weight) / 2)];
  },
  emit(agent, state, reading) {
    const { message_size: m, key_size: k } = agent.policy;
    const said = linear(agent.weights, "say", [...this.recalled(agent, state), ...reading]);
    return { value: said.slice(0, m), key: said.slice(m, m + k), query: said.slice(m + k) };
  },
  update(agent, state, inbox, reading) {
    const n = agent.policy.heads, heard = [...inbox, ...reading];
    const remembered = linear(agent.weights, "remember", heard);
    const weight = remembered.slice(0, n).map(sigmoid);
    const added = [...weight, ...weight.map((w, i) => w * remembered[n + i])];
    const next = state.map((x, i) => x + added[i]);
    const first = linear(agent.weights, "think.0", [...this.recalled(agent, next), ...heard]).map(Math.tanh);
    return [next, linear(agent.weights, "write", linear(agent.weights, "think.2", first).map(Math.tanh))[0]];
  },
};

const policies = { gru, averaging };

// ---- hardwired membrane: expert i has slot i ----

const hardwired = {
  start: (agent, family) => ({ feedback: zeros(family.feedback) }),
  read(agent, state, seen, step, experts) {
    const m = agent.membrane.magnification, first = seen.flags[0];
    const change = seen.feedback.map((x, i) => (x - state.feedback[i]) * (1 - first));
    const told = [...seen.feedback, ...change];
    const heard = [...told, ...(m ? told.map((x) => magnified(x, m)) : []), 1];
    const readings = [...Array(experts).keys()].map((i) => {
      const all = agent.feedback_to === "all", own = agent.feedback_to === "chosen" ? seen.outputs[i] ?? 0 : Number(i === 0);
      return [
        seen.outputs[i] ?? 0, seen.outputMask[i] ?? 0, ...(seen.inputs[i] ?? zeros(inputSize(seen))), seen.inputMask[i] ?? 0,
        ...heard.map((x) => (all ? x : x * own)), ...seen.flags,
      ];
    });
    return [{ feedback: seen.feedback }, readings];
  },
  scores: (agent, state, seen, writing) => writing.slice(0, seen.outputs.length),
  write(agent, state, seen, writing) {
    return seen.outputs.map((x, i) => clamp(agent.writing === "absolute" ? writing[i] : x + writing[i]));
  },
  grow: (agent, state) => state,
};
const inputSize = (seen) => seen.inputs[0].length;

// ---- attentional membrane: slots and experts meet by random addresses ----

const LOAD = 4, USUAL = 16, LEVEL = 4;

function oneToOne(similarity, experts) {
  const load = zeros(experts), owners = [], nth = [];
  for (const alike of similarity) {
    const owner = argmax(alike.map((x, e) => x - LOAD * load[e]));
    owners.push(owner);
    nth.push(load[owner]);
    load[owner] += 1;
  }
  const most = Math.max(...load);
  let pauses = 0;
  const delay = load.map((n) => (n < most ? ++pauses : 0));
  const weights = owners.map((owner) => load.map((_, e) => Number(e === owner)));
  return [weights, nth.map((n, i) => mod(n + delay[owners[i]], Math.max(most, 1)))];
}

// Assign slots anew when experts have come or gone; what can stay with its owner stays (slot_assignment.py).
function reassign(similarity, owned, place, places, now) {
  const slots = similarity.length, experts = similarity[0].length;
  const most = Math.ceil(slots / experts), changed = most !== places, times = Math.ceil(slots / experts);
  const order = [...Array(slots).keys()].sort((a, b) => mod(place[a] - now, places) - mod(place[b] - now, places) || a - b);
  const taken = [...Array(experts)].map(() => zeros(times)), weights = owned.map((row) => row.map(() => 0)), found = zeros(slots);
  for (const staying of [true, false]) {
    for (const slot of order) {
      const load = taken.map(sum);
      let owner = owned[slot].map((x, e) => x * Number(load[e] < most));
      if (!staying) {
        const free = 1 - sum(weights[slot]), best = argmax(similarity[slot].map((x, e) => x - LOAD * load[e]));
        owner = owner.map((_, e) => (e === best ? free : 0));
      }
      const cost = zeros(times).map((_, t) => sum(taken.map((row) => row[t])) - (t === place[slot] && !changed ? slots : 0)
        + 2 * slots * sum(taken.map((row, e) => owner[e] * row[t])) + (t >= most ? 4 * slots : 0));
      const chosen = argmax(cost.map((x) => -x));
      owner.forEach((x, e) => { taken[e][chosen] += x; weights[slot][e] += x; });
      found[slot] += sum(owner) * chosen;
    }
  }
  return [weights, found, most, changed];
}

const attentional = {
  // draw(name, number): normal numbers, as many as an address has, of the number-th of "identities", "outputs", ...
  start(agent, family, experts, draw) {
    const vectors = (name, count) => [...Array(count).keys()].map((i) => unit(draw(name, i)));
    const identities = vectors("identities", experts);
    const alike = (name, count) => vectors(name, count).map((address) => identities.map((other) => dot(address, other)));
    const [writers, place] = oneToOne(alike("outputs", family.outputs), experts);
    const [readers, inputPlace] = oneToOne(alike("inputs", family.inputs), experts);
    const hearers = agent.feedback_to === "one" ? oneToOne(alike("feedback", 1), experts)[0][0] : zeros(experts).map(() => 1);
    return {
      writers, readers, hearers, place, inputPlace, places: Math.max(...place) + 1, inputPlaces: Math.max(...inputPlace) + 1,
      window: -1, since: 0, start: null, last: null, identities, horizon: family.horizon,
    };
  },
  focus: (state) => state.place.map((place) => Number(place === mod(state.window, state.places))),
  read(agent, before, seen, step, experts) {
    const { window_length, feedback_scale, magnification: m } = agent.membrane, steps = before.horizon - before.since;
    const windows = before.places * Math.ceil(steps / (window_length * before.places));
    const gone = ((step - before.since) * windows) / steps, window = Math.floor(gone), begins = Number(window !== before.window);
    const last = before.last ?? seen.feedback, start = begins ? seen.feedback : before.start;
    const state = { ...before, window, start, last: seen.feedback }, focus = this.focus(state);
    const count = sum(seen.outputMask), shown = sum(seen.inputMask), scale = count * feedback_scale;
    const told = [
      ...seen.feedback.map((x) => (x * scale) / LEVEL), ...seen.feedback.map((x, i) => (x - last[i]) * scale),
      ...seen.feedback.map((x, i) => (x - start[i]) * scale),
    ];
    const heard = [...told, ...(m ? told.map((x) => magnified(x, m)) : []), 1];
    const everyone = [count / USUAL, 1 / count, shown / USUAL, 1 / shown, begins, gone - window,
      steps / (windows * window_length) - 1, ...seen.flags.slice(0, -1)];
    const inputNow = mod(step, state.inputPlaces);
    const readings = [...Array(experts).keys()].map((e) => {
      const output = [0, 0], input = zeros(inputSize(seen) + 1);
      state.writers.forEach((row, slot) => {
        output[0] += row[e] * focus[slot] * seen.outputs[slot];
        output[1] += row[e] * focus[slot];
      });
      state.readers.forEach((row, slot) => [...seen.inputs[slot], 1].forEach((x, i) => {
        input[i] += row[e] * Number(state.inputPlace[slot] === inputNow) * x;
      }));
      const hears = agent.feedback_to === "chosen" ? sum(state.writers.map((row, slot) => row[e] * seen.outputs[slot])) : state.hearers[e];
      return [...output, ...input, ...heard.map((x) => x * hears), ...everyone];
    });
    return [state, readings];
  },
  scores(agent, state, seen, writing) {
    const focus = this.focus(state);
    return state.writers.map((row, slot) => dot(row, writing) * focus[slot]);
  },
  write(agent, state, seen, writing) {
    const focus = this.focus(state), written = this.scores(agent, state, seen, writing);
    return seen.outputs.map((x, slot) => {
      if (agent.writing !== "absolute") return clamp(x + written[slot]);
      return x * (1 - focus[slot]) + clamp(written[slot]) * focus[slot];
    });
  },
  grow(agent, state, order, born, step, draw) {
    const before = state.identities.length, now = mod(state.window, state.places);
    const identities = order.map((who) => (who < before ? state.identities[who] : unit(draw("identities", born + who - before))));
    const moved = (rows) => rows.map((row) => order.map((who) => row[who] ?? 0));
    const alike = (name, count) => [...Array(count).keys()].map((i) => { const a = unit(draw(name, i)); return identities.map((b) => dot(a, b)); });
    const next = { ...state, identities, hearers: order.map(() => 1) };
    if (agent.feedback_to === "one") next.hearers = reassign(alike("feedback", 1), moved([state.hearers]), [0], 1, 0)[0][0];
    let changed;
    [next.writers, next.place, next.places, changed] = reassign(
      alike("outputs", state.writers.length), moved(state.writers), state.place, state.places, now);
    [next.readers, next.inputPlace, next.inputPlaces] = reassign(
      alike("inputs", state.readers.length), moved(state.readers), state.inputPlace, state.inputPlaces, mod(step - 1, state.inputPlaces));
    if (changed) Object.assign(next, { window: -1, since: step });
    return next;
  },
};

const membranes = { hardwired, attentional };

// ---- the channel: attention over edges; edges[i][j] says that i hears j ----

function deliver(agent, said, talk) {
  const experts = said.length, k = agent.policy.key_size;
  const heard = (i, j) => talk.edges[i][j] && talk.speaks[j] && talk.hears[i];
  const usual = agent.channel.usual_senders;
  const attention = said.map((listener, i) => {
    const senders = Math.max(sum(said.map((_, j) => Number(Boolean(heard(i, j))))), 1);
    const sharp = (usual ? Math.log(senders) / Math.log(usual) : 1) / Math.sqrt(k || 1);
    const scores = said.map((speaker, j) => (heard(i, j) ? (k ? dot(listener.query, speaker.key) * sharp : 0) : -Infinity));
    const highest = Math.max(...scores);
    if (highest === -Infinity) return zeros(experts);
    const parts = scores.map((score) => Math.exp(score - highest)), total = sum(parts);
    return parts.map((part) => part / total);
  });
  const inbox = attention.map((row) => said[0].value.map((_, n) => sum(row.map((w, j) => w * said[talk.order[j]].value[n]))));
  const received = said.map((_, j) => {
    const listeners = sum(said.map((_, i) => Number(Boolean(heard(i, j)))));
    return sum(attention.map((row) => row[j])) / Math.max(listeners, 1);
  });
  return { attention, inbox, received };
}

// ---- the agent ----

// family: {inputs, outputs, feedback, horizon}; draw(name, number): normal numbers of the trial.
export function begin(agent, family, experts, draw) {
  const policy = policies[agent.policy.kind];
  return {
    experts: [...Array(experts).keys()].map((i) => policy.start(agent, draw("experts", i))),
    received: zeros(experts),
    membrane: membranes[agent.membrane.kind].start(agent, family, experts, draw),
    born: experts,
  };
}

// talk: {edges, speaks, hears, order}; chance: uniform numbers, one an output, for actions that are drawn.
export function step(agent, state, seen, talk, chance, number) {
  const policy = policies[agent.policy.kind], membrane = membranes[agent.membrane.kind], experts = state.experts.length;
  const [inside, readings] = membrane.read(agent, state.membrane, seen, number, experts);
  const withReceived = (received) => readings.map((row, i) => (agent.channel.received_attention ? [...row, received[i]] : row));
  let { experts: states, received } = state, said, delivery, writing;
  for (let round = 0; round < agent.rounds; round++) {
    const known = withReceived(received);
    said = states.map((each, i) => policy.emit(agent, each, known[i]));
    delivery = deliver(agent, said, talk);
    received = delivery.received;
    const read = withReceived(received), made = states.map((each, i) => policy.update(agent, each, delivery.inbox[i], read[i]));
    states = made.map(([next]) => next);
    writing = made.map(([, written]) => written);
  }
  const action = act(agent, membrane, inside, seen, writing, chance);
  const record = { messages: said.map((each) => each.value), attention: delivery.attention, inbox: delivery.inbox, writing };
  return [{ ...state, experts: states, received, membrane: inside }, action, record];
}

function act(agent, membrane, inside, seen, writing, chance) {
  if (agent.action_kind !== "categorical" && agent.writing !== "score") return membrane.write(agent, inside, seen, writing);
  const logits = membrane.scores(agent, inside, seen, writing).map((x) => x / agent.temperature);
  if (agent.action_kind === "binary") return logits.map((x, i) => (chance[i] < sigmoid(x) ? 1 : -1) * seen.outputMask[i]);
  const noise = chance.map((x) => -Math.log(-Math.log(Math.min(x + 2 ** -25, 1 - 2 ** -53))));
  return argmax(logits.map((x, i) => (seen.outputMask[i] ? x + noise[i] : -Infinity)));
}

// Who stands where once one expert got a copy at the end, or went and the last one took its place (growth.py).
export function cloned(experts) { return [...Array(experts + 1).keys()]; }
export function removed(experts, gone) {
  const order = [...Array(experts).keys()].map((i) => (i === gone ? experts - 1 : i));
  return order.slice(0, -1);
}

// order: by place, who is there now; who is a new one (as many as there were experts) is a copy of `copy`.
export function grow(agent, state, order, copy, number, draw) {
  const before = state.experts.length, from = order.map((who) => (who < before ? who : copy)), fresh = order.some((who) => who >= before);
  return {
    experts: from.map((who) => state.experts[who]),
    received: from.map((who) => state.received[who]),
    membrane: membranes[agent.membrane.kind].grow(agent, state.membrane, order, state.born, number, draw),
    born: state.born + Number(fresh),
  };
}

// Who hears whom at the start: everybody all others, or nobody.
export function adjacency(topology, experts) {
  return [...Array(experts).keys()].map((i) => [...Array(experts).keys()].map((j) => topology === "all" && i !== j));
}
