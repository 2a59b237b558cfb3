/** Arrow keys in a tablist: move the focus and select. */
export function tabKeys(event: KeyboardEvent): void {
  const step = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[event.key];
  if (step === undefined) return;
  const tabs = [
    ...(event.currentTarget as HTMLElement).querySelectorAll<HTMLElement>("[role=tab]"),
  ];
  const from = tabs.indexOf(document.activeElement as HTMLElement);
  if (from < 0) return;
  event.preventDefault();
  event.stopPropagation();
  const to = tabs[Math.min(tabs.length - 1, Math.max(0, from + step))];
  to?.focus();
  to?.click();
}
