//! The command line's arguments and exit codes.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::builder::PossibleValuesParser;
use clap::builder::TypedValueParser as _;
use clap::{Args as Group, Parser, Subcommand};
use jiff::Timestamp;
use jobwatch_core::dialect::table;
use jobwatch_core::model::{Level, Topic};
use jobwatch_core::server::{DialectKind, KeyPlacement};

use crate::deep_link::{DeepLink, SCHEME};

/// `wait`: the job completed. Every other command: success.
pub const EXIT_OK: u8 = 0;
/// `wait`: the job failed.
pub const EXIT_FAILED: u8 = 1;
/// `wait`: the job was cancelled.
pub const EXIT_CANCELLED: u8 = 2;
/// `wait` and `logs`: the server does not have the job (any more).
pub const EXIT_LOST: u8 = 3;
/// `wait` and `logs`: the id matches several jobs.
pub const EXIT_SEVERAL: u8 = 4;
/// `logs`: lines are missing, or may be.
pub const EXIT_PARTIAL: u8 = 5;
/// The command line is invalid. Not 2, which means a cancelled job.
pub const EXIT_USAGE: u8 = 64;
/// Something required is not available: a port, a display, the server's address.
pub const EXIT_UNAVAILABLE: u8 = 69;
/// An internal error.
pub const EXIT_INTERNAL: u8 = 70;
/// The output could not be written.
pub const EXIT_OUTPUT: u8 = 74;
/// The key was rejected, or could not be read from the keyring.
pub const EXIT_KEY: u8 = 77;
/// The saved settings cannot be used.
pub const EXIT_SETTINGS: u8 = 78;
/// `--timeout` expired first; the code that timeout(1) uses.
pub const EXIT_TIMEOUT: u8 = 124;
/// `wait`: interrupted before the job ended.
pub const EXIT_INTERRUPTED: u8 = 130;

const EXIT_CODES: &str = "\
Exit codes:
  0    success; wait: the job completed
  1    wait: the job failed
  2    wait: the job was cancelled
  3    wait, logs: the server does not have the job, or hides it from this key
  4    wait, logs: the id matches several jobs; they are listed
  5    logs: lines are missing, or may be; stderr says which and why
  64   invalid command line
  69   something required is not available (a port, an address, a display)
  70   internal error
  74   the output could not be written; a closed pipe is not an error
  77   the key was rejected, or could not be read from the keyring
  78   the saved settings cannot be used
  124  --timeout expired first
  130  wait: interrupted before the job ended; Ctrl-C is how the other commands end";

const ENVIRONMENT: &str = "\
Environment:
  JOBWATCH_DATA_DIR    same as --data-dir
  JOBWATCH_CONFIG_DIR  the directory of settings.toml
  JOBWATCH_LOG         log level of Jobwatch itself (info, debug, jobwatch_engine=trace)
  NO_COLOR             turn colours off";

/// Watch background jobs on your servers and get a notification when they end. Without a command,
/// the window opens.
#[derive(Debug, Parser)]
#[command(name = "jobwatch", version, after_help = ENVIRONMENT, max_term_width = 100)]
pub struct Args {
    /// Directory for history and logs, instead of the default
    #[arg(long, global = true, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,

    /// Settings file, instead of the default
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Open the window with the demo servers running
    #[arg(long)]
    pub demo: bool,

    /// Start in the tray, without a window
    #[arg(long)]
    pub hidden: bool,

    /// Open a job in the window: jobwatch://SERVER/JOB. "--open" may be left out
    #[arg(long, value_name = "LINK")]
    pub open: Option<String>,

    /// The command to run; without one, the window opens
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print job updates, logs and metrics as they arrive
    #[command(after_help = EXIT_CODES)]
    Watch(Watch),
    /// Wait until a job ends, and exit with its outcome
    #[command(after_help = EXIT_CODES)]
    Wait(Wait),
    /// Print a job's log
    #[command(after_help = EXIT_CODES)]
    Logs(Logs),
    /// List the saved servers
    #[command(after_help = EXIT_CODES)]
    Servers(Servers),
    /// Run demo servers of every kind on loopback ports
    #[command(after_help = EXIT_CODES)]
    Demo(Demo),
}

/// The options that describe a server that is not saved.
const GIVEN: [&str; 8] = ["dialect", "ws", "api", "name", "key_in", "namespace", "options", "ca"];

/// The options that choose a server: a saved one, or one described in full.
#[derive(Debug, Default, Group)]
#[command(next_help_heading = "Server")]
pub struct Connection {
    /// A saved server, by name
    #[arg(long, value_name = "NAME", conflicts_with_all = GIVEN)]
    #[arg(required_unless_present = "ws")]
    pub server: Option<String>,

