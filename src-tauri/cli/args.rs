//! The command line's words.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::builder::PossibleValuesParser;
use clap::builder::TypedValueParser as _;
use clap::{Args as Group, Parser, Subcommand};
use jiff::Timestamp;
use jobwatch_core::model::{Level, Topic};
use jobwatch_core::server::{DialectKind, KeyPlacement};

use crate::deep_link::{DeepLink, SCHEME};

/// `wait`: the job completed. Every other command: all went well.
pub const EXIT_OK: u8 = 0;
/// `wait`: the job failed.
pub const EXIT_FAILED: u8 = 1;
/// `wait`: the job was cancelled.
pub const EXIT_CANCELLED: u8 = 2;
/// `wait` and `logs`: the server does not know the job (any more).
pub const EXIT_LOST: u8 = 3;
/// `wait` and `logs`: the id means several jobs.
pub const EXIT_SEVERAL: u8 = 4;
/// `logs`: not all lines are there.
pub const EXIT_PARTIAL: u8 = 5;
/// The command line was not understood. Not 2, which means a cancelled job.
pub const EXIT_USAGE: u8 = 64;
/// Something needed is not there: a port, the window system, the server's address.
pub const EXIT_UNAVAILABLE: u8 = 69;
/// The program itself failed.
pub const EXIT_INTERNAL: u8 = 70;
/// The output could not be written.
pub const EXIT_OUTPUT: u8 = 74;
/// The key was not accepted, or could not be read from the keyring.
pub const EXIT_KEY: u8 = 77;
/// The saved settings cannot be used.
pub const EXIT_SETTINGS: u8 = 78;
/// `--timeout` passed first (as timeout(1) says it).
pub const EXIT_TIMEOUT: u8 = 124;
/// `wait`: interrupted before the job ended.
pub const EXIT_INTERRUPTED: u8 = 130;

const EXIT_CODES: &str = "\
Exit codes:
  0    done; for wait: the job completed
  1    wait: the job failed
  2    wait: the job was cancelled
  3    wait, logs: the server does not know the job (any more), or does not show it to this key
  4    wait, logs: the id means several jobs, which are listed
  5    logs: lines are missing, or may be; which, and why, is said on stderr
  64   the command line was not understood
  69   something needed is not there (a port, an address, the window system)
  70   the program itself failed
  74   the output could not be written; a closed pipe is no error
  77   the key was not accepted, or the keyring did not give it
  78   the saved settings cannot be used
  124  --timeout passed first
  130  wait: interrupted before the job ended; Ctrl-C is the usual end of the others";

const ENVIRONMENT: &str = "\
Environment:
  JOBWATCH_DATA_DIR    as --data-dir
  JOBWATCH_CONFIG_DIR  the directory of settings.toml
  JOBWATCH_LOG         what the program logs about itself (info, debug, jobwatch_engine=trace)
  NO_COLOR             no colours";

/// Watch background jobs on your servers, and hear when they end. Without a command the window
/// opens.
#[derive(Debug, Parser)]
#[command(name = "jobwatch", version, after_help = ENVIRONMENT, max_term_width = 100)]
pub struct Args {
    /// Where history and logs are kept, instead of the system's place
    #[arg(long, global = true, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,

    /// The settings file, instead of the usual one
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Open the window with the demo servers running
    #[arg(long)]
    pub demo: bool,

    /// Start in the tray, without a window
    #[arg(long)]
    pub hidden: bool,

    /// Show a job in the window: jobwatch://SERVER/JOB. Needs no --open before it
    #[arg(long, value_name = "LINK")]
    pub open: Option<String>,

    /// What to do; without it the window opens
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print what is heard from a server, as it is heard
    #[command(after_help = EXIT_CODES)]
    Watch(Watch),
    /// Wait until a job ends; its outcome is the exit code
    #[command(after_help = EXIT_CODES)]
    Wait(Wait),
    /// Print a job's log
    #[command(after_help = EXIT_CODES)]
    Logs(Logs),
    /// List the saved servers
    #[command(after_help = EXIT_CODES)]
    Servers(Servers),
    /// Serve all five dialects on loopback ports, with jobs that run
    #[command(after_help = EXIT_CODES)]
    Demo(Demo),
}

/// What describes a server that is not saved.
const GIVEN: [&str; 8] = ["dialect", "ws", "api", "name", "key_in", "namespace", "options", "ca"];

