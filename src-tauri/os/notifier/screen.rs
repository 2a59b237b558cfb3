//! What the desktop's popups stand for, those in its history among them, and those of an earlier run.
//!
//! A popup that has left the screen because its time was over is still in the history of many
//! desktops, where it can be clicked. So it is forgotten only when the user closes it, or too many
//! others have come. What is known is kept in a file, with which daemon it was: a later run finds
//! its popups again as long as that daemon runs.

use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Popups whose clicks are still understood.
const REMEMBERED: usize = 512;
/// Of an earlier run, so many may still stand on the screen.
const STANDING: usize = 3;

/// Which notice a popup stands for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// Its number, as the engine knows it.
    pub slot: u64,
    /// The notice.
    pub id: i64,
    /// On which server.
    pub server: String,
    /// The job to open, where it is about one.
    pub job: Option<String>,
    /// Whether it is on the screen, and not only in the desktop's history.
    pub stands: bool,
}

/// The file, as it is written.
#[derive(Default, Serialize, Deserialize)]
struct Kept {
    /// Which daemon on which bus gave the numbers: another one counts anew.
    daemon: String,
    /// Oldest first, by the daemon's number.
    popups: Vec<(u32, Shown)>,
}

/// Popups by the daemon's number for them.
#[derive(Default)]
pub struct Screen {
    by_number: HashMap<u32, Shown>,
    by_slot: HashMap<u64, u32>,
    order: VecDeque<u32>,
    daemon: String,
    file: Option<PathBuf>,
}

impl Screen {
    /// What is kept in this file, from now on; nothing is read yet.
    pub fn new(file: Option<&Path>) -> Screen {
        Screen { file: file.map(Path::to_owned), ..Screen::default() }
    }

    /// This daemon shows popups from now on. Answers which popups of an earlier run it may still
    /// show.
    pub fn daemon(&mut self, name: String) -> Vec<u64> {
        if name == self.daemon {
            return Vec::new();
        }
        let file = self.file.take();
        *self = Screen { daemon: name, ..Screen::new(file.as_deref()) };
        let Some(kept) = file.as_deref().and_then(read).filter(|kept| kept.daemon == self.daemon)
        else {
            return Vec::new();
        };
        for (number, shown) in kept.popups {
            self.insert(number, shown);
        }
        let standing = |number: &u32| self.by_number.get(number).filter(|shown| shown.stands);
        let slots: Vec<u64> =
            self.order.iter().filter_map(standing).map(|shown| shown.slot).collect();
        slots[slots.len().saturating_sub(STANDING)..].to_vec()
    }

    /// The daemon's number for a popup.
    pub fn number(&self, slot: u64) -> Option<u32> {
        self.by_slot.get(&slot).copied()
    }

    /// What a popup stands for.
    pub fn shown(&self, number: u32) -> Option<&Shown> {
        self.by_number.get(&number)
    }

    /// The popups on the screen.
    pub fn standing(&self) -> Vec<u64> {
        self.by_number.values().filter(|shown| shown.stands).map(|shown| shown.slot).collect()
    }

    /// The daemon has ended, and nothing that it showed can be clicked any more.
    pub fn clear(&mut self) {
        *self = Screen::new(self.file.take().as_deref());
    }

    /// A popup is on the screen.
    pub fn add(&mut self, number: u32, shown: Shown) {
        self.insert(number, shown);
        self.keep();
    }

    fn insert(&mut self, number: u32, shown: Shown) {
        self.forget(number);
        self.by_slot.insert(shown.slot, number);
        self.by_number.insert(number, shown);
        self.order.push_back(number);
        while self.order.len() > REMEMBERED {
            if let Some(oldest) = self.order.front().copied() {
                self.forget(oldest);
            }
        }
    }

    /// A popup's time is over: it may be in the desktop's history. Answers which it was, where it
    /// was on the screen.
    pub fn expire(&mut self, number: u32) -> Option<u64> {
        let shown = self.by_number.get_mut(&number)?;
        let stood = std::mem::replace(&mut shown.stands, false);
        let slot = shown.slot;
        self.keep();
        stood.then_some(slot)
    }

    /// A popup was closed, and can be clicked no more. Answers which it was.
    pub fn remove(&mut self, number: u32) -> Option<u64> {
        let slot = self.by_number.get(&number)?.slot;
        self.forget(number);
        self.keep();
        Some(slot)
    }

    fn forget(&mut self, number: u32) {
        if let Some(shown) = self.by_number.remove(&number) {
            if self.by_slot.get(&shown.slot) == Some(&number) {
                self.by_slot.remove(&shown.slot);
            }
            self.order.retain(|other| *other != number);
        }
    }

    /// Writes the file. Without it only a later run is worse off.
    fn keep(&self) {
        let Some(file) = &self.file else { return };
        let of = |number: &u32| Some((*number, self.by_number.get(number)?.clone()));
        let popups = self.order.iter().filter_map(of).collect();
        let kept = Kept { daemon: self.daemon.clone(), popups };
        let new = file.with_extension("new");
        let written = serde_json::to_vec(&kept)
            .map_err(std::io::Error::from)
            .and_then(|text| std::fs::write(&new, text))
            .and_then(|()| std::fs::rename(&new, file));
        if let Err(error) = written {
            tracing::debug!(%error, "it is not kept what popups stand for");
        }
    }
}

fn read(file: &Path) -> Option<Kept> {
    serde_json::from_slice(&std::fs::read(file).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(slot: u64) -> Shown {
        let (id, server) = (slot as i64, "s".to_owned());
        Shown { slot, id, server, job: None, stands: true }
    }

    #[test]
    fn a_later_run_knows_the_popups_of_this_one_as_long_as_the_daemon_runs() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("popups.json");
        let mut screen = Screen::new(Some(&file));
        assert!(screen.daemon("bus :1.5".to_owned()).is_empty());
        for slot in 1..=5 {
            screen.add(100 + slot as u32, shown(slot));
        }
        assert_eq!(screen.expire(104), Some(4));
        assert_eq!(screen.expire(104), None, "it has left the screen once");
        assert_eq!(screen.remove(105), Some(5));
        let mut later = Screen::new(Some(&file));
        assert_eq!(later.daemon("bus :1.5".to_owned()), [1, 2, 3]);
        assert_eq!(later.shown(104).map(|shown| shown.id), Some(4), "in the desktop's history");
        assert_eq!((later.shown(105), later.number(2)), (None, Some(102)));
        let mut other = Screen::new(Some(&file));
        assert!(other.daemon("bus :1.9".to_owned()).is_empty());
        assert_eq!(other.shown(104), None, "another daemon counts anew");
    }

    #[test]
    fn what_is_remembered_is_bounded_and_the_oldest_goes() {
        let mut screen = Screen::new(None);
        for slot in 0..2_000 {
            screen.add(slot as u32, shown(slot));
        }
        assert_eq!((screen.order.len(), screen.by_slot.len()), (REMEMBERED, REMEMBERED));
        assert!(screen.shown(1_999).is_some() && screen.shown(1_000).is_none());
    }
}
