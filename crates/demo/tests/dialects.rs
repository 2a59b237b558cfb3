//! The demo and Jobwatch's own dialects understand one another.

#![allow(clippy::unwrap_used)]

mod support;

use std::collections::{BTreeSet, VecDeque};

use jobwatch_core::dialect::{FetchResponse, Incoming, Method, dialect};
use jobwatch_core::model::{Topic, Update};
use jobwatch_demo::DemoOptions;

#[tokio::test]
async fn everything_a_server_lists_is_read_without_a_complaint() {
    let demo = support::start(DemoOptions { speed: 0.0, ..DemoOptions::default() }).await;
    let client = reqwest::Client::new();
    for (server, key) in demo.servers() {
        let name = server.name.clone();
        let control = demo.control(server.dialect);
        let mut dialect = dialect(&server, key).unwrap();
        dialect.open().unwrap();
        let mut requests = VecDeque::from(dialect.fetch(&Topic::Everything));
        let api = server.dialect.info().api_path.is_some();
        assert_eq!(!requests.is_empty(), api, "{name}");
        if !api {
            continue;
        }
        let mut heard = BTreeSet::new();
        let mut found = BTreeSet::new();
        let mut asked = 0;
        while let Some(request) = requests.pop_front() {
            asked += 1;
            assert!(asked < 500, "{name} asks without end");
            let method = match request.method {
                Method::Get => reqwest::Method::GET,
                Method::Post => reqwest::Method::POST,
                Method::Put => reqwest::Method::PUT,
                Method::Delete => reqwest::Method::DELETE,
            };
            let mut call = client.request(method, request.address.expose().clone());
            for header in &request.headers {
                call = call.header(header.name.as_ref(), header.value.expose());
            }
            if let Some(body) = &request.body {
                call = call.header("content-type", "application/json").body(body.clone());
            }
            let answer = call.send().await.unwrap();
            let response = FetchResponse {
                status: answer.status().as_u16(),
                content_type: answer
                    .headers()
                    .get("content-type")
                    .and_then(|value| value.to_str().ok())
                    .map(|value| value.split(';').next().unwrap().to_owned()),
                body: answer.bytes().await.unwrap().to_vec(),
            };
            for incoming in dialect.parse(&request.ask, &response) {
                match incoming {
                    Incoming::Follow(next) => requests.push_back(next),
                    // A job that turned out to be part of what is watched is watched as well.
                    Incoming::Discovered(topic) if found.insert(topic.clone()) => {
                        requests.extend(dialect.fetch(&topic));
                    }
                    Incoming::Update(Update::Job(patch)) => {
                        heard.insert(patch.id.unwrap().as_str().to_owned());
                    }
                    Incoming::Refused(_) | Incoming::Unknown(_) => {
                        panic!("{name}: {:?} gave {incoming:?}", request.ask)
                    }
                    _ => {}
                }
            }
        }
        let state = control.state();
        for job in state["jobs"].as_array().unwrap() {
            let id = job["id"].as_str().unwrap();
            let running = job["state"] == "running";
            assert!(!running || heard.contains(id), "{name}: nothing heard of {job}");
        }
    }
}
