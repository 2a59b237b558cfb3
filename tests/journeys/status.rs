//! A server that goes away and comes back.

use serde_json::json;

use super::journey;
use super::steps::Server;
use super::support::node::NodeServer;

#[test]
fn a_lost_connection_is_told_and_no_outcome_is_lost_or_told_twice() {
    journey("lost-connection", async |session| {
        let mut server = NodeServer::analyzer("k-1").await;
        for job in ["a", "b", "c", "d"] {
            server.tell("add", json!({"job": job, "name": format!("job-{job}")})).await;
            server.tell("start", json!({"job": job})).await;
        }
        session.open(&[]).await;
        let window = session.window();
        window
            .connect(
                "Connect a server",
                &Server {
                    url: &server.url(),
                    kind: "Wallet analyzer",
                    name: "Wallets",
                    key: "k-1",
                    watch: "job:a, job:b, job:c, job:d",
                },
            )
            .await;
        window.status("Wallets", "Live").await;
        server.heard("subscribe-to-job", 4).await;
        window.look_away().await;
        window.click_like("row", "job-d, Running").await;
        window.find("region", "Timeline").await;
        let parts = "return [...document.querySelectorAll('#job-list, [role=tabpanel]')]
            .map((part) => part.getBoundingClientRect().top)";
        let places = window.run(parts, vec![]).await;
        server.tell("complete", json!({"job": "a"})).await;
        session.notifications.wait_for("job-a completed").await;

        // The socket alone is gone: HTTP carries on, and the window says so.
        server.tell("shut", json!({})).await;
        window.status("Wallets", "API mode").await;
        window.read("Polling the API").await;
        server.tell("complete", json!({"job": "b"})).await;
        session.notifications.wait_for("job-b completed").await;

        // The whole server is gone; a job ends meanwhile.
        server.tell("shut", json!({"everything": true})).await;
        window.status("Wallets", "Offline").await;
        assert_eq!(window.run(parts, vec![]).await, places, "nothing below the status moved");
        server.tell("complete", json!({"job": "c"})).await;

        server.tell("open", json!({})).await;
        window.click("button", "Reconnect now").await;
        window.status("Wallets", "Live").await;
        session.notifications.wait_for("job-c completed").await;
        server.heard("subscribe-to-job", 5).await;
        server.tell("complete", json!({"job": "d"})).await;
        session.notifications.wait_for("job-d completed").await;

        let shown = session.notifications.shown();
        let mut headings: Vec<&str> = shown.iter().map(|it| it.summary.as_str()).collect();
        headings.sort_unstable();
        let expected = ["job-a completed", "job-b completed", "job-c completed", "job-d completed"];
        assert_eq!(headings, expected, "each outcome once");
    });
}

#[test]
fn a_restart_finds_everything_and_tells_what_ended_meanwhile() {
    journey("restart", async |session| {
        let mut server = NodeServer::study_buddy("sesame").await;
        for job in ["1", "2"] {
            server.tell("add", json!({"job": job, "name": format!("job-{job}")})).await;
        }
        session.open(&[]).await;
        let window = session.window();
        window
            .connect(
                "Connect a server",
                &Server {
                    url: &server.url(),
                    kind: "AI Study Buddy",
                    name: "Lectures",
                    key: "sesame",
                    watch: "job:1, job:2",
                },
            )
            .await;
        window.status("Lectures", "Live").await;
        server.heard("subscribe:jobs", 2).await;
        server.tell("progress", json!({"job": "2", "progress": 20})).await;
        window.job("job-2", "Running").await;
        window.look_away().await;
        server.tell("complete", json!({"job": "1"})).await;
        session.notifications.wait_for("job-1 completed").await;

        session.kill().await;
        server.tell("complete", json!({"job": "2"})).await;
        server.tell("shut", json!({"everything": true})).await;

        // Before any server answers, the last known state is there.
        session.open(&[]).await;
        let window = session.window();
        window.job("job-1", "Completed").await;
        window.job("job-2", "Running").await;
        window.status("Lectures", "Offline").await;
        window.click_like("button", "Notices").await;
        window.find_like("row", "job-1 completed").await;

        window.look_away().await;
        server.tell("open", json!({})).await;
        // It comes back by itself, before anybody could click.
        window.status("Lectures", "Live").await;
        window.click_like("button", "Lectures, ").await;
        window.job("job-2", "Completed").await;
        session.notifications.wait_for("job-2 completed").await;
        let headings: Vec<String> =
            session.notifications.shown().into_iter().map(|it| it.summary).collect();
        assert_eq!(headings, ["job-1 completed", "job-2 completed"], "each outcome once");
    });
}
