/* Shows a document of any length. The text stands in blocks that the browser lays out when they come into view, and marks
   are drawn in the blocks near the window only. */

import { segments } from "./marks.js";

const BLOCK = 2500;
const LINE = 90;
const LINE_HEIGHT = 29;
const LONG = 60;
const TOP = 150;
const NEAR = "1200px";

/** Cut a text into blocks that end with a line, where there is one. */
export function blocksOf(text, breaks) {
  const found = [];
  let start = 0;
  let next = 0;
  while (start < text.length) {
    while (next < breaks.length && breaks[next] <= start) next += 1;
    const limit = Math.min(start + BLOCK, breaks[next] ?? Infinity, text.length);
    let end = limit;
    if (limit === start + BLOCK) {
      const line = text.lastIndexOf("\n", limit - 1);
      const space = line > start ? line : text.lastIndexOf(" ", limit - 1);
      if (space > start) end = space + 1;
      // Never between the halves of a character.
      else if ((text.charCodeAt(end - 1) & 0xfc00) === 0xd800) end += 1;
    }
    found.push([start, end]);
    start = end;
  }
  return found;
}

/** The document on the page. */
export class Viewer {
  constructor(element, map) {
    this.element = element;
    this.map = map;
    this.marks = [];
    this.observer = new IntersectionObserver((entries) => this.seen(entries), { rootMargin: NEAR });
    map.addEventListener("click", (event) => {
      const offset = Math.floor((event.offsetY / map.clientHeight) * this.text.length);
      const nearest = this.marks.reduce((best, mark) => (Math.abs(mark.start - offset) < Math.abs((best?.start ?? Infinity) - offset) ? mark : best), null);
      if (nearest) this.jump(nearest);
      else this.show(offset);
    });
    new ResizeObserver(() => this.drawMap()).observe(element);
  }

  open(text, pages) {
    this.observer.disconnect();
    this.text = text;
    this.current = null;
    this.near = new Set();
    const fragment = document.createDocumentFragment();
    const starts = new Map(pages.map((start, i) => [start, i + 1]));
    this.blocks = blocksOf(text, pages).map(([start, end]) => {
      if (starts.has(start)) {
        const line = document.createElement("div");
        line.className = "page-break";
        line.textContent = `page ${starts.get(start)}`;
        fragment.append(line);
      }
      const element = document.createElement("div");
      element.className = "block";
      element.style.containIntrinsicSize = `auto ${Math.ceil((end - start) / LINE) * LINE_HEIGHT}px`;
      element.textContent = text.slice(start, end);
      fragment.append(element);
      const block = { start, end, element, drawn: "" };
      element.block = block;
      return block;
    });
    this.element.replaceChildren(fragment);
    for (const { element } of this.blocks) this.observer.observe(element);
  }

  /** Show other marks. */
  update(marks) {
    this.marks = marks;
    this.version = (this.version ?? 0) + 1;
    for (const block of this.near) this.draw(block);
    this.drawMap();
  }

