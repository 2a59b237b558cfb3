//! Each test runs in a process of its own on a private message bus: what a test does to the
//! session, no other test and no real desktop sees.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Set in the process that runs on the private bus; the test's own directory.
const INSIDE: &str = "JOBWATCH_TEST_HOME";

/// A bus that starts no services: a test brings its own.
const CONFIG: &str = r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:tmpdir=/tmp</listen>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"#;

/// Runs `body` of the test called `name` on a private bus.
pub fn on_private_bus(name: &str, body: impl FnOnce(&Path)) {
    if let Some(home) = std::env::var_os(INSIDE) {
        body(Path::new(&home));
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let config = home.path().join("bus.conf");
    std::fs::write(&config, CONFIG).unwrap();
    let mut command = Command::new(tool("dbus-run-session", "dbus"));
    command.arg("--config-file").arg(&config).arg("--");
    rerun(command, name, home.path());
}

/// Runs `body` of the test called `name` where there is no message bus at all.
pub fn without_a_bus(name: &str, body: impl FnOnce(&Path)) {
    if let Some(home) = std::env::var_os(INSIDE) {
        body(Path::new(&home));
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let mut command = Command::new("env");
    command.arg(format!("DBUS_SESSION_BUS_ADDRESS=unix:path={}/none", home.path().display()));
    rerun(command, name, home.path());
}

fn rerun(mut command: Command, name: &str, home: &Path) {
    let output = command
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(INSIDE, home)
        .env("HOME", home)
        .env("XDG_DATA_HOME", home.join("data"))
        .env("XDG_CONFIG_HOME", home.join("config"))
        .env("XDG_RUNTIME_DIR", runtime_dir(home))
        .env_remove("DISPLAY")
        .env_remove("WAYLAND_DISPLAY")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let out = String::from_utf8_lossy(&output.stdout);
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}\n{out}\n{err}");
    assert!(out.contains("1 passed"), "{name} is not the test's full name:\n{out}\n{err}");
}

fn runtime_dir(home: &Path) -> PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = home.join("run");
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o700)).unwrap();
    dir
}

/// A program that the tests need; they fail, and say how to get it, where it is missing.
pub fn tool(name: &str, package: &str) -> PathBuf {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&paths)
        .map(|dir| dir.join(name))
        .find(|path| path.is_file())
        .unwrap_or_else(|| {
            panic!("{name} is missing (Debian: {package}); `cargo xtask test` installs it")
        })
}

/// A program that ends with the test.
pub struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits until `condition` holds, for at most ten seconds.
pub fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !condition() {
        assert!(begin.elapsed() < Duration::from_secs(10), "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A small runtime for the test's own end of the bus.
pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Whether somebody on the bus has this name.
pub fn owned(runtime: &tokio::runtime::Runtime, name: &str) -> bool {
    runtime.block_on(async {
        let bus = zbus::Connection::session().await.unwrap();
        let reply = bus
            .call_method(
                Some("org.freedesktop.DBus"),
                "/org/freedesktop/DBus",
                Some("org.freedesktop.DBus"),
                "NameHasOwner",
                &name,
            )
            .await
            .unwrap();
        reply.body().deserialize::<bool>().unwrap()
    })
}
