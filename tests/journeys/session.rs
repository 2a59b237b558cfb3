//! A desktop session for one journey: screen, message bus, keyring, notification server, home
//! directory.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::notifications::Notifications;
use super::screen::Screen;
use super::support::{PATIENCE, eventually, jobwatch, root};
use super::window::Window;

/// A bus that starts nothing by itself: what is on it, a journey has put there.
const BUS: &str = r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:dir=DIRECTORY</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"#;

/// Everything one journey needs around the program.
pub struct Session {
    name: String,
    home: TempDir,
    display: String,
    bus: String,
    /// The popups that were shown, and a way to click them.
    pub notifications: Notifications,
    window: Option<Window>,
    starts: u32,
    /// What the program finds in its environment besides.
    variables: Vec<(String, String)>,
    /// Ended in this order when the journey is over.
    helpers: Vec<Child>,
}

impl Session {
    /// Starts all of it.
    pub async fn start(name: &str) -> Session {
        let home = tempfile::tempdir().expect("a directory");
        for directory in ["run", "data", "config", "cache", "state"] {
            std::fs::create_dir(home.path().join(directory)).expect("a directory");
        }
        let (screen, display) = start_screen().await;
        let (bus_daemon, bus) = start_bus(home.path()).await;
        let notifications = Notifications::start(&bus).await;
        let mut session = Session {
            name: name.to_owned(),
            home,
            display,
            bus,
            notifications,
            window: None,
            starts: 0,
            variables: Vec::new(),
            helpers: vec![screen, bus_daemon],
        };
        session.start_keyring().await;
        session
    }

    /// Starts the program and waits for its window.
    pub async fn open(&mut self, arguments: &[&str]) -> &Window {
        assert!(self.window.is_none(), "the window is open already");
        self.starts += 1;
        let log = File::create(self.log_file(self.starts)).expect("a log file");
        let mut driver = self.command("WebKitWebDriver");
        driver
            .env("TAURI_WEBVIEW_AUTOMATION", "true")
            .stdout(Stdio::from(log.try_clone().expect("a log file")))
            .stderr(Stdio::from(log));
        self.window.insert(Window::open(driver, arguments).await)
    }

