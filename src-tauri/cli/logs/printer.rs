//! Prints a log on a thread of its own.

use jobwatch_core::log::LogLines;
use jobwatch_core::model::JobId;
use tokio::sync::mpsc;

use super::super::text::{self, Style};
use super::super::{Failure, Output, json, print};

/// A batch of lines to print.
pub(super) struct Batch {
    pub job: JobId,
    pub lines: LogLines,
    /// The number of each line in the stored log.
    pub numbers: Vec<u64>,
}

/// Prints batches of lines.
pub(super) struct Printer {
    pub server: String,
    pub json: bool,
    pub timestamps: bool,
}

impl Printer {
    /// Prints on a thread of its own, so that a slow reader blocks nothing else.
    pub fn start(
        self,
        mut batches: mpsc::Receiver<Batch>,
    ) -> Result<tokio::sync::oneshot::Receiver<Result<(), Failure>>, Failure> {
        let (done, ended) = tokio::sync::oneshot::channel();
        let style = Style::of_stdout();
        std::thread::Builder::new()
            .name("output".to_owned())
            .spawn(move || {
                let result = loop {
                    let Some(batch) = batches.blocking_recv() else { break Ok(()) };
                    match self.print(&batch, style) {
                        Ok(Output::Open) => {}
                        Ok(Output::Closed) => break Ok(()),
                        Err(failure) => break Err(failure),
                    }
                };
                // The receiver is gone if the program ends without waiting for this thread.
                let _ = done.send(result);
            })
            .map_err(Failure::internal)?;
        Ok(ended)
    }

    fn print(&self, batch: &Batch, style: Style) -> Result<Output, Failure> {
        let mut all = String::new();
        for (line, number) in batch.lines.iter().zip(&batch.numbers) {
            if self.json {
                all += &json::log(&self.server, &batch.job, *number, &line).text();
            } else {
                let head = self.timestamps.then(|| text::log_head(&line, style));
                let head = head.unwrap_or_default();
                all += &head;
                // A terminal must not be controlled by the text; a file gets every byte.
                match style.terminal {
                    true => all += &text::hanging_indent(line.text, text::columns(&head)),
                    false => all += text::file_text(line.text),
                }
            }
            all.push('\n');
        }
        all.pop();
        if batch.numbers.is_empty() { Ok(Output::Open) } else { print(&all) }
    }
}
