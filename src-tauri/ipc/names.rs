// The page's commands, one list for the handler's permissions and for the tests. Included by
// build.rs, so it holds nothing but the list.

/// Every command of the page, in the order of the engine's methods.
pub const COMMANDS: &[&str] = &[
    "overview",
    "subscribe",
    "open_view",
    "view_window",
    "close_view",
    "looking_at",
    "server_draft",
    "save_server",
    "test_server",
    "remove_server",
    "pause_server",
    "resume_server",
    "reconnect",
    "watch",
    "unwatch",
    "act",
    "mark_read",
    "mark_all_read",
    "dismiss",
    "restore",
    "set_preferences",
    "set_demo",
    "open_link",
];