  seen(entries) {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting) {
        this.near.add(target.block);
        this.draw(target.block);
      } else {
        this.near.delete(target.block);
      }
    }
  }

  draw(block) {
    if (block.drawn === this.version) return;
    block.drawn = this.version;
    const { start, end, element } = block;
    const inside = this.marks.filter((mark) => mark.start < end && mark.end > start);
    if (!inside.length) {
      if (element.firstElementChild) element.textContent = this.text.slice(start, end);
      return;
    }
    const fragment = document.createDocumentFragment();
    for (const [from, to, over] of segments(start, end, inside)) {
      const text = this.text.slice(from, to);
      if (!over.length) {
        fragment.append(text);
        continue;
      }
      // Lines one by one: empty ones have nothing to mark.
      let place = from;
      for (const line of text.split(/(\n\s*)/)) {
        fragment.append(line.trim() ? this.marked(line, place + line.length, over) : line);
        place += line.length;
      }
    }
    element.replaceChildren(fragment);
  }

  marked(text, to, over) {
    // The innermost mark gives the colour, the one around it a line below.
    const [inner, outer] = [...over].sort((a, b) => Number(b.isAnswer ?? 0) - Number(a.isAnswer ?? 0) || a.end - a.start - (b.end - b.start));
    const element = document.createElement("mark");
    element.style.setProperty("--hue", inner.style.hue);
    if (inner.isAnswer) element.classList.add("answer");
    else if (inner.end - inner.start > LONG) element.classList.add("long");
    if (outer) {
      element.classList.add("more");
      element.style.setProperty("--under", outer.style.hue);
    }
    if (over.includes(this.current)) element.classList.add("current");
    element.title = over.map((mark) => `${mark.label}${mark.score == null ? "" : ` ${mark.score.toFixed(2)}`}`).join(", ");
    element.tabIndex = -1;
    element.marks = over;
    element.append(text);
    for (const mark of over) {
      if (mark.end === to) {
        const tag = document.createElement("span");
        tag.className = "tag";
        tag.style.setProperty("--hue", mark.style.hue);
        tag.textContent = mark.score == null ? mark.label : `${mark.label} ${mark.score.toFixed(2)}`;
        element.append(tag);
      }
    }
    return element;
  }

  blockAt(offset) {
    let low = 0;
    let high = this.blocks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.blocks[middle].start <= offset) low = middle;
      else high = middle - 1;
    }
    return this.blocks[low];
  }

  /** Scroll to a place of the text. Heights are known only once the blocks on the way are laid out, so this takes a few tries. */
  show(offset, tries = 20) {
    const block = this.blockAt(offset);
    this.draw(block);
    if (tries === 20) block.element.scrollIntoView({ block: "start" });
    requestAnimationFrame(() => {
      const { top, height } = this.rangeAt(block, offset).getBoundingClientRect();
      // Without height, the browser has not laid it out yet.
      if (height) window.scrollBy(0, top - TOP);
      else block.element.scrollIntoView({ block: "start" });
      if (tries > 0 && (!height || Math.abs(top - TOP) > 2)) this.show(offset, tries - 1);
    });
  }

  rangeAt(block, offset) {
    const walker = document.createTreeWalker(block.element, NodeFilter.SHOW_TEXT, (node) =>
      node.parentElement.className === "tag" ? NodeFilter.FILTER_REJECT : NodeFilter.FILTER_ACCEPT,
    );
    let left = offset - block.start;
    let node = walker.nextNode();
    while (node && left >= node.length) {
      left -= node.length;
      node = walker.nextNode();
    }
    const range = document.createRange();
    if (!node) range.selectNodeContents(block.element);
    else {
      range.setStart(node, left);
      range.setEnd(node, Math.min(left + 1, node.length));
    }
    return range;
  }

  /** Go to a mark, and put the focus on it, so that screen readers read it. */
  jump(mark) {
    this.current = mark;
    this.version += 1;
    const block = this.blockAt(mark.start);
    for (const near of new Set([...this.near, block])) this.draw(near);
    const find = () => [...block.element.querySelectorAll("mark")].find((one) => one.marks.includes(mark));
    block.element.scrollIntoView({ block: "nearest" });
    find()?.scrollIntoView({ block: "center" });
    // Once more, since blocks on the way may have been laid out, and this one drawn again.
    requestAnimationFrame(() => {
      find()?.scrollIntoView({ block: "center" });
      find()?.focus({ preventScroll: true });
    });
  }

  drawMap() {
    const ratio = window.devicePixelRatio || 1;
    // As long as the document is, at most what a canvas can be.
    const height = Math.min(this.map.clientHeight * ratio, 8192);
    this.map.height = height;
    this.map.width = 14 * ratio;
    const context = this.map.getContext("2d");
    const dark = window.matchMedia("(prefers-color-scheme: dark)").matches;
    for (const mark of this.marks) {
      context.fillStyle = `hsl(${mark.style.hue} 60% ${dark ? 55 : 50}%)`;
      const top = (mark.start / this.text.length) * height;
      const size = Math.max(3 * ratio, ((mark.end - mark.start) / this.text.length) * height);
      context.fillRect((mark.isAnswer ? 2 : 5) * ratio, top, (mark.isAnswer ? 10 : 5) * ratio, size);
    }
  }
}
