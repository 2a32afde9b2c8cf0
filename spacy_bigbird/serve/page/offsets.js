/* The service counts characters (code points), the browser UTF-16 units: an emoji is one of the former, two of the latter. */

/** Converts offsets in characters to offsets in UTF-16 units. */
export class Offsets {
  constructor(text) {
    this.pairs = [];
    let characters = 0;
    for (let unit = 0; unit < text.length; unit += 1, characters += 1) {
      const code = text.charCodeAt(unit);
      if (code >= 0xd800 && code < 0xdc00) {
        this.pairs.push(characters);
        unit += 1;
      }
    }
  }

  units(character) {
    let low = 0;
    let high = this.pairs.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.pairs[middle] < character) low = middle + 1;
      else high = middle;
    }
    return character + low;
  }
}