/// Which server: a saved one, or one given whole.
#[derive(Debug, Default, Group)]
#[command(next_help_heading = "Server")]
pub struct Connection {
    /// A saved server, by its name
    #[arg(long, value_name = "NAME", conflicts_with_all = GIVEN)]
    #[arg(required_unless_present = "ws")]
    pub server: Option<String>,

    /// How the server speaks; without it, that is found out
    #[arg(long, value_parser = dialects(), requires = "ws")]
    pub dialect: Option<DialectKind>,

    /// The server's URL: of its socket, its API or its web page
    #[arg(long, value_name = "URL")]
    pub ws: Option<String>,

    /// The base of the HTTP API, where it is not beside the socket
    #[arg(long, value_name = "URL", requires = "ws")]
    pub api: Option<String>,

    /// What to call the server in the output, instead of host and port
    #[arg(long, value_name = "NAME", requires = "ws")]
    pub name: Option<String>,

    /// The environment variable that holds the key; keys are never given as arguments, where other
    /// users of the machine can read them
    #[arg(long, value_name = "VARIABLE")]
    pub key_env: Option<String>,

    /// Sign in with this e-mail address to get the key, where the server has that (Study Buddy,
    /// Better Bull Board)
    #[arg(long, value_name = "ADDRESS", requires = "password_env", conflicts_with = "key_env")]
    pub email: Option<String>,

    /// The environment variable that holds the password; passwords are never given as arguments
    #[arg(long, value_name = "VARIABLE", requires = "email")]
    pub password_env: Option<String>,

    /// A further header, such as an access proxy asks for, from an environment variable:
    /// CF-Access-Client-Secret=VARIABLE; may be repeated
    #[arg(long = "header-env", value_name = "NAME=VARIABLE", value_parser = option)]
    pub header_env: Vec<(String, String)>,

    /// Where the key goes, when not where the dialect puts it: query:NAME, header:NAME,
    /// header:NAME:SCHEME, cookie:NAME, auth:NAME or first-message
    #[arg(long, value_name = "PLACE", value_parser = key_placement, requires = "ws")]
    pub key_in: Option<KeyPlacement>,

    /// The Socket.IO namespace, when not the dialect's
    #[arg(long, value_name = "NAMESPACE", requires = "ws")]
    pub namespace: Option<String>,

    /// A setting only this dialect knows (KECS: cluster, region, admin; analyzer: framing;
    /// TriggerX: user)
    #[arg(long = "option", value_name = "NAME=VALUE", value_parser = option, requires = "ws")]
    pub options: Vec<(String, String)>,

    /// A PEM file with certificate authorities trusted besides the system's
    #[arg(long, value_name = "FILE", requires = "ws")]
    pub ca: Option<PathBuf>,
}

/// `jobwatch watch`.
#[derive(Debug, Group)]
pub struct Watch {
    /// Which server.
    #[command(flatten)]
    pub connection: Connection,

    /// What to watch: job:ID, queue:NAME, user:ID or all; may be repeated. Without it everything
    /// the server lists, or what a saved server watches
    #[arg(long = "topic", value_name = "TOPIC", value_parser = Topic::parse)]
    pub topics: Vec<Topic>,

    /// One JSON object a line
    #[arg(long)]
    pub json: bool,

    /// End after this many seconds
    #[arg(long = "for", value_name = "SECONDS", value_parser = seconds)]
    pub duration: Option<Duration>,
}

/// `jobwatch wait`.
#[derive(Debug, Group)]
pub struct Wait {
    /// The job: its id, QUEUE/ID where queues count ids for themselves, an ARN, a TriggerX task as
    /// task:7; with or without "job:" before it
    pub job: String,

    /// Which server.
    #[command(flatten)]
    pub connection: Connection,

    /// Give up after this many seconds
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub timeout: Option<Duration>,

    /// The job was just added: wait for it to appear, and do not take an ended one of the same id
    /// for it
    #[arg(long)]
    pub new: bool,

    /// Print the ended job as a JSON object
    #[arg(long)]
    pub json: bool,
}

/// `jobwatch logs`.
#[derive(Debug, Group)]
pub struct Logs {
    /// The job's id, with or without "job:" before it
    pub job: String,

    /// Which server.
    #[command(flatten)]
    pub connection: Connection,

    /// Go on printing until the job ends
    #[arg(long, short)]
    pub follow: bool,

    /// Only lines since then: a time (2026-01-31T12:00:00Z) or how long ago (90s, 10m, 2h, 3d)
    #[arg(long, value_name = "TIME", value_parser = since)]
    pub since: Option<Since>,

