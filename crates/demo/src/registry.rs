//! Where one server of a demo finds the others.

use std::sync::{Arc, OnceLock, Weak};

use jobwatch_core::server::DialectKind;

use crate::server::Shared;

/// All servers of one demo.
#[derive(Debug, Default)]
pub(crate) struct Registry(OnceLock<Vec<Weak<Shared>>>);

impl Registry {
    /// Registers the servers, once.
    pub fn register(&self, servers: &[Arc<Shared>]) {
        self.0.get_or_init(|| servers.iter().map(Arc::downgrade).collect());
    }

    /// The server that speaks `kind`.
    pub fn find(&self, kind: DialectKind) -> Option<Arc<Shared>> {
        let servers = self.0.get()?;
        servers.iter().filter_map(Weak::upgrade).find(|server| server.kind == kind)
    }
}
