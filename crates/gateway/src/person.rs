//! Who sits at a viewer: the browser that they are signed in from, when somebody last touched it, and whether they may stay.

use async_trait::async_trait;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// Browsers that are remembered.
const BROWSERS_MAX: usize = 10_000;
/// How long one is remembered without a viewer: longer than a lock may take.
const FORGET_AFTER: Duration = Duration::from_hours(8 * 24);

/// What the server knows of whoever sits at a viewer.
#[async_trait]
pub trait Person: Send + Sync {
    /// What their viewers have in common: the session that they are signed in with. Empty: nothing.
    fn session(&self) -> &str;
    /// Whence they come, where that is known.
    fn address(&self) -> Option<IpAddr> {
        None
    }
    /// Whether they may still have what they asked for. Errors: why not, in a sentence.
    async fn still_may(&self) -> Result<(), String>;
    /// Whose connection they knocked at said yes or no; `None`: nobody answered, or they did not wait. Only asked of those without an
    /// account.
    async fn answered(&self, _yes: Option<bool>) {}
    /// Nobody touched their browser for as long as a connection's rules allow: afterwards they must show who they are before they go on.
    async fn lock(&self);
}

/// Somebody of whom nothing is known: the gateway itself, and tests.
pub(crate) struct Anybody;

#[async_trait]
impl Person for Anybody {
    fn session(&self) -> &'static str {
        ""
    }

    async fn still_may(&self) -> Result<(), String> {
        Ok(())
    }

    async fn lock(&self) {}
}

/// A browser with viewers in it.
pub(crate) struct Browser {
    touched: Mutex<Instant>,
    /// Counts how often it was locked: viewers that were open then are told.
    locks: watch::Sender<u64>,
}

impl Default for Browser {
    fn default() -> Self {
        Self { touched: Mutex::new(Instant::now()), locks: watch::Sender::default() }
    }
}

impl Browser {
    pub fn touched(&self) -> Instant {
        *self.touched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn touch(&self) {
        *self.touched.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    pub fn lock(&self) {
        self.locks.send_modify(|locks| *locks += 1);
    }

    /// Tells of locks from now on.
    pub fn locks(&self) -> watch::Receiver<u64> {
        self.locks.subscribe()
    }
}

/// Browsers by their session.
#[derive(Default)]
pub(crate) struct Browsers(Mutex<HashMap<String, Arc<Browser>>>);

impl Browsers {
    fn all(&self) -> MutexGuard<'_, HashMap<String, Arc<Browser>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn of(&self, session: &str) -> Arc<Browser> {
        if session.is_empty() {
            return Arc::default();
        }
        let mut all = self.all();
        if !all.contains_key(session) && all.len() >= BROWSERS_MAX {
            // Those with viewers stay.
            all.retain(|_, browser| Arc::strong_count(browser) > 1);
        }
        let now = Instant::now();
        let gone = |browser: &Arc<Browser>| {
            Arc::strong_count(browser) == 1 && now.duration_since(browser.touched()) > FORGET_AFTER
        };
        if all.get(session).is_some_and(gone) {
            all.remove(session);
        }
        Arc::clone(all.entry(session.to_owned()).or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn viewers_of_one_browser_are_locked_together() {
        let browsers = Browsers::default();
        let (one, other, elsewhere) = (browsers.of("a"), browsers.of("a"), browsers.of("b"));
        let (mut told, untold) = (other.locks(), elsewhere.locks());
        one.lock();
        assert!(told.changed().await.is_ok());
        assert!(!untold.has_changed().is_ok_and(|changed| changed));
        assert!(!browsers.of("a").locks().has_changed().is_ok_and(|changed| changed), "whoever comes after it");
        assert!(!Arc::ptr_eq(&browsers.of(""), &browsers.of("")));
    }
}