    /// The kind of server; detected if not given
    #[arg(long, value_parser = dialects(), requires = "ws")]
    pub dialect: Option<DialectKind>,

    /// The server's URL: its socket, its API or its web page
    #[arg(long, value_name = "URL")]
    pub ws: Option<String>,

    /// Base URL of the HTTP API, if it is not next to the socket
    #[arg(long, value_name = "URL", requires = "ws")]
    pub api: Option<String>,

    /// Name of the server in the output, instead of its host and port
    #[arg(long, value_name = "NAME", requires = "ws")]
    pub name: Option<String>,

    /// Environment variable that holds the key. Keys are never arguments, which other users of this
    /// machine could read
    #[arg(long, value_name = "VARIABLE")]
    pub key_env: Option<String>,

    /// Sign in with this e-mail address to get a key
    #[arg(long, help = sign_in_help(), value_name = "ADDRESS", requires = "password_env")]
    #[arg(conflicts_with = "key_env")]
    pub email: Option<String>,

    /// Environment variable that holds the password. Passwords are never arguments
    #[arg(long, value_name = "VARIABLE", requires = "email")]
    pub password_env: Option<String>,

    /// Send this header with the value of an environment variable, for example for an access proxy:
    /// CF-Access-Client-Secret=VARIABLE. Repeatable
    #[arg(long = "header-env", value_name = "NAME=VARIABLE", value_parser = option)]
    pub header_env: Vec<(String, String)>,

    /// Where to send the key, instead of the default for this kind of server: query:NAME,
    /// header:NAME, header:NAME:SCHEME, cookie:NAME, auth:NAME or first-message
    #[arg(long, value_name = "PLACE", value_parser = key_placement, requires = "ws")]
    pub key_in: Option<KeyPlacement>,

    /// Socket.IO namespace, instead of the default for this kind of server
    #[arg(long, value_name = "NAMESPACE", requires = "ws")]
    pub namespace: Option<String>,

    /// An option of this kind of server. Repeatable
    #[arg(long = "option", help = options_help(), value_name = "NAME=VALUE", requires = "ws")]
    #[arg(value_parser = option)]
    pub options: Vec<(String, String)>,

    /// PEM file of additional certificate authorities to trust
    #[arg(long, value_name = "FILE", requires = "ws")]
    pub ca: Option<PathBuf>,
}

/// `jobwatch watch`.
#[derive(Debug, Group)]
pub struct Watch {
    /// The server.
    #[command(flatten)]
    pub connection: Connection,

    /// What to watch: job:ID, queue:NAME, user:ID or all. Repeatable. Defaults to what the saved
    /// server watches, or to all
    #[arg(long = "topic", value_name = "TOPIC", value_parser = Topic::parse)]
    pub topics: Vec<Topic>,

    /// Print one JSON object per line
    #[arg(long)]
    pub json: bool,

    /// Stop after this many seconds
    #[arg(long = "for", value_name = "SECONDS", value_parser = seconds)]
    pub duration: Option<Duration>,
}

/// `jobwatch wait`.
#[derive(Debug, Group)]
pub struct Wait {
    /// The job: its id, QUEUE/ID if each queue numbers its own jobs, an ARN, or a TriggerX task as
    /// task:7. An optional "job:" may stand before it
    pub job: String,

    /// The server.
    #[command(flatten)]
    pub connection: Connection,

    /// Give up after this many seconds
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub timeout: Option<Duration>,

    /// The job was just added: wait for it to appear, and ignore jobs of this id that have already
    /// ended
    #[arg(long)]
    pub new: bool,

    /// Print the job as a JSON object when it has ended
    #[arg(long)]
    pub json: bool,
}

/// `jobwatch logs`.
#[derive(Debug, Group)]
pub struct Logs {
    /// The job's id. An optional "job:" may stand before it
    pub job: String,

    /// The server.
    #[command(flatten)]
    pub connection: Connection,

    /// Keep printing new lines until the job ends
    #[arg(long, short)]
    pub follow: bool,

    /// Only lines since a time (2026-01-31T12:00:00Z) or for so long back (90s, 10m, 2h, 3d)
    #[arg(long, value_name = "TIME", value_parser = since)]
    pub since: Option<Since>,

    /// Only lines that match this regular expression
    #[arg(long, short, value_name = "REGEX")]
    pub grep: Option<String>,

