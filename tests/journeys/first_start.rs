//! The first start.

use jobwatch_core::server::DialectKind;

use super::journey;
use super::support::eventually;

#[test]
fn a_first_start_offers_to_connect_a_server_or_to_look_around() {
    journey("first-start", async |session| {
        let window = session.open(&[]).await;
        window.find("button", "Connect a server").await;
        window.find("button", "Try the demo").await;
    });
}

#[test]
fn the_demo_is_one_click_away_and_its_jobs_run_to_their_end() {
    journey("demo", async |session| {
        let window = session.open(&[]).await;
        window.click("button", "Try the demo").await;
        eventually("servers that are all live", async || {
            (window.count("button", ", Live,").await == DialectKind::ALL.len()).then_some(())
        })
        .await;
        window.find_like("row", ", Running").await;
        window.find_like("row", ", Completed").await;
        window.click_like("row", ", Running").await;
        window.find("tab", "Overview").await;
        window.find("region", "Timeline").await;
    });
}
