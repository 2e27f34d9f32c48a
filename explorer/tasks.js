// The three tasks: what is hidden, what is shown, what a step does. The same as badger_envs/families/*.py, one trial.

const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;
const flags = (time, horizon, query = 0) => [Number(time === 0), query, time / horizon];
const shown = (state, size, feedback, extra) => ({
  inputs: [[1]], inputMask: [1], outputs: state.outputs, outputMask: new Array(size).fill(1), feedback: [feedback], ...extra,
});

// Each task: hide(size, uniform) -> secret; start(secret); observe; step -> state; target; measure, what its curve shows.
// A secret and a state are plain objects. uniform(name, i): the i-th number in [0, 1) of a stream.
export const tasks = {
  guessing: {
    slots: (size) => ({ inputs: 1, outputs: size, feedback: 1 }),
    hide: (size, uniform) => ({ target: [...Array(size).keys()].map((i) => 2 * uniform("target", i) - 1) }),
    start: (secret, size) => tasks.guessing.written(secret, new Array(size).fill(0), 0),
    written: (secret, outputs, time) => ({ outputs, time, error: 3 * mean(outputs.map((x, i) => (x - secret.target[i]) ** 2)) }),
    observe: (secret, state, horizon) => shown(state, state.outputs.length, state.error, { flags: flags(state.time, horizon) }),
    step: (secret, state, action) => tasks.guessing.written(secret, action, state.time + 1),
    target: (secret) => secret.target,
    measure: (state) => state.error,
  },
  xor: {
    slots: (size) => ({ inputs: size, outputs: size, feedback: 1 }),
    hide: (size, uniform) => ({ bits: [...Array(size).keys()].map((i) => (uniform("bits", i) < 0.5 ? -1 : 1)) }),
    answer: (secret) => secret.bits.reduce((a, b) => a * b, 1),
    start: (secret, size) => ({ outputs: new Array(size).fill(0), time: 0, right: 0, loss: 1 }),
    observe: (secret, state, horizon) => shown(state, state.outputs.length, state.time === horizon ? state.right : 0, {
      inputs: secret.bits.map((bit) => [bit]), inputMask: secret.bits.map(() => 1),
      flags: flags(state.time, horizon, Number(state.time === horizon - 1)),
    }),
    step: (secret, state, action) => ({
      outputs: action, time: state.time + 1, right: mean(action.map((x) => Number(x * tasks.xor.answer(secret) > 0))),
      loss: mean(action.map((x) => (x - tasks.xor.answer(secret)) ** 2)),
    }),
    target: (secret) => secret.bits.map(() => tasks.xor.answer(secret)),
    measure: (state) => state.loss,
  },
  bandit: {
    slots: (size) => ({ inputs: 1, outputs: size, feedback: 1 }),
    hide: (size, uniform) => ({ mean: [...Array(size).keys()].map((i) => uniform("mean", i)) }),
    start: (secret, size) => ({ outputs: new Array(size).fill(0), time: 0, reward: 0, regret: 0 }),
    observe: (secret, state, horizon) => shown(state, state.outputs.length, state.reward, { flags: flags(state.time, horizon) }),
    step: (secret, state, arm, noise) => ({
      outputs: secret.mean.map((_, i) => Number(i === arm)), time: state.time + 1, reward: Number(noise < secret.mean[arm]),
      regret: state.regret + Math.max(...secret.mean) - secret.mean[arm],
    }),
    target: (secret) => secret.mean,
    measure: (state) => state.regret,
  },
};
