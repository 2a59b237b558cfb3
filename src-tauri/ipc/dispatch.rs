//! Every command of the page, called by its name.

use std::fmt;

use jobwatch_engine::api::{ErrorCode, UserError};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::host::{Answer, Host};
use super::{commands, logs, views};

/// Why a command was not called. A mistake of the page's code, not of its user.
#[derive(Debug, PartialEq, Eq)]
pub enum Rejection {
    /// There is no such command.
    Unknown,
    /// An argument is missing or of the wrong type: which, and why.
    Argument(&'static str, String),
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rejection::Unknown => f.write_str("there is no such command"),
            Rejection::Argument(name, problem) => write!(f, "argument `{name}`: {problem}"),
        }
    }
}

/// Reads an argument. The page spells `extra_ca` as `extraCa`; a missing one counts as `null`.
fn argument<T: DeserializeOwned>(arguments: &Value, name: &'static str) -> Result<T, Rejection> {
    let mut camel = String::with_capacity(name.len());
    for (nth, part) in name.split('_').enumerate() {
        let (first, rest) = part.split_at(part.len().min(1));
        if nth == 0 {
            camel += first
        } else {
            camel += &first.to_uppercase()
        }
        camel += rest;
    }
    let value = arguments.get(&camel).unwrap_or(&Value::Null);
    T::deserialize(value).map_err(|error| Rejection::Argument(name, error.to_string()))
}

/// Defines [`dispatch`]: each line is a command, the function that performs it, and its arguments.
macro_rules! commands {
    ($($module:ident :: $name:ident ( $($argument:ident),* );)*) => {
        /// The names of the commands that are handled.
        pub const HANDLED: &[&str] = &[$(stringify!($name)),*];

        /// Starts a command; answers its result as JSON.
        ///
        /// # Errors
        /// If there is no such command, or its arguments do not fit.
        pub fn dispatch(
            host: Host,
            name: &str,
            arguments: &Value,
        ) -> Result<Answer<Result<String, UserError>>, Rejection> {
            match name {
                $(stringify!($name) => {
                    $(let $argument = argument(arguments, stringify!($argument))?;)*
                    let called = $module::$name(host, $($argument),*);
                    Ok(Box::pin(async move { json(&called.await?) }))
                })*
                _ => Err(Rejection::Unknown),
            }
        }
    };
}

commands! {
    views::overview();
    views::subscribe(on_tick);
    views::open_view(spec);
    views::view_window(view, first, count);
    views::close_view(view);
    logs::log_seek(view, target, around);
    logs::log_map(view, slices, buckets);
    logs::log_text(view, row);
    logs::log_copy(view, first, count, format);
    logs::log_save(view, filtered, format, on_progress);
    logs::log_save_cancel();
    logs::log_fetch(view);
    views::looking_at(focused, job);
    commands::server_draft(id);
    commands::save_server(draft, change, key, headers);
    commands::test_server(draft, change, key, headers, on_step);
    commands::probe_server(url, extra_ca);
    commands::sign_in(draft, email, password, headers, stay);
    commands::remove_server(id);
    commands::pause_server(id);
    commands::resume_server(id);
    commands::reconnect(id);
    commands::watch(server, topic);
    commands::unwatch(server, topic);
    commands::act(server, job, action);
    commands::mark_read(ids, read);
    commands::mark_all_read();
    commands::dismiss(ids);
    commands::restore(ids);
    commands::set_preferences(patch);
    commands::mute(target, by);
    commands::try_rule(rule);
    commands::run_rule(rule);
    commands::starts_at_login();
    commands::set_start_at_login(on);
    commands::set_demo(on);
    commands::open_link(url);
}

fn json<T: serde::Serialize>(value: &T) -> Result<String, UserError> {
    serde_json::to_string(value).map_err(|error| {
        tracing::error!(%error, "an answer cannot be written as JSON");
        UserError { code: ErrorCode::Internal, message: "Something went wrong.".to_owned() }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn arguments_are_read_by_the_names_that_the_page_gives_them() {
        let sent = json!({"extraCa": "x", "id": 7});
        assert_eq!(argument::<String>(&sent, "extra_ca").unwrap(), "x");
        assert_eq!(argument::<u32>(&sent, "id").unwrap(), 7);
        assert_eq!(argument::<Option<u32>>(&sent, "key").unwrap(), None);
        let missing = argument::<u32>(&sent, "view").unwrap_err();
        assert!(matches!(missing, Rejection::Argument("view", _)), "{missing}");
    }
}