    /// Starts a tray that shows icons.
    pub async fn start_tray(&mut self) {
        let tray = self
            .command("trayer")
            .args(["--edge", "top", "--align", "right", "--widthtype", "request", "--height", "26"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("trayer starts (cargo xtask test installs it)");
        self.helpers.push(tray);
        eventually("a tray", async || self.screen().has_tray().then_some(())).await;
    }

    /// Starts the program as a user does, steered by nobody.
    pub fn start_alone(&mut self, arguments: &[&str]) -> Child {
        self.starts += 1;
        let log = File::create(self.log_file(self.starts)).expect("a log file");
        self.command(&jobwatch().to_string_lossy())
            .args(arguments)
            .stdout(Stdio::from(log.try_clone().expect("a log file")))
            .stderr(Stdio::from(log))
            .spawn()
            .expect("the program starts")
    }

    /// The screen, as other programs on it see it.
    pub fn screen(&self) -> Screen {
        Screen::of(&self.display)
    }

    /// The window, which must be open.
    pub fn window(&self) -> &Window {
        self.window.as_ref().expect("the window is open")
    }

    /// Ends the program at once, as a power failure does.
    pub async fn kill(&mut self) {
        if let Some(window) = self.window.take() {
            window.kill().await;
        }
    }

    /// Sets an environment variable for later starts.
    pub fn set(&mut self, name: &str, value: &str) {
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    /// Where the program's data are.
    pub fn data(&self) -> PathBuf {
        self.home.path().join("data/jobwatch")
    }

    /// Where the program's settings are.
    pub fn config(&self) -> PathBuf {
        self.home.path().join("config/jobwatch")
    }

    /// Where the program keeps its files.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// All that the program has printed so far.
    pub fn printed(&self) -> String {
        (1..=self.starts)
            .filter_map(|start| std::fs::read(self.log_file(start)).ok())
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .collect()
    }

    /// How often the program's log says this.
    pub fn logged(&self, words: &str) -> usize {
        let logs = std::fs::read_dir(self.data().join("logs")).expect("logs");
        let texts = logs.filter_map(|log| std::fs::read_to_string(log.ok()?.path()).ok());
        texts.map(|text| text.matches(words).count()).sum()
    }

    /// Leaves what a failed journey's reader wants to see.
    pub async fn keep_evidence(&self) {
        let evidence = root().join("target/journeys").join(&self.name);
        std::fs::create_dir_all(&evidence).expect("a directory");
        std::fs::write(evidence.join("printed.txt"), self.printed()).expect("a file");
        let logs = std::fs::read_dir(self.home().join("data/jobwatch/logs"));
        for log in logs.into_iter().flatten().flatten() {
            std::fs::copy(log.path(), evidence.join(log.file_name())).expect("a file");
        }
        if let Some(window) = &self.window {
            window.keep_evidence(&evidence).await;
        }
        let popups = format!("{:#?}", self.notifications.shown());
        std::fs::write(evidence.join("popups.txt"), popups).expect("a file");
        eprintln!("What the journey saw is in target/journeys/{}", self.name);
    }

    /// Ends everything.
    pub async fn stop(mut self) {
        self.kill().await;
        for mut helper in self.helpers.drain(..).rev() {
            // One that has ended already is fine: it ends with the bus or the screen.
            let _ = helper.kill().await;
        }
    }

    fn log_file(&self, start: u32) -> PathBuf {
        self.home.path().join(format!("printed-{start}.txt"))
    }

    /// A program in this session, isolated from the one that runs the tests.
    fn command(&self, program: &str) -> Command {
        let home = self.home.path();
        let mut command = Command::new(program);
        command
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .env("HOME", home)
            .env("DISPLAY", &self.display)
            .env("DBUS_SESSION_BUS_ADDRESS", &self.bus)
            .env("XDG_RUNTIME_DIR", home.join("run"))
            .env("XDG_DATA_HOME", home.join("data"))
            .env("XDG_CONFIG_HOME", home.join("config"))
            .env("XDG_CACHE_HOME", home.join("cache"))
            .env("XDG_STATE_HOME", home.join("state"))
            .env("GDK_BACKEND", "x11")
            .env("NO_AT_BRIDGE", "1")
            .env("LANG", "C.UTF-8")
            .env("TZ", "UTC")
            .env("JOBWATCH_LOG", "debug")
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .kill_on_drop(true);
        command
    }

    async fn start_keyring(&mut self) {
        let mut keyring = self
            .command("gnome-keyring-daemon")
            .args(["--unlock", "--foreground", "--components=secrets"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("gnome-keyring-daemon starts (cargo xtask test installs it)");
        let mut stdin = keyring.stdin.take().expect("stdin is piped");
        stdin.write_all(b"journey").await.expect("the keyring reads its password");
        drop(stdin);
        self.helpers.push(keyring);
        eventually("keyring on the bus", async || {
            self.notifications.has_owner("org.freedesktop.secrets").await.then_some(())
        })
        .await;
    }
}

async fn start_screen() -> (Child, String) {
    let mut screen = Command::new("Xvfb")
        .args(["-displayfd", "1", "-screen", "0", "1280x900x24", "-nolisten", "tcp", "-noreset"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("Xvfb starts (cargo xtask test installs it)");
    let number = first_line(&mut screen).await;
    (screen, format!(":{number}"))
}

async fn start_bus(home: &Path) -> (Child, String) {
    let configuration = home.join("bus.conf");
    let directory = home.join("run");
    std::fs::write(&configuration, BUS.replace("DIRECTORY", &directory.to_string_lossy()))
        .expect("a file");
    let mut bus = Command::new("dbus-daemon")
        .arg(format!("--config-file={}", configuration.display()))
        .args(["--nofork", "--print-address=1"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("dbus-daemon starts (cargo xtask test installs it)");
    let address = first_line(&mut bus).await;
    (bus, address)
}

async fn first_line(child: &mut Child) -> String {
    let mut lines = BufReader::new(child.stdout.take().expect("stdout is piped")).lines();
    timeout(PATIENCE, lines.next_line())
        .await
        .expect("it says where it is")
        .expect("its stdout can be read")
        .expect("it has not ended")
}
