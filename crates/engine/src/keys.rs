//! The keyring's own thread. Its calls block and may wait for a prompt that nobody answers, so
//! they are made one after another, away from everything else, and each is waited for only so long.

use std::sync::Arc;
use std::time::Duration;

use jobwatch_core::secret::Secret;
use jobwatch_core::server::ServerId;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::ports::{Secrets, SecretsError};

/// How long the keyring may take before the user is told that it does not answer.
pub const KEYRING_TIMEOUT: Duration = Duration::from_secs(10);

type Call = Box<dyn FnOnce(&dyn Secrets) + Send>;

/// The engine's end of the keyring thread; cheap to clone.
#[derive(Clone, Debug)]
pub struct Keyring {
    calls: Option<std::sync::mpsc::Sender<Call>>,
}

/// An answer that is on its way.
#[derive(Debug)]
pub struct Pending<T> {
    answer: oneshot::Receiver<Result<T, SecretsError>>,
}

impl<T> Pending<T> {
    /// Waits for at most [`KEYRING_TIMEOUT`]; may be called again after a timeout, since the
    /// answer comes when the user has seen to the prompt.
    ///
    /// # Errors
    /// See [`SecretsError`].
    pub async fn wait(&mut self) -> Result<T, SecretsError> {
        match timeout(KEYRING_TIMEOUT, &mut self.answer).await {
            Ok(answer) => answer.unwrap_or(Err(SecretsError::Missing)),
            Err(_) => Err(SecretsError::Timeout),
        }
    }

    /// Waits for as long as it takes.
    ///
    /// # Errors
    /// See [`SecretsError`].
    pub async fn wait_on(self) -> Result<T, SecretsError> {
        self.answer.await.unwrap_or(Err(SecretsError::Missing))
    }
}

impl Keyring {
    /// Starts the thread; without `secrets` every call answers [`SecretsError::Missing`].
    #[must_use]
    pub fn start(secrets: Option<Arc<dyn Secrets>>) -> Keyring {
        let Some(secrets) = secrets else { return Keyring { calls: None } };
        let (calls, taken) = std::sync::mpsc::channel::<Call>();
        // Not joined: a call that waits for a prompt must not hold up the end of the program.
        let thread = std::thread::Builder::new().name("keyring".to_owned()).spawn(move || {
            for call in taken {
                call(&*secrets);
            }
        });
        Keyring { calls: thread.is_ok().then_some(calls) }
    }

    /// Asks for a server's key.
    #[must_use]
    pub fn load(&self, server: ServerId) -> Pending<Option<Secret>> {
        self.call(move |secrets| secrets.load(&server))
    }

    /// Stores a server's key.
    #[must_use]
    pub fn store(&self, server: ServerId, label: String, key: Secret) -> Pending<()> {
        self.call(move |secrets| secrets.store(&server, &label, &key))
    }

    /// Forgets a server's key.
    #[must_use]
    pub fn delete(&self, server: ServerId) -> Pending<()> {
        self.call(move |secrets| secrets.delete(&server))
    }

    fn call<T: Send + 'static>(
        &self,
        what: impl FnOnce(&dyn Secrets) -> Result<T, SecretsError> + Send + 'static,
    ) -> Pending<T> {
        let (answer, pending) = oneshot::channel();
        if let Some(calls) = &self.calls {
            // A thread that is gone drops the sender, which reads as a missing keyring.
            let _ = calls.send(Box::new(move |secrets| {
                let _ = answer.send(what(secrets));
            }));
        }
        Pending { answer: pending }
    }
}

/// What the user is told when a key could not be had.
#[must_use]
pub fn keyring_words(error: &SecretsError) -> String {
    match error {
        SecretsError::Missing => "There is no keyring in this session, so keys cannot be kept. \
             Enter the key for this session only, or start a keyring such as GNOME Keyring or \
             KWallet and restart Jobwatch."
            .to_owned(),
        SecretsError::Locked => "The keyring is locked. Unlock it and reconnect, or enter the \
             key for this session only."
            .to_owned(),
        SecretsError::Dismissed => {
            "The keyring's prompt was dismissed, or could not be shown. Try \
             again to be asked once more, or enter the key for this session only."
                .to_owned()
        }
        SecretsError::Timeout => "The keyring does not answer; it may be showing a prompt. \
             Answer it, or enter the key for this session only."
            .to_owned(),
        SecretsError::Failed(words) => format!(
            "The keyring failed: {words}. Enter the key for this session only, or try again."
        ),
    }
}
