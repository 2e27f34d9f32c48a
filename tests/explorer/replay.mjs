// Play trials with given random numbers and interventions, and print all that happens as JSON.
// Standard input: a list of {agent, settings, normals: {name: [[...]]}, uniforms: {name: [...]}, events}.

import { readFileSync } from "node:fs";
import { unpacked } from "../../explorer/step.js";
import { replay } from "../../explorer/trial.js";

const trials = JSON.parse(readFileSync(0, "utf8"));
console.log(JSON.stringify(trials.map(({ agent, ...told }) => replay(unpacked(agent), told))));
