//! Selects the lines of a log to print.

use jiff::{SignedDuration, Timestamp};
use jobwatch_core::log::LogLine;
use jobwatch_core::model::Level;
use jobwatch_engine::api::{LogFilter, LogFind, LogLevel};
use jobwatch_engine::logs::find::Needle;
use jobwatch_engine::logs::text::plain as seen;

use super::super::args::{EXIT_USAGE, Logs, Since};
use super::super::{Failure, text};

/// Which lines are line_filter.
pub struct LineFilter {
    pub filter: LogFilter,
    grep: Option<Needle>,
    level: Option<Level>,
    pub since: Option<i64>,
    /// `since` is relative to our clock, until the server's clock is known.
    relative: bool,
}

impl LineFilter {
    pub fn new(args: &Logs) -> Result<LineFilter, Failure> {
        let find = args.grep.as_ref().map(|text| LogFind {
            text: text.clone(),
            regex: true,
            case: !args.ignore_case,
            word: false,
        });
        let grep = find.as_ref().map(Needle::new).transpose();
        let grep = grep.map_err(|problem| Failure::new(EXIT_USAGE, problem))?.flatten();
        let all =
            [Level::Trace, Level::Debug, Level::Info, Level::Warn, Level::Error, Level::Fatal];
        let levels =
            all.into_iter().filter(|level| args.level.is_some_and(|least| *level >= least));
        let filter = LogFilter {
            include: find.into_iter().collect(),
            levels: levels.map(LogLevel::from).collect(),
            ..LogFilter::default()
        };
        let since = args.since.map(|since| match since {
            Since::At(at) => at.as_millisecond(),
            Since::Ago(ago) => {
                let ago = i64::try_from(ago.as_millis()).unwrap_or(i64::MAX);
                Timestamp::now().as_millisecond().saturating_sub(ago)
            }
        });
        let relative = matches!(args.since, Some(Since::Ago(_)));
        Ok(LineFilter { filter, grep, level: args.level, since, relative })
    }

    /// Whether the result depends on the server's clock.
    pub fn is_relative(&self) -> bool {
        self.relative
    }

    /// Moves a relative start from our clock to the server's.
    pub fn apply_clock_offset(&mut self, ahead: SignedDuration) {
        if std::mem::take(&mut self.relative) {
            let ahead = i64::try_from(ahead.as_millis()).unwrap_or_default();
            self.since = self.since.map(|since| since.saturating_add(ahead));
        }
    }

    /// Whether a line is not older than requested. A line without a time always passes.
    pub fn is_recent(&self, line: &LogLine<'_>) -> bool {
        let at = line.at.map(Timestamp::as_millisecond);
        self.since.is_none_or(|since| at.is_none_or(|at| at >= since))
    }

    pub fn matches(&self, line: &LogLine<'_>) -> bool {
        if !self.is_recent(line) {
            return false;
        }
        let level = text::level_of(line);
        self.level.is_none_or(|least| level.is_some_and(|level| level >= least))
            && self.grep.as_ref().is_none_or(|grep| grep.is_in(seen(line.text).as_bytes()))
    }
}
