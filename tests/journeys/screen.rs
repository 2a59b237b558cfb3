//! The screen as another program on it sees it: which windows there are, closing them, and keys.

use x11rb::connection::Connection;
use x11rb::protocol::xproto::{
    AtomEnum, ClientMessageEvent, ConfigureWindowAux, ConnectionExt, EventMask, KEY_PRESS_EVENT,
    KEY_RELEASE_EVENT, MapState, Window,
};
use x11rb::protocol::xtest::ConnectionExt as _;
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

    /// What the program's window is called.
    pub fn title(&self) -> Option<String> {
        self.name(self.window()?)
    }

    fn name(&self, window: Window) -> Option<String> {
        let (any, most) = (AtomEnum::ANY, 64);
        let name = self.display.get_property(false, window, AtomEnum::WM_NAME, any, 0, most);
        String::from_utf8(name.ok()?.reply().ok()?.value).ok()
    }

    /// Presses keys together, as a keyboard does: each by its symbol.
    pub fn press(&self, symbols: &[u32]) {
        let setup = self.display.setup();
        let (first, last) = (setup.min_keycode, setup.max_keycode);
        let mapping = self.display.get_keyboard_mapping(first, last - first + 1);
        let mapping = mapping.expect("the screen takes it").reply().expect("a keyboard");
        let per_code = usize::from(mapping.keysyms_per_keycode);
        let code = |symbol: &u32| {
            let at = mapping.keysyms.iter().position(|other| other == symbol).expect("a key");
            first + u8::try_from(at / per_code).expect("a code")
        };
        let codes: Vec<u8> = symbols.iter().map(code).collect();
        let presses = codes.iter().map(|code| (KEY_PRESS_EVENT, *code));
        let releases = codes.iter().rev().map(|code| (KEY_RELEASE_EVENT, *code));
        for (kind, code) in presses.chain(releases) {
            let sent = self.display.xtest_fake_input(kind, code, 0, x11rb::NONE, 0, 0, 0);
            sent.expect("the screen takes it").check().expect("a key is pressed");
        }
    }

    /// A window that goes while it is asked about is not there.
    fn is_ours(&self, window: Window) -> Option<bool> {
        let name = self.name(window)?;
        let shown = self.display.get_window_attributes(window).ok()?.reply().ok()?.map_state;
        Some(name.ends_with("Jobwatch") && shown == MapState::VIEWABLE)
    }

    /// Makes the window so large.
    pub fn resize(&self, window: Window, width: u32, height: u32) {
        let size = ConfigureWindowAux::new().width(width).height(height);
        let sent = self.display.configure_window(window, &size).expect("the screen takes it");
        sent.check().expect("the window is there");
    }

    /// Closes the window as the button in its frame does.
    pub fn close(&self, window: Window) {
        let (protocols, delete) = (self.atom("WM_PROTOCOLS"), self.atom("WM_DELETE_WINDOW"));
        let message = ClientMessageEvent::new(32, window, protocols, [delete, 0, 0, 0, 0]);
        let sent = self.display.send_event(false, window, EventMask::NO_EVENT, message);
        sent.expect("the screen takes it").check().expect("the window is there");
    }
}
