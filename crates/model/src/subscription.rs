//! How far who is told of what was done is in the audit: webhooks and receivers of syslog.

use crate::Micros;

/// Most words that say what one is told of.
pub const SUBSCRIPTION_EVENTS_MAX: usize = 50;
const EVENT_BYTES_MAX: usize = 80;
/// The longest time between two tries, in seconds.
const RETRY_SECONDS_MAX: i64 = 3600;

/// What one is told of, and how far it is in the audit: that is its queue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subscription {
    /// Operations of the API (`change_pool`), or beginnings of them (`delete_*`); all when empty.
    pub events: Vec<String>,
    /// The newest row of the audit that was taken, or that it is not told of.
    pub delivered: u64,
    /// How often the next rows were sent in vain.
    pub failures: u32,
    /// They are not sent again before.
    pub next_try: Micros,
    /// Why the last try was in vain.
    pub last_error: Option<String>,
    /// Rows that it was never told of, as it was too far behind.
    pub lost: u64,
}

impl Subscription {
    /// To what is done from now on. `head`: the audit's newest row.
    pub fn from_now(events: Vec<String>, head: u64) -> Self {
        Self { events, delivered: head, ..Self::default() }
    }

    /// Whether it is told of this operation.
    pub fn wants(&self, action: &str) -> bool {
        let fits = |word: &String| match word.strip_suffix('*') {
            Some(beginning) => action.starts_with(beginning),
            None => action == word,
        };
        self.events.is_empty() || self.events.iter().any(fits)
    }

    /// What is wrong with the words. The error is a sentence.
    pub fn check_events(events: &[String]) -> Result<(), String> {
        if events.len() > SUBSCRIPTION_EVENTS_MAX {
            return Err(format!("there are at most {SUBSCRIPTION_EVENTS_MAX} words that say what is told of"));
        }
        let plain = |word: &str| word.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        let wrong = |word: &&String| {
            word.is_empty() || word.len() > EVENT_BYTES_MAX || !plain(word.strip_suffix('*').unwrap_or(word))
        };
        match events.iter().find(wrong) {
            None => Ok(()),
            Some(word) => Err(format!(
                "{:?} is no operation of the API, nor the beginning of one: write them as change_pool or delete_*",
                word.chars().take(40).collect::<String>()
            )),
        }
    }

    /// Seconds until the next try, after so many in vain: one, doubled up to an hour.
    pub fn retry_seconds(failures: u32) -> i64 {
        1_i64.checked_shl(failures.saturating_sub(1).min(20)).unwrap_or(RETRY_SECONDS_MAX).min(RETRY_SECONDS_MAX)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    #[test]
    fn words_say_what_it_is_told_of() {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let wants = |events: &[&str], action: &str| Subscription::from_now(words(events), 0).wants(action);
        assert!(wants(&[], "login") && wants(&["*"], "login"));
        assert!(wants(&["change_pool", "delete_*"], "delete_user") && wants(&["change_pool"], "change_pool"));
        assert!(!wants(&["change_pool"], "change_pools") && !wants(&["delete_*"], "login"));
        assert!(Subscription::check_events(&words(&["change_pool", "delete_*", "*"])).is_ok());
        for wrong in ["", "Change", "a b", "de*lete", "delete_**"] {
            assert!(Subscription::check_events(&[wrong.to_owned()]).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn patience_grows_to_an_hour() {
        let all: Vec<i64> = [1, 2, 3, 12, 13, 100, u32::MAX].into_iter().map(Subscription::retry_seconds).collect();
        assert_eq!(all, [1, 2, 4, 2048, 3600, 3600, 3600]);
    }
}
