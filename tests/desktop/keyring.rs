//! Keys in a real gnome-keyring.

use std::collections::HashMap;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use jobwatch_app::os::secrets::{Keyring, SERVICE};
use jobwatch_core::secret::Secret;
use jobwatch_core::server::ServerId;
use jobwatch_engine::ports::{Secrets as _, SecretsError};
use zbus::{OwnedObjectPath, OwnedVariant};

use crate::bus::{Running, on_private_bus, owned, runtime, tool, until, without_a_bus};

const NAME: &str = "org.freedesktop.secrets";

fn id(text: &str) -> ServerId {
    ServerId(text.to_owned())
}

fn key(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

/// Starts a gnome-keyring that `password` has opened.
fn unlocked_keyring(password: &str) -> Running {
    let mut daemon = Command::new(tool("gnome-keyring-daemon", "gnome-keyring"))
        .args(["--foreground", "--components=secrets", "--unlock"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    daemon.stdin.take().unwrap().write_all(password.as_bytes()).unwrap();
    let daemon = Running(daemon);
    let runtime = runtime();
    until("the keyring is on the bus", || owned(&runtime, NAME));
    daemon
}

/// Locks the default collection, as a desktop does when it is told to.
fn lock() {
    runtime().block_on(async {
        let bus = zbus::Connection::session().await.unwrap();
        let path = "/org/freedesktop/secrets";
        let service = Some("org.freedesktop.Secret.Service");
        let reply =
            bus.call_method(Some(NAME), path, service, "ReadAlias", &"default").await.unwrap();
        let collection: zbus::OwnedObjectPath = reply.body().deserialize().unwrap();
        assert_ne!(collection.as_str(), "/", "there is a default collection");
        bus.call_method(Some(NAME), path, service, "Lock", &vec![&collection]).await.unwrap();
    });
}

fn files_below(directory: &Path) -> Vec<Vec<u8>> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    entries
        .flatten()
        .flat_map(|entry| match entry.file_type() {
            Ok(kind) if kind.is_dir() => files_below(&entry.path()),
            Ok(kind) if kind.is_file() => vec![std::fs::read(entry.path()).unwrap()],
            _ => Vec::new(),
        })
        .collect()
}

#[test]
fn a_key_is_stored_read_replaced_and_forgotten() {
    on_private_bus("keyring::a_key_is_stored_read_replaced_and_forgotten", |home| {
        let _daemon = unlocked_keyring("pw");
        let keyring = Keyring::default();
        assert_eq!(keyring.load(&id("a")), Ok(None));
        assert_eq!(keyring.store(&id("a"), "Production", &key("sk-first")), Ok(()));
        assert_eq!(keyring.store(&id("a"), "Production", &key("sk-ключ-2")), Ok(()));
        assert_eq!(keyring.store(&id("b"), "Staging", &key("sk-b")), Ok(()));
        assert_eq!(keyring.load(&id("a")), Ok(Some(key("sk-ключ-2"))));
        assert_eq!(keyring.load(&id("b")), Ok(Some(key("sk-b"))));
        // Another program of ours, later, finds it too.
        assert_eq!(Keyring::default().load(&id("a")), Ok(Some(key("sk-ключ-2"))));
        assert_eq!(keyring.delete(&id("a")), Ok(()));
        assert_eq!(keyring.delete(&id("a")), Ok(()), "forgetting twice is no error");
        assert_eq!(keyring.load(&id("a")), Ok(None));
        assert_eq!(keyring.load(&id("b")), Ok(Some(key("sk-b"))), "the other key stays");
        let files = files_below(home);
        assert!(!files.is_empty(), "the keyring's file is there");
        assert!(
            files.iter().all(|file| !String::from_utf8_lossy(file).contains("sk-")),
            "no key lies about in a file"
        );
    });
}

/// The desktop's own prompt, as gnome-keyring asks it: whoever sits there dismisses it.
struct DismissingPrompter(Arc<AtomicUsize>);

impl DismissingPrompter {
    const NAME: &str = "org.gnome.keyring.SystemPrompter";
    const PATH: &str = "/org/gnome/keyring/Prompter";

    /// Tells the keyring that the prompt was answered: "" before the first question, then "no".
    fn answer(bus: &zbus::Connection, keyring: String, callback: OwnedObjectPath, word: &str) {
        let (bus, word) = (bus.clone(), word.to_owned());
        tokio::spawn(async move {
            let nothing = HashMap::<&str, OwnedVariant>::new();
            bus.call_method(
                Some(keyring.as_str()),
                &callback,
                Some("org.gnome.keyring.internal.Prompter.Callback"),
                "PromptReady",
                &(word.as_str(), nothing, ""),
            )
            .await
            .unwrap();
        });
    }
}

#[zbus::interface(name = "org.gnome.keyring.internal.Prompter")]
impl DismissingPrompter {
    async fn begin_prompting(
        &self,
        callback: OwnedObjectPath,
        #[zbus(connection)] bus: &zbus::Connection,
        #[zbus(header)] header: zbus::message::Header<'_>,
    ) {
        Self::answer(bus, header.sender().unwrap().to_string(), callback, "");
    }

    async fn perform_prompt(
        &self,
        callback: OwnedObjectPath,
        _kind: String,
        _properties: HashMap<String, OwnedVariant>,
        _exchange: String,
        #[zbus(connection)] bus: &zbus::Connection,
        #[zbus(header)] header: zbus::message::Header<'_>,
    ) {
        self.0.fetch_add(1, Ordering::SeqCst);
        Self::answer(bus, header.sender().unwrap().to_string(), callback, "no");
    }

    async fn stop_prompting(&self, _callback: OwnedObjectPath) {}
}

#[test]
fn a_dismissed_prompt_is_called_dismissed_and_asked_again_the_next_time() {
    on_private_bus(
        "keyring::a_dismissed_prompt_is_called_dismissed_and_asked_again_the_next_time",
        |_| {
            let _daemon = unlocked_keyring("pw");
            let asked = Arc::new(AtomicUsize::new(0));
            let prompter = DismissingPrompter(Arc::clone(&asked));
            let runtime = runtime();
            let _bus = runtime.block_on(async {
                zbus::connection::Builder::session()
                    .serve_at(DismissingPrompter::PATH, prompter)
                    .name(DismissingPrompter::NAME)
                    .build()
                    .await
                    .unwrap()
            });
            let keyring = Keyring::with_timeout(Duration::from_secs(8));
            keyring.store(&id("a"), "Production", &key("sk-a")).unwrap();
            assert_eq!(asked.load(Ordering::SeqCst), 0, "an open keyring asks nothing");
            lock();
            assert_eq!(keyring.load(&id("a")), Err(SecretsError::Dismissed));
            assert_eq!(asked.load(Ordering::SeqCst), 1, "the prompt was shown");
            assert_eq!(keyring.store(&id("b"), "B", &key("sk-b")), Err(SecretsError::Dismissed));
            assert_eq!(asked.load(Ordering::SeqCst), 2, "trying again asks again");
        },
    );
}

#[test]
fn a_prompt_that_cannot_be_shown_is_no_empty_keyring() {
    on_private_bus("keyring::a_prompt_that_cannot_be_shown_is_no_empty_keyring", |_| {
        let _daemon = unlocked_keyring("pw");
        let keyring = Keyring::with_timeout(Duration::from_secs(8));
        keyring.store(&id("a"), "Production", &key("sk-a")).unwrap();
        lock();
        assert_eq!(keyring.load(&id("a")), Err(SecretsError::Dismissed));
        assert_eq!(
            keyring.load(&id("other")),
            Err(SecretsError::Dismissed),
            "it might be in there"
        );
        assert_eq!(keyring.store(&id("b"), "B", &key("sk-b")), Err(SecretsError::Dismissed));
        assert_eq!(keyring.delete(&id("a")), Err(SecretsError::Dismissed));
    });
}

#[test]
fn a_keyring_that_hangs_is_given_up_and_found_again() {
    on_private_bus("keyring::a_keyring_that_hangs_is_given_up_and_found_again", |_| {
        let daemon = unlocked_keyring("pw");
        let keyring = Keyring::with_timeout(Duration::from_millis(700));
        keyring.store(&id("a"), "Production", &key("sk-a")).unwrap();
        let signal = |name: &str| {
            let pid = daemon.0.id().to_string();
            assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
        };
        signal("-STOP");
        assert_eq!(keyring.load(&id("a")), Err(SecretsError::Timeout));
        assert_eq!(keyring.load(&id("a")), Err(SecretsError::Timeout), "nor behind the first");
        signal("-CONT");
        until("the keyring answers again", || keyring.load(&id("a")) == Ok(Some(key("sk-a"))));
    });
}

#[test]
fn a_keyring_that_comes_later_is_found_without_a_restart() {
    on_private_bus("keyring::a_keyring_that_comes_later_is_found_without_a_restart", |_| {
        let keyring = Keyring::default();
        assert_eq!(keyring.load(&id("a")), Err(SecretsError::Missing));
        assert_eq!(keyring.store(&id("a"), "A", &key("sk-a")), Err(SecretsError::Missing));
        let _daemon = unlocked_keyring("pw");
        assert_eq!(keyring.store(&id("a"), "A", &key("sk-a")), Ok(()));
        assert_eq!(keyring.load(&id("a")), Ok(Some(key("sk-a"))));
    });
}

#[test]
fn a_keyring_that_was_restarted_is_found_again() {
    on_private_bus("keyring::a_keyring_that_was_restarted_is_found_again", |_| {
        let keyring = Keyring::default();
        let daemon = unlocked_keyring("pw");
        keyring.store(&id("a"), "A", &key("sk-a")).unwrap();
        drop(daemon);
        let runtime = runtime();
        until("the old keyring has left the bus", || !owned(&runtime, NAME));
        assert!(keyring.load(&id("a")).is_err());
        let _daemon = unlocked_keyring("pw");
        until("the new one is used", || keyring.load(&id("a")) == Ok(Some(key("sk-a"))));
    });
}

#[test]
fn without_a_message_bus_there_is_no_keyring() {
    without_a_bus("keyring::without_a_message_bus_there_is_no_keyring", |_| {
        let keyring = Keyring::default();
        assert_eq!(keyring.load(&id("a")), Err(SecretsError::Missing));
        assert_eq!(keyring.store(&id("a"), "A", &key("sk-a")), Err(SecretsError::Missing));
        assert_eq!(keyring.delete(&id("a")), Err(SecretsError::Missing));
    });
}

/// Puts an item with the attributes of `server`'s key into a collection, as an import, a copied
/// entry or a second database does.
fn put_item(collection: &str, server: &str, secret: &[u8], label: &str) {
    runtime().block_on(async {
        let bus = zbus::Connection::session().await.unwrap();
        let service = Some("org.freedesktop.Secret.Service");
        let plain = zbus::Variant::from("");
        let opened: (OwnedVariant, OwnedObjectPath) = bus
            .call_method(
                Some(NAME),
                "/org/freedesktop/secrets",
                service,
                "OpenSession",
                &("plain", plain),
            )
            .await
            .unwrap()
            .body()
            .deserialize()
            .unwrap();
        let attributes = HashMap::from([("service", SERVICE), ("username", server)]);
        let properties = HashMap::from([
            ("org.freedesktop.Secret.Item.Label", zbus::Variant::from(label)),
            ("org.freedesktop.Secret.Item.Attributes", zbus::Variant::from(attributes)),
        ]);
        let secret = (opened.1, Vec::<u8>::new(), secret.to_vec(), "text/plain");
        bus.call_method(
            Some(NAME),
            collection,
            Some("org.freedesktop.Secret.Collection"),
            "CreateItem",
            &(properties, secret, false),
        )
        .await
        .unwrap();
    });
}

const DEFAULT: &str = "/org/freedesktop/secrets/aliases/default";
const SESSION: &str = "/org/freedesktop/secrets/collection/session";

#[test]
fn of_two_items_for_a_server_one_is_used_and_a_key_entered_again_replaces_both() {
    on_private_bus(
        "keyring::of_two_items_for_a_server_one_is_used_and_a_key_entered_again_replaces_both",
        |_| {
            let _daemon = unlocked_keyring("pw");
            let keyring = Keyring::default();
            keyring.store(&id("a"), "Production", &key("sk-default")).unwrap();
            put_item(SESSION, "a", b"sk-session", "A copy");
            assert_eq!(keyring.load(&id("a")), Ok(Some(key("sk-default"))));
            put_item(DEFAULT, "b", b"sk-older", "An import");
            put_item(SESSION, "b", b"sk-session", "A copy");
            assert_eq!(keyring.load(&id("b")), Ok(Some(key("sk-older"))));
            for server in ["a", "b"] {
                assert_eq!(keyring.store(&id(server), "Production", &key("sk-new")), Ok(()));
                assert_eq!(keyring.load(&id(server)), Ok(Some(key("sk-new"))));
                assert_eq!(keyring.delete(&id(server)), Ok(()));
                assert_eq!(keyring.load(&id(server)), Ok(None), "neither is left");
            }
        },
    );
}

#[test]
fn an_item_that_is_no_text_is_passed_over_for_another_and_replaced_by_a_new_key() {
    on_private_bus(
        "keyring::an_item_that_is_no_text_is_passed_over_for_another_and_replaced_by_a_new_key",
        |_| {
            let _daemon = unlocked_keyring("pw");
            let keyring = Keyring::default();
            put_item(DEFAULT, "a", b"\xff\xfe\x00", "Damaged");
            assert_eq!(keyring.load(&id("a")), Err(SecretsError::Unreadable));
            put_item(SESSION, "a", b"sk-whole\n", "A copy");
            assert_eq!(keyring.load(&id("a")), Ok(Some(key("sk-whole"))));
            assert_eq!(keyring.store(&id("a"), "Production", &key("sk-new")), Ok(()));
            assert_eq!(keyring.load(&id("a")), Ok(Some(key("sk-new"))));
        },
    );
}
