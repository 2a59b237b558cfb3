//! What the window and the command line ask of log views. Files are read beside the loop.

use std::path::PathBuf;

use super::logview::{LogPull, LogStored};
use super::window::MAX_ROWS;
use super::{Engine, blocking, logview};
use crate::api::{
    ErrorCode, LogFormat, LogFound, LogMap, LogSaving, LogTarget, LogText, UserError,
};
use crate::logs;

impl Engine {
    /// Where something is in a log view, and so many rows around it; `None` when it is nowhere.
    ///
    /// # Errors
    /// When there is no such view, or the log cannot be read.
    pub async fn log_seek(
        &self,
        view: u32,
        target: LogTarget,
        around: u32,
    ) -> Result<Option<LogFound>, UserError> {
        self.read_log(view, move |pull| {
            let Some(place) = pull.reader().seek(target)? else { return Ok(None) };
            let first = place.row.saturating_sub(u64::from(around / 2));
            let window = (around > 0).then(|| pull.window(first, around.min(MAX_ROWS)));
            Ok(Some(LogFound { place, window: window.transpose()? }))
        })
        .await
    }

    /// A log view from afar.
    ///
    /// # Errors
    /// As [`Engine::log_seek`].
    pub async fn log_map(&self, view: u32, slices: u32, buckets: u32) -> Result<LogMap, UserError> {
        self.read_log(view, move |pull| pull.reader().map(slices, buckets)).await
    }

    /// A row of a log view, whole.
    ///
    /// # Errors
    /// As [`Engine::log_seek`]; also when the row is not there, or a gap.
    pub async fn log_text(&self, view: u32, row: u64) -> Result<LogText, UserError> {
        let text = self.read_log(view, move |pull| pull.reader().text(row)).await?;
        text.ok_or_else(|| UserError {
            code: ErrorCode::NotFound,
            message: "This line is not there any more.".to_owned(),
        })
    }

    /// Lines of a log view from row `first` on, whole.
    ///
    /// # Errors
    /// As [`Engine::log_seek`].
    pub async fn log_lines(
        &self,
        view: u32,
        first: u64,
        count: u64,
    ) -> Result<logs::stored::Lines, UserError> {
        self.read_log(view, move |pull| pull.reader().lines(first, count)).await
    }

    /// How the log of a view with one job is kept.
    ///
    /// # Errors
    /// When there is no such view.
    pub async fn log_stored(&self, view: u32) -> Result<LogStored, UserError> {
        let pull = self.request(move |state| state.read_log(view)).await??;
        Ok(pull.stored())
    }

    /// Lines of a view with one job, whatever its filter, in the order of reading: those whose
    /// number is at least `from` and that `wanted` accepts by number and time (nanoseconds since
    /// 1970); in batches, until `each` answers `false`. Answers one beyond the number of the last
    /// line that was there.
    ///
    /// # Errors
    /// As [`Engine::log_seek`].
    pub async fn log_each(
        &self,
        view: u32,
        from: u64,
        wanted: impl Fn(u64, i64) -> bool + Send + 'static,
        each: impl FnMut(logs::stored::Lines) -> bool + Send + 'static,
    ) -> Result<u64, UserError> {
        self.read_log(view, move |pull| {
            pull.unfiltered().each(wanted, from, each)?;
            Ok(pull.stored().end)
        })
        .await
    }

    /// Rows of a log view as text, at most 100,000.
    ///
    /// # Errors
    /// As [`Engine::log_seek`].
    pub async fn log_copy(
        &self,
        view: u32,
        first: u64,
        count: u64,
        format: LogFormat,
    ) -> Result<String, UserError> {
        self.read_log(view, move |pull| pull.reader().copy(first, count, format)).await
    }

    /// Writes all rows of a log view into a file, or all lines whatever its filter. `progress` is
    /// told now and then; when it answers `false` the file is removed again.
    ///
    /// # Errors
    /// When there is no such view.
    pub async fn log_save(
        &self,
        view: u32,
        path: PathBuf,
        filtered: bool,
        format: LogFormat,
        progress: impl Fn(&LogSaving) -> bool + Send + 'static,
    ) -> Result<LogSaving, UserError> {
        let pull = self.request(move |state| state.read_log(view)).await??;
        blocking(move || {
            let reader = if filtered { pull.reader() } else { pull.unfiltered() };
            Ok(logs::save::save(&reader, &path, format, &progress))
        })
        .await
    }

    /// Asks the servers of a log view for lines from the beginning on.
    ///
    /// # Errors
    /// When there is no such view.
    pub async fn log_fetch(&self, view: u32) -> Result<(), UserError> {
        self.request(move |state| state.fetch_log(view)).await?
    }

    async fn read_log<T: Send + 'static>(
        &self,
        view: u32,
        read: impl FnOnce(&LogPull) -> std::io::Result<T> + Send + 'static,
    ) -> Result<T, UserError> {
        let pull = self.request(move |state| state.read_log(view)).await??;
        blocking(move || read(&pull).map_err(|error| logview::unreadable(&error))).await
    }
}
