// Random numbers by name and place: the same seed, name and place give the same number, whatever else is drawn.

function mix(x) {
  let h = x ^ (x >>> 16);
  h = Math.imul(h, 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

export function chanceOf(seed) {
  const stream = (name) => [...name].reduce((h, letter) => mix(h ^ letter.charCodeAt(0)), mix(seed ^ 0x9e3779b9));
  const uniform = (name, i) => mix(mix(stream(name) + Math.imul(i, 0x9e3779b1)) ^ i) / 2 ** 32;
  const one = (name, i) => Math.sqrt(-2 * Math.log(1 - uniform(`${name} radius`, i))) * Math.cos(2 * Math.PI * uniform(`${name} angle`, i));
  const normal = (name, number, width) => [...Array(width).keys()].map((k) => one(name, number * width + k));
  return { uniform, normal };
}
