//! Starting other programs, and saying so.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};

/// The repository's root.
pub fn root() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask).to_owned()
}

/// Announces a step.
pub fn heading(text: &str) {
    if std::io::stdout().is_terminal() {
        println!("\n\x1b[1m== {text}\x1b[0m");
    } else {
        println!("\n== {text}");
    }
}

/// A program to start in the repository's root.
pub struct Program {
    command: Command,
    shown: String,
}

/// A program that runs beside this one.
pub struct Started(Child);

impl Drop for Started {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `cargo`, the very one that started this.
pub fn cargo() -> Program {
    let mut program = program("cargo");
    if let Some(cargo) = std::env::var_os("CARGO") {
        program.command = Command::new(cargo);
        program.command.current_dir(root());
    }
    // What Cargo tells the program it runs is about xtask, and would make Cargo believe that its
    // surroundings changed: everything would be built again.
    for name in ["CARGO_MANIFEST_DIR", "CARGO_MANIFEST_PATH", "CARGO_PKG_NAME"] {
        program.command.env_remove(name);
    }
    program
}

/// A program found on the path.
pub fn program(name: &str) -> Program {
    let mut command = Command::new(name);
    command.current_dir(root());
    Program { command, shown: name.to_owned() }
}

/// Whether a program is on the path.
pub fn exists(name: &str) -> bool {
    std::env::var_os("PATH").is_some_and(|path| {
        std::env::split_paths(&path).any(|directory| directory.join(name).is_file())
    })
}

impl Program {
    /// Adds one argument.
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Program {
        self.shown.push(' ');
        self.shown.push_str(&argument.as_ref().to_string_lossy());
        self.command.arg(argument);
        self
    }

    /// Adds arguments.
    pub fn args(self, arguments: &[&str]) -> Program {
        arguments.iter().fold(self, |program, argument| program.arg(argument))
    }

    /// Runs it in a directory below the root.
    pub fn dir(mut self, directory: &str) -> Program {
        self.command.current_dir(root().join(directory));
        self.shown = format!("(cd {directory}) {}", self.shown);
        self
    }

    /// Sets a variable of its environment.
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Program {
        self.command.env(name, value);
        self
    }

    /// Runs it to its end.
    ///
    /// # Errors
    /// When it cannot be started or fails.
    pub fn run(mut self) -> Result<()> {
        self.announce();
        let status =
            self.command.status().with_context(|| format!("could not start `{}`", self.shown))?;
        if !status.success() {
            bail!("`{}` failed ({status})", self.shown);
        }
        Ok(())
    }

    /// Starts it, and ends it when the result is dropped.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(mut self) -> Result<Started> {
        self.announce();
        let child = self.command.stdin(Stdio::null()).spawn();
        Ok(Started(child.with_context(|| format!("could not start `{}`", self.shown))?))
    }

    /// Runs it and returns what it prints.
    ///
    /// # Errors
    /// When it cannot be started or fails; the message holds what it complained about.
    pub fn output(mut self) -> Result<String> {
        let output =
            self.command.output().with_context(|| format!("could not start `{}`", self.shown))?;
        if !output.status.success() {
            bail!(
                "`{}` failed ({})\n{}{}",
                self.shown,
                output.status,
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr).trim_end()
            );
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Runs it, passes on what it prints line by line, and shows each line to `look` as well.
    ///
    /// # Errors
    /// When it cannot be started or fails.
    pub fn watch(mut self, mut look: impl FnMut(&str)) -> Result<()> {
        self.announce();
        let mut child = self
            .command
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("could not start `{}`", self.shown))?;
        if let Some(stdout) = child.stdout.take() {
            let mut lines = BufReader::new(stdout);
            let mut line = Vec::new();
            while lines.read_until(b'\n', &mut line)? > 0 {
                std::io::stdout().write_all(&line)?;
                look(&String::from_utf8_lossy(&line));
                line.clear();
            }
        }
        let status = child.wait()?;
        if !status.success() {
            bail!("`{}` failed ({status})", self.shown);
        }
        Ok(())
    }

    fn announce(&self) {
        println!("$ {}", self.shown);
        // The program writes to the same pipe directly: what stands here must come first.
        let _ = std::io::stdout().flush();
    }
}
