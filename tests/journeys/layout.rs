//! How the screens are laid out, at every size of the window and of the page.

use serde_json::json;

use super::journey;
use super::session::Session;
use super::support::eventually;
use super::window::save_picture;

/// What sticks out of the page, and what lies over what stands beside it.
const FAULTS: &str = r"
const faults = [];
const page = document.documentElement;
if (page.scrollWidth > innerWidth) faults.push(`the page is ${page.scrollWidth} wide`);
const named = (element) => `${element.tagName}.${element.className} ${element.textContent.trim().slice(0, 30)}`;
const lines = 'nav ul, header, [role=row], [role=tablist], [role=toolbar], [role=listitem] > button, dl > div';
for (const line of document.querySelectorAll(lines)) {
  const boxes = [...line.children]
    .filter((child) => child.checkVisibility({ visibilityProperty: true, opacityProperty: true }))
    .filter((child) => getComputedStyle(child).position !== 'absolute')
    .map((child) => ({ child, box: child.getBoundingClientRect() }))
    .filter(({ box }) => box.width > 1 && box.height > 1);
  boxes.forEach((one, index) => {
    for (const other of boxes.slice(index + 1)) {
      const wide = Math.min(one.box.right, other.box.right) - Math.max(one.box.left, other.box.left);
      const tall = Math.min(one.box.bottom, other.box.bottom) - Math.max(one.box.top, other.box.top);
      if (wide > 1 && tall > 1) faults.push(`${named(one.child)} over ${named(other.child)}`);
    }
  });
  // What scrolls may be longer than its line.
  const from = line.getBoundingClientRect();
  if (from.width > 0 && from.right > innerWidth + 1) faults.push(`${named(line)} sticks out`);
}
return faults";

async fn check(session: &Session, name: &str) {
    let window = session.window();
    window.laid_out().await;
    let faults = window.run(FAULTS, vec![]).await;
    save_picture(name, &window.picture().await);
    assert_eq!(faults, json!([]), "{name}");
}

#[test]
fn no_screen_is_too_narrow_for_what_is_on_it_at_any_size_and_zoom() {
    journey("layout", async |session| {
        session.open(&[]).await;
        session.window().click("button", "Try the demo").await;
        session.window().find_like("row", ", Running").await;
        for (wide, tall) in [(1180, 760), (720, 480)] {
            for zoom in [1, 2] {
                let (screen, window) = (session.screen(), session.window());
                screen.resize(screen.window().expect("a window"), wide, tall);
                window.press_with_control("0").await;
                for _ in 1..=(zoom - 1) * 5 {
                    window.press_with_control("+").await;
                }
                let shown = json!([wide / zoom, tall / zoom]);
                eventually(&format!("a page of {shown}"), async || {
                    let size = window.run("return [innerWidth, innerHeight]", vec![]).await;
                    (size == shown).then_some(())
                })
                .await;
                // Of each theme half is enough: they differ in colours alone.
                for theme in [if zoom == 1 { "Light" } else { "Dark" }] {
                    window.push("button", "Settings").await;
                    window.find("region", "Settings").await;
                    window.run("document.querySelector('.settings').scrollTop = 0", vec![]).await;
                    window.push("radio", theme).await;
                    let at = |screen: &str| format!("{screen}-{theme}-{wide}-{zoom}00");
                    check(session, &at("settings")).await;
                    window.push("button", "All jobs").await;
                    window.find_like("row", ", Running").await;
                    check(session, &at("jobs")).await;
                    window.push("tab", "Failed, ").await;
                    window.push("row", ", Failed").await;
                    window.find("region", "Timeline").await;
                    check(session, &at("failed")).await;
                    // In the smallest page it does so by itself.
                    if wide / zoom > 360 {
                        window.push("button", "Expand").await;
                    }
                    window.find("region", "Overview").await;
                    check(session, &at("job")).await;
                    window.push("tab", "Logs").await;
                    window.find("toolbar", "Log").await;
                    check(session, &at("log")).await;
                    window.push("tab", "Overview").await;
                    window.push("button", "Notices").await;
                    window.find_like("row", " failed").await;
                    check(session, &at("notices")).await;
                    window.push("button", "Queues").await;
                    window.find("list", "Queues").await;
                    check(session, &at("queues")).await;
                    window.push("button", "Demo: KECS, ").await;
                    window.find("group", "Status of Demo: KECS").await;
                    check(session, &at("server")).await;
                }
            }
        }
    });
}