    /// Only lines that this regular expression matches
    #[arg(long, short, value_name = "REGEX")]
    pub grep: Option<String>,

    /// Let --grep ignore the case
    #[arg(long, short, requires = "grep")]
    pub ignore_case: bool,

    /// Only lines of this level or a worse one: trace, debug, info, warn, error, fatal
    #[arg(long, value_name = "LEVEL", value_parser = level)]
    pub level: Option<Level>,

    /// Put the time and the level before every line
    #[arg(long, short)]
    pub timestamps: bool,

    /// One JSON object a line
    #[arg(long)]
    pub json: bool,

    /// Give up after this many seconds
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub timeout: Option<Duration>,
}

/// Since when lines are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// Since then.
    At(Timestamp),
    /// Since so long ago.
    Ago(Duration),
}

/// `jobwatch servers`.
#[derive(Debug, Group)]
pub struct Servers {
    /// One JSON object a line
    #[arg(long)]
    pub json: bool,
}

/// `jobwatch demo`.
#[derive(Debug, Group)]
pub struct Demo {
    /// The first of seven neighbouring ports; free ones are chosen without it
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..=65_529))]
    pub port: Option<u16>,

    /// The same seed gives the same jobs
    #[arg(long, value_name = "NUMBER")]
    pub seed: Option<u64>,

    /// How fast the demo's time runs: 2 is twice as fast
    #[arg(long, value_name = "FACTOR", value_parser = factor)]
    pub speed: Option<f64>,

    /// The servers want no key
    #[arg(long)]
    pub no_keys: bool,

    /// No jobs but those that are asked for over /__demo/
    #[arg(long)]
    pub quiet: bool,

    /// The generation of the servers that their documents describe, instead of the shipped one
    #[arg(long)]
    pub documented: bool,

    /// One JSON object a line
    #[arg(long)]
    pub json: bool,
}

/// Help, a version or an error of usage: something to print instead of working.
#[derive(Debug)]
pub struct Answer(clap::Error);

impl Answer {
    /// Prints it where it belongs; the exit code to end with.
    #[must_use]
    pub fn print(&self) -> ExitCode {
        let printed = self.0.print().and_then(|()| io::stdout().flush());
        ExitCode::from(match printed {
            // Nobody is left to tell when a complaint cannot be printed.
            _ if self.0.use_stderr() => EXIT_USAGE,
            Ok(()) => EXIT_OK,
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => EXIT_OK,
            Err(error) => {
                crate::print_stderr(format_args!("The output could not be written: {error}."));
                EXIT_OUTPUT
            }
        })
    }
}

impl Args {
    /// Reads the command line, the program's name first.
    ///
    /// # Errors
    /// What to print instead.
    pub fn read(words: impl IntoIterator<Item = OsString>) -> Result<Args, Answer> {
        // Desktops pass a link as it is.
        let mut named = false;
        let words = words.into_iter().flat_map(move |word| {
            let link = word.to_string_lossy().starts_with(SCHEME) && !named;
            named = word == "--open";
            link.then(|| OsString::from("--open")).into_iter().chain([word])
        });
        let args = Args::try_parse_from(words).map_err(Answer)?;
        if args.demo && args.command.is_some() {
            use clap::CommandFactory as _;
            return Err(Answer(Args::command().error(
                clap::error::ErrorKind::ArgumentConflict,
                "--demo opens the window; for the demo servers alone use the command \"demo\"",
            )));
        }
        Ok(args)
    }

    /// The link to be shown, where it is one.
    #[must_use]
    pub fn deep_link(&self) -> Option<DeepLink> {
        DeepLink::read(self.open.as_deref()?)
    }
}

fn dialects() -> impl clap::builder::TypedValueParser<Value = DialectKind> {
    PossibleValuesParser::new(DialectKind::ALL.map(DialectKind::word))
        .try_map(|word| DialectKind::from_word(&word).ok_or("unknown dialect"))
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    if seconds < 0.0 {
        return Err("a time cannot be negative".to_owned());
    }
    Duration::try_from_secs_f64(seconds).map_err(|_| "not a time".to_owned())
}

fn since(text: &str) -> Result<Since, String> {
    if let Some(at) = jobwatch_core::wire::time::parse_text(text.trim())
        && text.contains('-')
    {
        return Ok(Since::At(at));
    }
    let unit = text.trim().trim_start_matches(|c: char| c.is_ascii_digit());
    let number = text.trim().strip_suffix(unit).unwrap_or_default();
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => 0,
    };
    match number.parse::<u32>() {
        Ok(number) if seconds > 0 => {
            Ok(Since::Ago(Duration::from_secs(u64::from(number) * seconds)))
        }
        _ => Err("use a time such as 2026-01-31T12:00:00Z, or 90s, 10m, 2h, 3d".to_owned()),
    }
}

