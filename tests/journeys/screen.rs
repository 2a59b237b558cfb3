//! The screen as another program on it sees it: which windows there are, and closing them.

use x11rb::connection::Connection;
use x11rb::protocol::xproto::{
    AtomEnum, ClientMessageEvent, ConnectionExt, EventMask, MapState, Window,
};
use x11rb::rust_connection::RustConnection;

/// A connection to the screen.
pub struct Screen {
    display: RustConnection,
    number: usize,
}

impl Screen {
    /// Connects to the screen of this name.
    pub fn of(display: &str) -> Screen {
        let (display, number) = RustConnection::connect(Some(display)).expect("the screen answers");
        Screen { display, number }
    }

    fn atom(&self, name: &str) -> u32 {
        let asked = self.display.intern_atom(false, name.as_bytes()).expect("the screen takes it");
        asked.reply().expect("the screen answers").atom
    }

    /// Whether a tray manages icons here.
    pub fn has_tray(&self) -> bool {
        let tray = self.atom(&format!("_NET_SYSTEM_TRAY_S{}", self.number));
        let owner = self.display.get_selection_owner(tray).expect("the screen takes it");
        owner.reply().expect("the screen answers").owner != x11rb::NONE
    }

    /// The program's window, if it is shown.
    pub fn window(&self) -> Option<Window> {
        let root = self.display.setup().roots[self.number].root;
        let windows = self.display.query_tree(root).ok()?.reply().ok()?.children;
        windows.into_iter().find(|window| self.is_ours(*window).unwrap_or(false))
    }

    /// A window that goes while it is asked about is not there.
    fn is_ours(&self, window: Window) -> Option<bool> {
        let (any, most) = (AtomEnum::ANY, 64);
        let name = self.display.get_property(false, window, AtomEnum::WM_NAME, any, 0, most);
        let name = name.ok()?.reply().ok()?.value;
        let shown = self.display.get_window_attributes(window).ok()?.reply().ok()?.map_state;
        Some(name.ends_with(b"Jobwatch") && shown == MapState::VIEWABLE)
    }

    /// Closes the window as the button in its frame does.
    pub fn close(&self, window: Window) {
        let (protocols, delete) = (self.atom("WM_PROTOCOLS"), self.atom("WM_DELETE_WINDOW"));
        let message = ClientMessageEvent::new(32, window, protocols, [delete, 0, 0, 0, 0]);
        let sent = self.display.send_event(false, window, EventMask::NO_EVENT, message);
        sent.expect("the screen takes it").check().expect("the window is there");
    }
}
