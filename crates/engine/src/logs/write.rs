//! Lines as they are copied and saved.

use std::io;

use super::query::LogFormat;
use super::record::Record;

/// Writes lines in one of the formats.
#[derive(Debug)]
pub struct Writer {
    format: LogFormat,
}

impl Writer {
    /// For a format.
    #[must_use]
    pub fn new(format: LogFormat) -> Writer {
        Writer { format }
    }

    /// What comes before the first line.
    ///
    /// # Errors
    /// The writer's.
    pub fn head(&self, out: &mut impl io::Write) -> io::Result<()> {
        match self.format {
            LogFormat::Csv => out.write_all(b"time,level,job,origin,message\r\n"),
            _ => Ok(()),
        }
    }

    /// Writes a line.
    ///
    /// # Errors
    /// The writer's.
    pub fn line(
        &mut self,
        job: Option<&str>,
        record: &Record,
        origin: Option<&str>,
        text: &str,
        out: &mut impl io::Write,
    ) -> io::Result<()> {
        let at = record.at().map(|at| at.to_string());
        let level = record.level().map(|level| level.word());
        match self.format {
            LogFormat::Text => {
                if let Some(job) = job {
                    write!(out, "{job}: ")?;
                }
                writeln!(out, "{text}")
            }
            LogFormat::TextWithTimes => {
                let at = at.as_deref().unwrap_or("-");
                write!(out, "{at} {:<5} ", level.unwrap_or("-"))?;
                for name in [job, origin].into_iter().flatten() {
                    write!(out, "{name}: ")?;
                }
                writeln!(out, "{text}")
            }
            LogFormat::Ndjson => {
                let line = serde_json::json!({
                    "timestamp": at, "level": level, "job": job, "origin": origin, "message": text,
                });
                writeln!(out, "{line}")
            }
            LogFormat::Csv => {
                let cells = [at.as_deref(), level, job, origin, Some(text)];
                let cells = cells.map(|cell| csv(cell.unwrap_or("")));
                write!(out, "{}\r\n", cells.join(","))
            }
        }
    }
}

/// A cell of a CSV file. What a spreadsheet would run as a formula is kept from being one.
fn csv(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if formula { format!("'{text}") } else { text.to_owned() };
    if text.contains(['"', ',', '\n', '\r']) || formula {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}