    /// Ignore case in --grep
    #[arg(long, short, requires = "grep")]
    pub ignore_case: bool,

    /// Only lines of at least this level: trace, debug, info, warn, error, fatal
    #[arg(long, value_name = "LEVEL", value_parser = level)]
    pub level: Option<Level>,

    /// Print the time and level before each line
    #[arg(long, short)]
    pub timestamps: bool,

    /// Print one JSON object per line
    #[arg(long)]
    pub json: bool,

    /// Give up after this many seconds
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub timeout: Option<Duration>,
}

/// The start of the range of lines to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// A point in time.
    At(Timestamp),
    /// A time span back from now.
    Ago(Duration),
}

/// `jobwatch servers`.
#[derive(Debug, Group)]
pub struct Servers {
    /// Print one JSON object per line
    #[arg(long)]
    pub json: bool,
}

/// `jobwatch demo`.
#[derive(Debug, Group)]
pub struct Demo {
    /// The first of eight consecutive ports; free ports are chosen if not given
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..=65_529))]
    pub port: Option<u16>,

    /// Seed of the random jobs; the same seed gives the same jobs
    #[arg(long, value_name = "NUMBER")]
    pub seed: Option<u64>,

    /// Speed of the demo: 2 is twice as fast
    #[arg(long, value_name = "FACTOR", value_parser = factor)]
    pub speed: Option<f64>,

    /// Run the servers without keys
    #[arg(long)]
    pub no_keys: bool,

    /// Start no jobs except those requested over /__demo/
    #[arg(long)]
    pub quiet: bool,

    /// Behave as the servers' documentation describes, instead of as the shipped servers do
    #[arg(long)]
    pub documented: bool,

    /// Print one JSON object per line
    #[arg(long)]
    pub json: bool,
}

/// Help, the version or a usage error: something to print instead of running a command.
#[derive(Debug)]
pub struct Answer(clap::Error);

impl Answer {
    /// Prints it to stdout or stderr, and returns the exit code.
    #[must_use]
    pub fn print(&self) -> ExitCode {
        let printed = self.0.print().and_then(|()| io::stdout().flush());
        ExitCode::from(match printed {
            // If a usage error cannot be printed, there is no other way to report it.
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
    /// Parses the command line; the first argument is the program's name.
    ///
    /// # Errors
    /// Help, the version or a usage error to print.
    pub fn read(words: impl IntoIterator<Item = OsString>) -> Result<Args, Answer> {
        // Desktops pass a link without a flag.
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
                "--demo opens the window; to run only the demo servers, use the command \"demo\"",
            )));
        }
        Ok(args)
    }

    /// The job to open, if `--open` holds a valid link.
    #[must_use]
    pub fn deep_link(&self) -> Option<DeepLink> {
        DeepLink::read(self.open.as_deref()?)
    }
}

fn sign_in_help() -> String {
    let kinds = DialectKind::ALL.into_iter().filter(|kind| kind.signs_in());
    let titles: Vec<_> = kinds.map(DialectKind::title).collect();
    format!(
        "Sign in with this e-mail address to get a key, if the server supports it ({})",
        titles.join(", ")
    )
}

fn options_help() -> String {
    format!("An option of this kind of server ({}). Repeatable", table::options_help())
}

fn dialects() -> impl clap::builder::TypedValueParser<Value = DialectKind> {
    PossibleValuesParser::new(DialectKind::ALL.map(DialectKind::word))
        .try_map(|word| DialectKind::from_word(&word).ok_or("unknown dialect"))
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    if seconds < 0.0 {
        return Err("a time span cannot be negative".to_owned());
    }
    Duration::try_from_secs_f64(seconds).map_err(|_| "not a time span".to_owned())
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
        _ => Err(
            "use a time such as 2026-01-31T12:00:00Z, or a time span such as 90s, 10m, 2h or 3d"
                .to_owned(),
        ),
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
    fn a_link_is_accepted_with_and_without_a_flag() {
        let link = Some(DeepLink { server: "a".to_owned(), job: Some("b/c".to_owned()) });
        assert_eq!(read("jobwatch jobwatch://a/b/c").unwrap().deep_link(), link);
        assert_eq!(read("jobwatch --open jobwatch://a/b/c").unwrap().deep_link(), link);
        assert_eq!(read("jobwatch --hidden").unwrap().deep_link(), None);
    }

    #[test]
    fn a_server_is_either_saved_or_described_never_both() {
        assert!(read("jobwatch watch --server a").is_ok());
        // The kind can be detected.
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
    fn key_placements_are_parsed_as_documented() {
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
