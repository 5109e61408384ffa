//! Receivers of syslog: rows of the audit, sent as their messages.
//!
//! As with webhooks, the audit is the queue, and each receiver knows the newest row that was sent to it: what was not sent yet outlives
//! the program, and nothing waits in memory. What was sent in vain is sent again, ever more rarely. By TCP and TLS that is known when the
//! receiver closes behind the last message; by UDP nobody answers, and what is lost on the way is lost.

mod send;

use crate::clock::now;
use crate::{Broker, BrokerError};
use oriel_model::{
    Micros, SYSLOG_CA_BYTES_MAX, SYSLOGS_MAX, Syslog, SyslogFacility, SyslogId, SyslogSender, SyslogTarget, Webhook,
};
use send::send;
use std::net::{IpAddr, SocketAddr};

/// Rows that are looked at for one sending.
const LOOKED_MAX: u64 = 500;
/// Rows of one sending.
const ROWS_MAX: usize = 100;
/// Rows that a receiver may be behind; older ones it is never told of.
const BEHIND_MAX: u64 = 100_000;
/// Whatever is sent again within these is waited for.
const SOON_SECONDS: i64 = 5;
/// Longest reason that is kept, in characters.
const REASON_CHARS_MAX: usize = 200;

pub struct NewSyslog {
    /// `tls://HOST:PORT`, `tcp://HOST:PORT`, `udp://HOST:PORT` or `local`.
    pub target: String,
    pub facility: SyslogFacility,
    pub app_name: String,
    pub enterprise: u32,
    /// PEM; by whom this machine trusts when left out.
    pub ca: Option<String>,
    /// Operations, or beginnings of them; all when empty.
    pub events: Vec<String>,
}

/// What sending to one receiver came to.
#[derive(Clone, Copy, Default)]
pub(crate) struct Sent {
    pub messages: usize,
    /// Its last message was in vain.
    pub failing: bool,
    /// There is more to be sent at once.
    pub more: bool,
    /// It is sent again within moments.
    pub soon: bool,
}

impl Broker {
    /// All receivers, and the number of the audit's newest row.
    pub async fn syslogs(&self) -> Result<(Vec<Syslog>, u64), BrokerError> {
        let (all, head) = tokio::try_join!(self.inner.store.syslogs(), self.inner.store.audit_head())?;
        Ok((all, head.0))
    }

    /// By id or by target.
    pub async fn find_syslog(&self, key: &str) -> Result<Syslog, BrokerError> {
        let (id, target) = (key.parse::<SyslogId>().ok(), key.parse::<SyslogTarget>().ok());
        let all = self.inner.store.syslogs().await?;
        all.into_iter()
            .find(|one| Some(one.id) == id || Some(&one.target) == target.as_ref())
            .ok_or_else(|| BrokerError::missing("receiver of syslog", key))
    }

    /// It is told of what is done from now on.
    pub async fn create_syslog(&self, new: NewSyslog) -> Result<Syslog, BrokerError> {
        let bad = |text: String, next: &str| BrokerError::invalid("bad_syslog", text, next);
        let target: SyslogTarget = new.target.parse().map_err(|text| bad(text, "a port may be left out"))?;
        Syslog::check_app_name(&new.app_name).map_err(|text| bad(text, "leave it out for \"oriel\""))?;
        Webhook::check_events(&new.events)
            .map_err(|text| bad(text, "the field `action` of the audit shows operations by their names"))?;
        if let Some(ca) = &new.ca {
            if !matches!(target, SyslogTarget::Tls { .. }) {
                return Err(bad(
                    "only a receiver by TLS shows a certificate".to_owned(),
                    "leave the CA out, or use tls://",
                ));
            }
            if ca.len() > SYSLOG_CA_BYTES_MAX || !ca.contains("-----BEGIN CERTIFICATE-----") {
                return Err(bad(
                    format!("the CA is no certificate in PEM of at most {SYSLOG_CA_BYTES_MAX} bytes"),
                    "give the certificate that begins with -----BEGIN CERTIFICATE-----",
                ));
            }
        }
        if let SyslogTarget::Tls { host, port } | SyslogTarget::Tcp { host, port } | SyslogTarget::Udp { host, port } =
            &target
            && let Ok(address) = host.parse::<IpAddr>()
        {
            // What a name means is looked at when it is dialled.
            self.outside().check(host, SocketAddr::new(address, *port))?;
        }
        if self.inner.store.syslogs().await?.len() >= SYSLOGS_MAX {
            return Err(BrokerError::conflict(
                "too_many_syslogs",
                format!("there are {SYSLOGS_MAX} receivers of syslog already"),
                "remove one first",
            ));
        }
        let syslog = Syslog {
            id: SyslogId::new(),
            target,
            facility: new.facility,
            app_name: new.app_name,
            enterprise: new.enterprise,
            ca: new.ca,
            events: new.events,
            delivered: self.inner.store.audit_head().await?.0,
            failures: 0,
            next_try: Micros(0),
            last_error: None,
            lost: 0,
            created: now(),
        };
        self.inner.store.create_syslog(&syslog).await?;
        Ok(syslog)
    }

