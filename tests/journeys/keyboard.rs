//! The keyboard alone, and how large the page is drawn.

use serde_json::json;

use super::journey;
use super::support::eventually;
use super::window::Window;

/// How wide the page is, in its own pixels.
async fn width(window: &Window) -> u64 {
    window.run("return window.innerWidth", vec![]).await.as_u64().unwrap_or_default()
}

#[test]
fn the_page_is_zoomed_to_twice_its_size_by_the_keys_and_still_is_after_a_restart() {
    journey("zoom", async |session| {
        let window = session.open(&[]).await;
        window.click("button", "Try the demo").await;
        window.find_like("row", ", Running").await;
        let before = width(window).await;
        for _ in 0..5 {
            window.press_with_control("+").await;
        }
        eventually("a page of half the width", async || {
            (width(window).await == before / 2).then_some(())
        })
        .await;
        window.laid_out().await;
        // What does not fit would stick out of the page, or be cut where nothing scrolls.
        let script = "return document.documentElement.scrollWidth - window.innerWidth";
        assert_eq!(window.run(script, vec![]).await, json!(0), "nothing sticks out");
        window.press_with_control("-").await;
        eventually("a smaller page", async || (width(window).await > before / 2).then_some(()))
            .await;
        let kept = width(window).await;
        window.find("status", "Zoom 175 % Reset Close").await;
        session.kill().await;
        let window = session.open(&[]).await;
        window.find_like("button", "All jobs").await;
        eventually("a page as wide as before", async || {
            (width(window).await == kept).then_some(())
        })
        .await;
        window.press_with_control("0").await;
        eventually("the page as designed", async || (width(window).await == before).then_some(()))
            .await;
    });
}

#[test]
fn the_parts_of_the_window_are_reached_one_after_another_by_one_key() {
    journey("panes", async |session| {
        let window = session.open(&[]).await;
        window.click("button", "Try the demo").await;
        window.click_like("row", ", Running").await;
        window.find("tab", "Overview").await;
        window.find("region", "Timeline").await;
        let focused =
            "const on = document.activeElement; return on.getAttribute('role') ?? on.tagName";
        let ring = "return getComputedStyle(document.activeElement).outlineStyle";
        let mut roles = Vec::new();
        // It may be on any part of it when it begins.
        window.run("document.querySelector('nav button[aria-current]').focus()", vec![]).await;
        for _ in 0..4 {
            window.press("F6").await;
            roles.push(window.run(focused, vec![]).await);
            assert_eq!(window.run(ring, vec![]).await, json!("solid"), "the focus shows");
        }
        assert_eq!(roles, [json!("grid"), json!("tab"), json!("region"), json!("BUTTON")]);
    });
}
