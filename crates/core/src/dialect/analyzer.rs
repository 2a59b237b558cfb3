//! the wallet analyzer.

use std::time::Duration;

use super::endpoint::{Defaults, Endpoint};
use super::{
    Ask, Dialect, FetchRequest, FetchResponse, Frame, Incoming, Keepalive, OpenRequest, Outgoing,
};
use crate::model::Topic;
use crate::secret::Secret;
use crate::server::{DialectKind, Policy, Server};

/// How the wallet analyzer speaks.
#[derive(Debug)]
pub struct Analyzer {
    endpoint: Endpoint,
}

impl Analyzer {
    /// For one configured server.
    ///
    /// # Errors
    /// A sentence for people when a URL cannot be used.
    pub fn new(server: &Server, key: Option<Secret>) -> Result<Self, String> {
        let defaults =
            Defaults { ws_path: "/", api_path: "/", api_port: None, ws_key: None, http_key: None };
        Ok(Self { endpoint: Endpoint::new(server, key, defaults)? })
    }
}

impl Dialect for Analyzer {
    fn kind(&self) -> DialectKind {
        DialectKind::Analyzer
    }

    fn policy(&self) -> Policy {
        Policy::default()
    }

    fn set_key(&mut self, key: Option<Secret>) {
        self.endpoint.set_key(key);
    }

    fn open(&mut self) -> Result<OpenRequest, String> {
        Ok(self.endpoint.open())
    }

    fn opened(&mut self) -> Vec<Incoming> {
        vec![Incoming::Ready]
    }

    fn decode(&mut self, _frame: &Frame) -> Vec<Incoming> {
        Vec::new()
    }

    fn encode(&mut self, _out: &Outgoing) -> Vec<Frame> {
        Vec::new()
    }

    fn keepalive(&self) -> Keepalive {
        Keepalive::WebSocketPing {
            interval: Duration::from_secs(20),
            timeout: Duration::from_secs(10),
        }
    }

    fn fetch(&self, _topic: &Topic) -> Vec<FetchRequest> {
        Vec::new()
    }

    fn parse(&mut self, _ask: &Ask, _response: &FetchResponse) -> Vec<Incoming> {
        Vec::new()
    }
}
