import type { Attachment } from "svelte/attachments";

/**
 * Says of an element which of these widths and heights it is not above, in pixels of the page: as
 * `data-NAME="w640 w560 h300"`, for the styles of what is in it. A container query would say the
 * same, but some versions of WebKit ask it of the zoomed size, so that a page drawn at 200 % looks
 * to it as if there were room.
 */
export function breakpoints(name: string, widths: number[], heights: number[] = []): Attachment<HTMLElement> {
  return (element) => {
    const measure = () => {
      const wide = widths.filter((width) => element.clientWidth <= width).map((width) => `w${width}`);
      const tall = heights.filter((height) => element.clientHeight <= height).map((height) => `h${height}`);
      element.dataset[name] = [...wide, ...tall].join(" ");
    };
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  };
}
