/**
 * The tallest element a list makes. WebKitGTK clamps heights at 33,554,428 px and other engines
 * lose precision earlier; beyond this the scroll bar is compressed.
 */
export const TALLEST = 15_000_000;

/** A range of rows. */
export interface Range {
  first: number;
  count: number;
}

/** Scroll position of a list with fixed row heights, exact even when the scroll bar is compressed. */
export class Scroll {
  /** Distance from the top of the first row to the top of the viewport, uncompressed, in px. */
  offset = 0;
  #total = 0;

  constructor(
    readonly rowHeight: number,
    public viewport = 0,
    /** The height beyond which the scroll bar is compressed. */
    public tallest = TALLEST,
  ) {}

  get total(): number {
    return this.#total;
  }

  set total(total: number) {
    this.#total = total;
    this.offset = this.#clamp(this.offset);
  }

  /** Height of the scrolled element. */
  get height(): number {
    return Math.min(this.#total * this.rowHeight, this.tallest);
  }

  get compressed(): boolean {
    return this.#total * this.rowHeight > this.tallest;
  }

  /** The largest possible offset. */
  get end(): number {
    return Math.max(0, this.#total * this.rowHeight - this.viewport);
  }

  get atEnd(): boolean {
    return this.offset >= this.end - 2;
  }

  /** Scroll bar position for the current offset, in px. */
  get top(): number {
    if (!this.compressed) return this.offset;
    return this.end === 0 ? 0 : (this.offset / this.end) * (this.height - this.viewport);
  }

  /** Handles a scroll bar movement to `top`. */
  moved(top: number): void {
    if (!this.compressed) {
      this.offset = this.#clamp(top);
      return;
    }
    // WebKit rounds positions: ignore changes below 1 px, to keep the exact offset.
    if (Math.abs(top - this.top) < 1) return;
    this.offset = this.#clamp((top / Math.max(1, this.height - this.viewport)) * this.end);
  }

  by(pixels: number): void {
    this.offset = this.#clamp(this.offset + pixels);
  }

  to(offset: number): void {
    this.offset = this.#clamp(offset);
  }

  /** Scrolls as little as possible to show the whole row. */
  reveal(index: number): void {
    const top = index * this.rowHeight;
    if (top < this.offset) this.to(top);
    else if (top + this.rowHeight > this.offset + this.viewport)
      this.to(top + this.rowHeight - this.viewport);
  }

  /** Rows at least partly visible. */
  visible(): Range {
    const first = Math.min(this.#total, Math.floor(this.offset / this.rowHeight));
    const last = Math.min(this.#total, Math.ceil((this.offset + this.viewport) / this.rowHeight));
    return { first, count: Math.max(0, last - first) };
  }

  /** The visible rows and `overscan` more on both sides. */
  range(overscan: number): Range {
    const { first, count } = this.visible();
    const from = Math.max(0, first - overscan);
    return { first: from, count: Math.min(this.#total, first + count + overscan) - from };
  }

  #clamp(offset: number): number {
    return Math.min(this.end, Math.max(0, offset));
  }
}
