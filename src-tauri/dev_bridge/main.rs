//! The engine with the demo servers behind a bridge for a browser: the program's half of
//! `cargo xtask dev`. An example, so that no build of the program contains it.

mod bridge;

use std::path::PathBuf;

use anyhow::Context as _;
use bridge::Bridge;
use jobwatch_app::demo_switch::DemoSwitch;
use jobwatch_engine::ports::Ports;
use jobwatch_engine::{Engine, Options, SettingsSource};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (Some(origin), Some(data)) = (arguments.next(), arguments.next().map(PathBuf::from)) else {
        anyhow::bail!("Usage: dev-bridge ORIGIN DATA_DIR");
    };
    // Fails only if a provider is already installed, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    std::fs::create_dir_all(&data).context("the data directory cannot be created")?;
    let options = Options {
        settings: SettingsSource::File(data.join("settings.toml")),
        data_dir: Some(data),
        ports: Ports::default(),
        seed: None,
    };
    let engine = Engine::start(options).await?;
    let demo = DemoSwitch::default();
    demo.set(&engine, true).await.map_err(|error| anyhow::anyhow!(error.message))?;
    let bridge = Bridge::start(engine.clone(), demo, &origin).await?;
    println!("Open {}", bridge.page());
    println!("Calls go to http://{}/call/NAME, with the header Origin: {origin}", bridge.address());
    jobwatch_app::os::ended().await;
    engine.stop().await;
    Ok(())
}
