//! The page's commands: a fixed list, each a thin call of the engine.

pub mod commands;
pub mod logs;
pub mod masked_secret;
mod names;
pub mod views;

pub use names::COMMANDS;

/// The handler of every command in [`COMMANDS`].
pub fn handler() -> impl Fn(tauri::ipc::Invoke<tauri::Wry>) -> bool + Send + Sync + 'static {
    tauri::generate_handler![
        views::overview,
        views::subscribe,
        views::open_view,
        views::view_window,
        views::close_view,
        logs::log_seek,
        logs::log_map,
        logs::log_text,
        logs::log_copy,
        logs::log_save,
        logs::log_save_cancel,
        logs::log_fetch,
        views::looking_at,
        commands::server_draft,
        commands::save_server,
        commands::test_server,
        commands::probe_server,
        commands::sign_in,
        commands::remove_server,
        commands::pause_server,
        commands::resume_server,
        commands::reconnect,
        commands::watch,
        commands::unwatch,
        commands::act,
        commands::mark_read,
        commands::mark_all_read,
        commands::dismiss,
        commands::restore,
        commands::set_preferences,
        commands::mute,
        commands::try_rule,
        commands::run_rule,
        commands::starts_at_login,
        commands::set_start_at_login,
        commands::set_demo,
        commands::open_link,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_allowed_its_own_commands_and_nothing_else() {
        let capability = include_str!("../../capabilities/main.json");
        let capability: serde_json::Value = serde_json::from_str(capability).unwrap();
        let mut allowed: Vec<String> = capability["permissions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|name| name.as_str().unwrap().to_owned())
            .collect();
        let mut wanted: Vec<String> =
            COMMANDS.iter().map(|name| format!("allow-{}", name.replace('_', "-"))).collect();
        allowed.sort();
        wanted.sort();
        assert_eq!(allowed, wanted);
    }

    #[test]
    fn every_command_is_handled() {
        let source = include_str!("mod.rs");
        for name in COMMANDS {
            assert!(source.contains(&format!("::{name},")), "{name} has no handler");
        }
    }
}
