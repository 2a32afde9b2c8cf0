/* What is marked in a document: one list for entities, spans, evidence and answers, in the order of the text. */

import { Offsets } from "./offsets.js";

/** A colour for each label: neighbours in the list are far apart on the wheel. */
export const hue = (number) => Math.round((number * 137.5 + 205) % 360);

/** Collect the marks of a result, with offsets in UTF-16 units, and the labels by layer. */
export function collect(result, text) {
  const offsets = new Offsets(text);
  const layers = new Map();
  const add = (layer, shown, found) => {
    if (found.length) layers.set(layer, { shown, labels: new Map(), found });
  };
  add("Entities", true, result.entities);
  for (const [key, found] of Object.entries(result.spans)) add(`Spans: ${key}`, true, found);
  const evidence = Object.entries(result.evidence).flatMap(([label, found]) => found.map((mark) => ({ ...mark, label })));
  add("Evidence for categories", false, evidence);
  const marks = [];
  let number = 0;
  for (const [layer, { shown, labels, found }] of layers) {
    for (const { start, end, label, score } of found) {
      if (!labels.has(label)) labels.set(label, { hue: hue(number++), shown });
      marks.push({ start: offsets.units(start), end: offsets.units(end), label, score, layer, style: labels.get(label) });
    }
  }
  marks.sort((a, b) => a.start - b.start || b.end - a.end);
  return { marks, layers, offsets };
}

/** Cut a stretch of text where marks begin and end. Returns [start, end, marks over it], in order. */
export function segments(start, end, marks) {
  const cuts = new Set([start, end]);
  for (const mark of marks) {
    if (mark.start > start && mark.start < end) cuts.add(mark.start);
    if (mark.end > start && mark.end < end) cuts.add(mark.end);
  }
  const places = [...cuts].sort((a, b) => a - b);
  return places.slice(0, -1).map((from, i) => {
    const to = places[i + 1];
    return [from, to, marks.filter((mark) => mark.start < to && mark.end > from)];
  });
}
