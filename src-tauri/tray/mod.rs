//! The tray: [`menu`] decides what it shows, [`native`] shows it.

pub mod menu;
pub mod native;
