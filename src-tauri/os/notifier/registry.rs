//! The notices behind the desktop's popups, including those in its history and of earlier runs.
//!
//! Many desktops keep expired popups in a history where they can be clicked, so a popup is forgotten
//! only when the user closes it, or when there are too many. The registry is stored in a file together
//! with the daemon's identity: a later run finds its popups as long as that daemon runs.

use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The most popups to remember.
const MAX_REMEMBERED: usize = 512;
/// The most popups of an earlier run that may still be on the screen.
const MAX_ON_SCREEN: usize = 3;

/// The notice behind a popup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownPopup {
    /// The engine's id for it.
    #[serde(rename = "slot")]
    pub popup_id: u64,
    /// The notice's id.
    pub id: i64,
    /// Its server.
    pub server: String,
    /// The job to open, if it is about one.
    pub job: Option<String>,
    /// Whether it is on the screen, and not only in the desktop's history.
    #[serde(rename = "stands")]
    pub on_screen: bool,
}

/// The contents of the file.
#[derive(Default, Serialize, Deserialize)]
struct Stored {
    /// The daemon and bus that the numbers belong to.
    daemon: String,
    /// Oldest first, by the daemon's number.
    popups: Vec<(u32, ShownPopup)>,
}

/// Popups by the daemon's number for them.
#[derive(Default)]
pub struct PopupRegistry {
    by_number: HashMap<u32, ShownPopup>,
    by_id: HashMap<u64, u32>,
    order: VecDeque<u32>,
    daemon: String,
    file: Option<PathBuf>,
}

impl PopupRegistry {
    /// A registry stored in this file, which is not read yet.
    pub fn new(file: Option<&Path>) -> PopupRegistry {
        PopupRegistry { file: file.map(Path::to_owned), ..PopupRegistry::default() }
    }

    /// Switches to this daemon. Returns the popups of an earlier run that it may still show.
    pub fn daemon(&mut self, name: String) -> Vec<u64> {
        if name == self.daemon {
            return Vec::new();
        }
        let file = self.file.take();
        *self = PopupRegistry { daemon: name, ..PopupRegistry::new(file.as_deref()) };
        let Some(stored) =
            file.as_deref().and_then(read).filter(|stored| stored.daemon == self.daemon)
        else {
            return Vec::new();
        };
        for (number, shown) in stored.popups {
            self.insert(number, shown);
        }
        let on_screen = |number: &u32| self.by_number.get(number).filter(|shown| shown.on_screen);
        let popup_ids: Vec<u64> =
            self.order.iter().filter_map(on_screen).map(|shown| shown.popup_id).collect();
        popup_ids[popup_ids.len().saturating_sub(MAX_ON_SCREEN)..].to_vec()
    }

    /// The daemon's number for a popup.
    pub fn number(&self, popup_id: u64) -> Option<u32> {
        self.by_id.get(&popup_id).copied()
    }

    /// The notice behind a popup.
    pub fn shown(&self, number: u32) -> Option<&ShownPopup> {
        self.by_number.get(&number)
    }

    /// The popups on the screen.
    pub fn on_screen(&self) -> Vec<u64> {
        self.by_number
            .values()
            .filter(|shown| shown.on_screen)
            .map(|shown| shown.popup_id)
            .collect()
    }

    /// Forgets all popups, since the daemon has ended.
    pub fn clear(&mut self) {
        *self = PopupRegistry::new(self.file.take().as_deref());
    }

    /// Adds a popup that is on the screen.
    pub fn add(&mut self, number: u32, shown: ShownPopup) {
        self.insert(number, shown);
        self.save();
    }

    fn insert(&mut self, number: u32, shown: ShownPopup) {
        self.forget(number);
        self.by_id.insert(shown.popup_id, number);
        self.by_number.insert(number, shown);
        self.order.push_back(number);
        while self.order.len() > MAX_REMEMBERED {
            if let Some(oldest) = self.order.front().copied() {
                self.forget(oldest);
            }
        }
    }

    /// Marks an expired popup, which may be in the desktop's history. Returns its id if it was on the
    /// screen.
    pub fn expire(&mut self, number: u32) -> Option<u64> {
        let shown = self.by_number.get_mut(&number)?;
        let stood = std::mem::replace(&mut shown.on_screen, false);
        let popup_id = shown.popup_id;
        self.save();
        stood.then_some(popup_id)
    }

    /// Forgets a popup that the user closed, and returns its id.
    pub fn remove(&mut self, number: u32) -> Option<u64> {
        let popup_id = self.by_number.get(&number)?.popup_id;
        self.forget(number);
        self.save();
        Some(popup_id)
    }

    fn forget(&mut self, number: u32) {
        if let Some(shown) = self.by_number.remove(&number) {
            if self.by_id.get(&shown.popup_id) == Some(&number) {
                self.by_id.remove(&shown.popup_id);
            }
            self.order.retain(|other| *other != number);
        }
    }

    /// Writes the file. A failure only affects clicks in a later run.
    fn save(&self) {
        let Some(file) = &self.file else { return };
        let of = |number: &u32| Some((*number, self.by_number.get(number)?.clone()));
        let popups = self.order.iter().filter_map(of).collect();
        let stored = Stored { daemon: self.daemon.clone(), popups };
        let new = file.with_extension("new");
        let written = serde_json::to_vec(&stored)
            .map_err(std::io::Error::from)
            .and_then(|text| std::fs::write(&new, text))
            .and_then(|()| std::fs::rename(&new, file));
        if let Err(error) = written {
            tracing::debug!(%error, "the list of popups could not be saved");
        }
    }
}

fn read(file: &Path) -> Option<Stored> {
    serde_json::from_slice(&std::fs::read(file).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(popup_id: u64) -> ShownPopup {
        let (id, server) = (popup_id as i64, "s".to_owned());
        ShownPopup { popup_id, id, server, job: None, on_screen: true }
    }

    #[test]
    fn a_later_run_finds_the_popups_while_the_daemon_runs() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("popups.json");
        let mut popups = PopupRegistry::new(Some(&file));
        assert!(popups.daemon("bus :1.5".to_owned()).is_empty());
        for popup_id in 1..=5 {
            popups.add(100 + popup_id as u32, shown(popup_id));
        }
        assert_eq!(popups.expire(104), Some(4));
        assert_eq!(popups.expire(104), None, "it has left the screen once");
        assert_eq!(popups.remove(105), Some(5));
        let mut later = PopupRegistry::new(Some(&file));
        assert_eq!(later.daemon("bus :1.5".to_owned()), [1, 2, 3]);
        assert_eq!(later.shown(104).map(|shown| shown.id), Some(4), "in the desktop's history");
        assert_eq!((later.shown(105), later.number(2)), (None, Some(102)));
        let mut other = PopupRegistry::new(Some(&file));
        assert!(other.daemon("bus :1.9".to_owned()).is_empty());
        assert_eq!(other.shown(104), None, "another daemon counts anew");
    }

    #[test]
    fn the_registry_is_bounded_and_forgets_the_oldest() {
        let mut popups = PopupRegistry::new(None);
        for popup_id in 0..2_000 {
            popups.add(popup_id as u32, shown(popup_id));
        }
        assert_eq!((popups.order.len(), popups.by_id.len()), (MAX_REMEMBERED, MAX_REMEMBERED));
        assert!(popups.shown(1_999).is_some() && popups.shown(1_000).is_none());
    }
}
