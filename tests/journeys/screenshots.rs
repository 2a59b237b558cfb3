//! The pictures of the README, taken on the way through the main screens.

use jobwatch_core::server::DialectKind;

use super::journey;
use super::support::eventually;
use super::window::{Window, save_picture};

#[test]
fn screenshots_of_the_main_screens() {
    journey("screenshots", async |session| {
        let window = session.open(&[]).await;
        window.find("button", "Try the demo").await;
        picture(window, "first-start").await;
        window.click("button", "Try the demo").await;
        eventually("servers that are all live", async || {
            (window.count("button", ", Live,").await == DialectKind::ALL.len()).then_some(())
        })
        .await;
        eventually("jobs in several states", async || {
            let enough = window.count("row", ", Running").await >= 2
                && window.count("row", ", Completed").await >= 2;
            enough.then_some(())
        })
        .await;
        window.click_like("row", ", Running").await;
        window.find("region", "Timeline").await;
        picture(window, "jobs-light").await;
        theme(window, "Dark").await;
        window.click_like("button", "All jobs").await;
        window.find_like("row", ", Running").await;
        picture(window, "jobs-dark").await;
        window.click_like("button", "Notices").await;
        window.find("heading", "Notices").await;
        picture(window, "notices-dark").await;
        theme(window, "Light").await;
        window.click("button", "Edit Jobs I watch").await;
        window.find("dialog", "Edit rule").await;
        window.read("would have notified you").await;
        picture(window, "rule").await;
        window.click("button", "Cancel").await;
        window.click("button", "Add a server").await;
        window.find("dialog", "Connect a server").await;
        picture(window, "connect").await;
    });
}

async fn theme(window: &Window, name: &str) {
    window.click("button", "Settings").await;
    window.click("radio", name).await;
}

async fn picture(window: &Window, name: &str) {
    save_picture(name, &window.picture().await);
}