fn level(text: &str) -> Result<Level, String> {
    Level::from_word(text).ok_or_else(|| "use trace, debug, info, warn, error or fatal".to_owned())
}

fn factor(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(factor) if (0.01..=1_000.0).contains(&factor) => Ok(factor),
        _ => Err("use a number from 0.01 to 1000".to_owned()),
    }
}

fn option(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("use NAME=VALUE".to_owned()),
    }
}

fn key_placement(text: &str) -> Result<KeyPlacement, String> {
    let (place, rest) = text.split_once(':').unwrap_or((text, ""));
    let name = || match rest {
        "" => Err(format!("use {place}:NAME")),
        name => Ok(name.to_owned()),
    };
    Ok(match place {
        "query" => KeyPlacement::Query { name: name()? },
        "cookie" => KeyPlacement::Cookie { name: name()? },
        "auth" => KeyPlacement::Auth { name: name()? },
        "header" => match name()?.split_once(':') {
            Some((name, scheme)) => KeyPlacement::Header {
                name: name.to_owned(),
                scheme: Some(scheme.to_owned()).filter(|scheme| !scheme.is_empty()),
            },
            None => KeyPlacement::Header { name: name()?, scheme: None },
        },
        "first-message" => KeyPlacement::FirstMessage,
        _ => {
            return Err("use query:NAME, header:NAME, header:NAME:SCHEME, cookie:NAME, auth:NAME \
                        or first-message"
                .to_owned());
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Args, Answer> {
        Args::read(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn without_a_command_the_window_opens() {
        assert!(read("jobwatch").unwrap().command.is_none());
        assert!(read("jobwatch --demo --data-dir /x").unwrap().demo);
    }

    #[test]
    fn a_link_is_followed_as_the_desktop_passes_it() {
        let link = Some(DeepLink { server: "a".to_owned(), job: Some("b/c".to_owned()) });
        assert_eq!(read("jobwatch jobwatch://a/b/c").unwrap().deep_link(), link);
        assert_eq!(read("jobwatch --open jobwatch://a/b/c").unwrap().deep_link(), link);
        assert_eq!(read("jobwatch --hidden").unwrap().deep_link(), None);
    }

    #[test]
    fn a_server_is_saved_or_given_whole_never_both() {
        assert!(read("jobwatch watch --server a").is_ok());
        // What kind it is can be found out.
        assert!(read("jobwatch watch --ws http://h:3000").is_ok());
        assert!(
            read("jobwatch watch --dialect kecs --ws ws://h --topic all --topic job:a:b").is_ok()
        );
        for bad in [
            "jobwatch watch",
            "jobwatch watch --dialect kecs",
            "jobwatch watch --server a --ws ws://h --dialect kecs",
            "jobwatch watch --server a --api http://h",
            "jobwatch watch --dialect nonsense --ws ws://h",
            "jobwatch watch --server a --topic nonsense",
            "jobwatch wait --server a",
            "jobwatch --demo servers",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn there_is_no_flag_that_takes_a_key() {
        assert!(read("jobwatch watch --server a --key sk-1").is_err());
        assert!(read("jobwatch watch --server a --email a@b --password-env PW").is_ok());
        for bad in ["--password pw", "--email a@b", "--password-env PW"] {
            assert!(read(&format!("jobwatch watch --server a {bad}")).is_err(), "{bad}");
        }
    }

    #[test]
    fn key_places_are_read_as_documented() {
        let header = |scheme: Option<&str>| KeyPlacement::Header {
            name: "X-Key".to_owned(),
            scheme: scheme.map(str::to_owned),
        };
        assert_eq!(key_placement("header:X-Key").unwrap(), header(None));
        assert_eq!(key_placement("header:X-Key:Token").unwrap(), header(Some("Token")));
        assert_eq!(key_placement("first-message").unwrap(), KeyPlacement::FirstMessage);
        assert!(key_placement("query").is_err());
        assert!(key_placement("body:x").is_err());
    }

    #[test]
    fn times_are_finite_and_not_negative() {
        assert_eq!(seconds("1.5").unwrap(), Duration::from_millis(1_500));
        for bad in ["-1", "NaN", "inf", "1e400", "soon"] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }
}
