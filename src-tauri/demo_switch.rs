//! The embedded demo servers, on or off.

use std::sync::Arc;

use jobwatch_demo::{Demo, DemoOptions};
use jobwatch_engine::Engine;
use jobwatch_engine::api::{ErrorCode, UserError};
use tokio::sync::Mutex;

/// Holds the demo servers while they run.
#[derive(Clone, Default)]
pub struct DemoSwitch(Arc<Mutex<Option<Demo>>>);

impl DemoSwitch {
    /// Starts or stops the demo servers and passes them to the engine. Idempotent.
    ///
    /// # Errors
    /// When the demo cannot listen on this machine.
    pub async fn set(&self, engine: &Engine, on: bool) -> Result<(), UserError> {
        let mut demo = self.0.lock().await;
        if !on {
            engine.set_demo(Vec::new()).await;
            if let Some(demo) = demo.take() {
                demo.stop().await;
            }
        } else if demo.is_none() {
            let started = Demo::start(DemoOptions::default()).await.map_err(|error| UserError {
                code: ErrorCode::Internal,
                message: format!("Could not start the demo: {error}."),
            })?;
            engine.set_demo(started.servers()).await;
            *demo = Some(started);
        }
        Ok(())
    }

    /// Stops the demo servers, if they run.
    pub async fn stop(&self) {
        if let Some(demo) = self.0.lock().await.take() {
            demo.stop().await;
        }
    }
}
