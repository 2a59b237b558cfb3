//! Popups: what they say, that they come once, where a click leads.

use serde_json::json;

use super::journey;
use super::steps::Server;
use super::support::node::NodeServer;

#[test]
fn a_job_is_watched_to_its_end_and_a_click_on_its_popup_opens_it() {
    journey("popup", async |desktop| {
        let mut server = NodeServer::study_buddy("sesame").await;
        server.tell("add", json!({"job": "7", "name": "summarise-lecture"})).await;
        server.tell("add", json!({"job": "8", "name": "draw-figures"})).await;
        desktop.open(&[]).await;
        let window = desktop.window();
        window
            .connect(
                "Connect a server",
                &Server {
                    url: &server.url(),
                    kind: "AI Study Buddy",
                    name: "Lectures",
                    key: "sesame",
                    watch: "job:7, job:8",
                },
            )
            .await;
        window.status("Lectures", "Live").await;
        server.heard("subscribe:jobs", 2).await;

        server.tell("progress", json!({"job": "7", "progress": 40, "message": "reading"})).await;
        window.job("summarise-lecture", "Running").await;
        window.read("40 %").await;
        server.tell("complete", json!({"job": "7", "result": {"noteId": "n1"}})).await;
        window.job("summarise-lecture", "Completed").await;
        let good = desktop.notifications.wait_for("summarise-lecture completed").await;
        assert!(good.body.ends_with("on Lectures"), "{good:?}");

        // The server's event says "[object Object]"; the reason is found over HTTP.
        server.tell("progress", json!({"job": "8", "progress": 10})).await;
        server
            .tell("fail", json!({"job": "8", "reason": "no figures in the file\nat draw (a.js:1)"}))
            .await;
        let bad = desktop.notifications.wait_for("draw-figures failed").await;
        assert!(bad.body.ends_with("on Lectures: no figures in the file"), "{bad:?}");

        // Each outcome was sent several times and once more over HTTP.
        assert_eq!(desktop.notifications.shown(), [good.clone(), bad], "each popup once");
        window.click("button", "Settings").await;
        desktop.notifications.click(&good).await;
        window.find("region", "Job summarise-lecture").await;
    });
}
