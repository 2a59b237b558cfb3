import type { Attachment } from "svelte/attachments";

/**
 * Lists on an element the breakpoints it does not exceed, in CSS pixels:
 * `data-NAME="w640 w560 h300"`, for use in styles. Container queries would do the same,
 * but some WebKit versions evaluate them against the zoomed size, so that a page at
 * 200 % seems to have twice the room.
 */
export function breakpoints(
  name: string,
  widths: number[],
  heights: number[] = [],
): Attachment<HTMLElement> {
  return (element) => {
    const measure = () => {
      const wide = widths
        .filter((width) => element.clientWidth <= width)
        .map((width) => `w${width}`);
      const tall = heights
        .filter((height) => element.clientHeight <= height)
        .map((height) => `h${height}`);
      element.dataset[name] = [...wide, ...tall].join(" ");
    };
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  };
}
