//! What a server complained of, and what of it could not be understood: the latest of each, with
//! how often.

use std::collections::VecDeque;

use jiff::Timestamp;
use jobwatch_core::model::{Diagnostic, UNCONFIRMED};

use crate::api::DiagnosticRow;
use crate::queries::convert::ms;
use crate::redact::prefix;

/// Different ones kept of a server.
const MOST: usize = 20;

/// Characters of a text and of a sample that are shown.
const LONGEST: usize = 300;

/// The latest of a server, newest first.
#[derive(Debug, Default)]
pub(super) struct Diagnostics {
    rows: VecDeque<DiagnosticRow>,
    /// Messages that could not be understood, since the program started.
    pub unreadable: u32,
}

impl Diagnostics {
    /// Notes one whose texts hold no key. That a list is too long to be read whole is neither the
    /// server's complaint nor unreadable: the status says so while it lasts.
    pub fn note(&mut self, diagnostic: &Diagnostic, at: Timestamp) {
        if matches!(diagnostic.kind, "incomplete-list" | "many-lookups") {
            return;
        }
        let from_server = matches!(
            diagnostic.kind,
            "server-error" | "refused-subscription" | "limited" | UNCONFIRMED
        );
        if !from_server {
            self.unreadable = self.unreadable.saturating_add(1);
        }
        let text = prefix(&diagnostic.text, LONGEST);
        let same = self.rows.iter().position(|row| row.text == text);
        let known = same.and_then(|index| self.rows.remove(index));
        let sample = diagnostic.sample.as_deref().map(|sample| prefix(sample, LONGEST).to_owned());
        self.rows.push_front(DiagnosticRow {
            from_server,
            text: text.to_owned(),
            sample: sample.filter(|sample| !sample.is_empty()),
            at: ms(at),
            count: known.map_or(1, |known| known.count.saturating_add(1)),
        });
        self.rows.truncate(MOST);
    }

    /// As rows for the page.
    pub fn rows(&self) -> Vec<DiagnosticRow> {
        self.rows.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn odd(kind: &'static str, text: &str) -> Diagnostic {
        Diagnostic { kind, text: text.to_owned(), sample: None }
    }

    #[test]
    fn the_same_complaint_is_one_row_with_how_often_and_the_newest_comes_first() {
        let mut diagnostics = Diagnostics::default();
        let at = |second| Timestamp::from_second(second).unwrap();
        diagnostics.note(&odd("server-error", "Access denied"), at(1));
        diagnostics.note(&odd("bad-json", "A frame is not JSON."), at(2));
        diagnostics.note(&odd("server-error", "Access denied"), at(3));
        let rows: Vec<_> =
            diagnostics.rows().into_iter().map(|row| (row.text, row.count, row.at)).collect();
        assert_eq!(
            rows,
            [("Access denied".to_owned(), 2, 3_000), ("A frame is not JSON.".to_owned(), 1, 2_000)]
        );
        assert_eq!(diagnostics.unreadable, 1);
        diagnostics.note(&odd("incomplete-list", "Only the newest jobs are listed."), at(4));
        assert_eq!((diagnostics.rows().len(), diagnostics.unreadable), (2, 1));
        for index in 0..100 {
            diagnostics.note(&odd("bad-json", &index.to_string()), at(4));
        }
        assert_eq!(diagnostics.rows().len(), MOST);
    }
}
