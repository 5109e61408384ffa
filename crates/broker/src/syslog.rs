//! Receivers of syslog: rows of the audit, sent as their messages.
//!
//! What was sent in vain is known by TCP and TLS when the receiver closes behind the last message; by UDP nobody answers, and what is
//! lost on the way is lost.

mod send;

use crate::clock::now;
use crate::subscription::Subscriber;
use crate::{Broker, BrokerError};
use async_trait::async_trait;
use oriel_model::{
    AuditEntry, Micros, SYSLOG_CA_BYTES_MAX, SYSLOGS_MAX, Subscription, Syslog, SyslogFacility, SyslogId, SyslogSender,
    SyslogTarget,
};
use send::send;
use std::net::{IpAddr, SocketAddr};

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
        Subscription::check_events(&new.events)
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
            subscription: Subscription::from_now(new.events, self.inner.store.audit_head().await?.0),
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
}

#[async_trait]
impl Subscriber for Syslog {
    const ALL: &'static str = "syslogs";
    type Id = SyslogId;

    fn id(&self) -> SyslogId {
        self.id
    }

    fn shown(&self) -> String {
        format!("receiver of syslog {}", self.target)
    }

    fn subscription(&mut self) -> &mut Subscription {
        &mut self.subscription
    }

    async fn all(broker: &Broker) -> Result<Vec<Self>, BrokerError> {
        Ok(broker.inner.store.syslogs().await?)
    }

    async fn send(&self, broker: &Broker, rows: &[AuditEntry]) -> Result<Result<(), String>, BrokerError> {
        let (host, process) = (host_name(), std::process::id());
        let message = |row: &AuditEntry| match self.target {
            SyslogTarget::Local => self.local_message(row, &stamp(row.at), process),
            _ => self.message(row, SyslogSender { host: &host, process }),
        };
        let messages: Vec<String> = rows.iter().map(message).collect();
        Ok(send(broker.outside(), self, &messages).await)
    }

    async fn keep(&self, broker: &Broker) -> Result<(), BrokerError> {
        Ok(broker.inner.store.set_syslog_progress(self).await?)
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
