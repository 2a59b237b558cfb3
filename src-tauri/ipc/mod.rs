//! The page's commands, each a thin call of the engine: defined once in [`dispatch`], and served by
//! [`webview`] to the window and by the development bridge to a browser.

pub mod commands;
pub mod dispatch;
pub mod host;
pub mod logs;
pub mod masked_secret;
mod names;
pub mod page;
pub mod views;
pub mod webview;

pub use names::COMMANDS;

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
        assert_eq!(dispatch::HANDLED, COMMANDS);
    }
}
