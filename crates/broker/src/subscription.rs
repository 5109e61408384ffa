//! Rows of the audit, for who is told of them: webhooks and receivers of syslog.
//!
//! The audit is the queue. Each subscriber knows the newest row that it took, so what was not taken yet outlives the program, and nothing
//! waits in memory. What was sent in vain is sent again, ever more rarely.
//!
//! ```text
//!  audit rows behind `delivered` ──▶ those it is told of ──▶ sent ──taken──▶ `delivered` goes on
//!                                                              └──in vain──▶ `next_try`
//! ```

use crate::clock::now;
use crate::{Broker, BrokerError};
use async_trait::async_trait;
use oriel_model::{AuditEntry, Micros, Subscription};
use std::hash::Hash;

/// Rows that are looked at for one sending.
const LOOKED_MAX: u64 = 500;
/// Rows of one sending.
const ROWS_MAX: usize = 100;
/// Rows that one may be behind; older ones it is never told of.
const BEHIND_MAX: u64 = 100_000;
/// Whatever is sent again within these is waited for.
const SOON_SECONDS: i64 = 5;
/// Longest reason that is kept, in characters.
const REASON_CHARS_MAX: usize = 200;

/// Who is told.
#[async_trait]
pub(crate) trait Subscriber: Send + Sync + Sized + 'static {
    /// What all of this kind are called, and their reconciler.
    const ALL: &'static str;
    type Id: Copy + Eq + Hash + Send + 'static;

    fn id(&self) -> Self::Id;

    /// As logs call it.
    fn shown(&self) -> String;

    fn subscription(&mut self) -> &mut Subscription;

    async fn all(broker: &Broker) -> Result<Vec<Self>, BrokerError>;

    /// Tells it of rows, at least one. The inner error says why they were not taken.
    async fn send(&self, broker: &Broker, rows: &[AuditEntry]) -> Result<Result<(), String>, BrokerError>;

    /// Writes down how far it is.
    async fn keep(&self, broker: &Broker) -> Result<(), BrokerError>;
}

/// What sending came to, to one subscriber or to several.
#[derive(Default)]
pub(crate) struct Sent {
    pub rows: usize,
    /// Subscribers that did not take the last rows.
    pub failing: usize,
    /// There is more to be sent at once.
    pub more: bool,
    /// Something is sent again within moments.
    pub soon: bool,
}

impl Sent {
    pub(crate) fn add(&mut self, one: Self) {
        self.rows += one.rows;
        self.failing += one.failing;
        self.more |= one.more;
        self.soon |= one.soon;
    }
}

impl Broker {
    /// Tells one, if it is due, what it was not told yet. `head`: the audit's newest row.
    pub(crate) async fn tell<S: Subscriber>(&self, mut one: S, head: u64) -> Result<Sent, BrokerError> {
        let subscription = one.subscription();
        let failing = usize::from(subscription.failures > 0);
        if subscription.delivered >= head || subscription.next_try > now() {
            let soon = subscription.delivered < head && subscription.next_try <= now().plus_seconds(SOON_SECONDS);
            return Ok(Sent { failing, soon, ..Sent::default() });
        }
        let skipped = (head - subscription.delivered).saturating_sub(BEHIND_MAX);
        subscription.delivered += skipped;
        subscription.lost += skipped;
        let begun = subscription.delivered;
        let (mut wanted, mut last) = (Vec::new(), begun);
        for row in self.inner.store.audit_from(begun + 1, LOOKED_MAX).await? {
            last = row.seq;
            if subscription.wants(&row.what.action) {
                wanted.push(row);
            }
            if wanted.len() >= ROWS_MAX {
                break;
            }
        }
        let outcome = if wanted.is_empty() { None } else { Some(one.send(self, &wanted).await?) };
        let subscription = one.subscription();
        let sent = match outcome {
            Some(Err(why)) => {
                let first = subscription.failures == 0;
                subscription.failures = subscription.failures.saturating_add(1);
                subscription.next_try = now().plus_seconds(Subscription::retry_seconds(subscription.failures));
                subscription.last_error = Some(why.chars().take(REASON_CHARS_MAX).collect());
                let soon = subscription.next_try <= now().plus_seconds(SOON_SECONDS);
                if first {
                    tracing::warn!(to = %one.shown(), %why, "What was done was not taken; trying again");
                }
                Sent { rows: 0, failing: 1, more: false, soon }
            }
            taken => {
                subscription.delivered = last;
                if taken.is_some() {
                    (subscription.failures, subscription.next_try, subscription.last_error) = (0, Micros(0), None);
                }
                let failing = usize::from(subscription.failures > 0);
                Sent { rows: wanted.len(), failing, more: last > begun && last < head, soon: false }
            }
        };
        one.keep(self).await?;
        Ok(sent)
    }
}