    pub async fn delete_syslog(&self, id: SyslogId) -> Result<(), BrokerError> {
        Ok(self.inner.store.delete_syslog(id).await?)
    }

    /// Sends a message that tells of nothing, whatever the receiver waits for.
    pub async fn test_syslog(&self, syslog: &Syslog) -> Result<(), BrokerError> {
        let message = match syslog.target {
            SyslogTarget::Local => syslog.local_test_message(&stamp(now()), std::process::id()),
            _ => syslog.test_message(now(), SyslogSender { host: &host_name(), process: std::process::id() }),
        };
        send(self.outside(), syslog, &[message]).await.map_err(|why| {
            BrokerError::conflict(
                "syslog_failed",
                format!("the message to {} was not taken: {why}", syslog.target),
                "put right what it says, and test it again",
            )
        })
    }

    /// Tells one receiver, if it is due, what it was not told yet.
    pub(crate) async fn tell_syslog(&self, mut syslog: Syslog, head: u64) -> Result<Sent, BrokerError> {
        let failing = syslog.failures > 0;
        if syslog.delivered >= head || syslog.next_try > now() {
            let soon = syslog.delivered < head && syslog.next_try <= now().plus_seconds(SOON_SECONDS);
            return Ok(Sent { failing, soon, ..Sent::default() });
        }
        let skipped = (head - syslog.delivered).saturating_sub(BEHIND_MAX);
        if skipped > 0 {
            syslog.delivered += skipped;
            syslog.lost += skipped;
        }
        let begun = syslog.delivered;
        let rows = self.inner.store.audit_from(begun + 1, LOOKED_MAX).await?;
        let (host, process) = (host_name(), std::process::id());
        let (mut messages, mut last) = (Vec::new(), begun);
        for row in rows {
            last = row.seq;
            if syslog.wants(&row.what.action) {
                messages.push(match syslog.target {
                    SyslogTarget::Local => syslog.local_message(&row, &stamp(row.at), process),
                    _ => syslog.message(&row, SyslogSender { host: &host, process }),
                });
            }
            if messages.len() >= ROWS_MAX {
                break;
            }
        }
        let outcome = if messages.is_empty() { Ok(()) } else { send(self.outside(), &syslog, &messages).await };
        if let Err(why) = outcome {
            if syslog.failures == 0 {
                tracing::warn!(syslog = %syslog.target, %why, "Messages to a receiver of syslog were not taken; trying again");
            }
            syslog.failures = syslog.failures.saturating_add(1);
            syslog.next_try = now().plus_seconds(Webhook::retry_seconds(syslog.failures));
            syslog.last_error = Some(why.chars().take(REASON_CHARS_MAX).collect());
            self.inner.store.set_syslog_progress(&syslog).await?;
            let soon = syslog.next_try <= now().plus_seconds(SOON_SECONDS);
            return Ok(Sent { messages: messages.len(), failing: true, more: false, soon });
        }
        syslog.delivered = last;
        if !messages.is_empty() {
            (syslog.failures, syslog.next_try, syslog.last_error) = (0, Micros(0), None);
        }
        self.inner.store.set_syslog_progress(&syslog).await?;
        let more = last > begun && last < head;
        Ok(Sent { messages: messages.len(), failing: syslog.failures > 0, more, soon: false })
    }
}

/// The machine's, as receivers file messages by it.
fn host_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default()
}

/// The local time as the C library stamps messages with it: `Nov 30 01:02:03`.
fn stamp(at: Micros) -> String {
    let at = jiff::Timestamp::from_microsecond(at.0).unwrap_or_default();
    at.to_zoned(jiff::tz::TimeZone::system()).strftime("%b %e %H:%M:%S").to_string()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    #[test]
    fn stamps_have_fifteen_letters() {
        for at in [0, 1_700_000_000_000_000, 1_764_464_523_000_000] {
            let stamp = stamp(Micros(at));
            assert_eq!(stamp.len(), 15, "{stamp:?}");
        }
    }
}
