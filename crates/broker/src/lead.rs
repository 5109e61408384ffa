//! Who acts on the world. Several programs on one database all answer people, but one alone moves desktops: two that step one
//! desktop at the same time would, for example, remove each other's disks as leftovers.
//!
//! The leader holds a lease in the database and renews it in good time. Before every change of the world it looks at its own
//! clock ([`Broker::host`]): less than [`MARGIN_SECONDS`] before the lease ends it does nothing more, so that a call that it has
//! begun is over when somebody else may begin. That holds as long as the programs' clocks agree, and calls end, within the margin.

use crate::{Broker, BrokerError, clock::now};
use oriel_compute::Compute;
use oriel_store::seam::{Plant, planted};
use std::sync::{
    OnceLock,
    atomic::{AtomicI64, Ordering},
};

const LEASE: &str = "world";
/// How long a leader that is gone is waited for.
const LEASE_SECONDS: i64 = 60;
/// It is renewed when so much of it is left.
const RENEW_SECONDS: i64 = 45;
/// No call is begun when less is left.
const MARGIN_SECONDS: i64 = 20;
/// Who has not said who they are is the only program on its database, and comes back under this name after a kill.
const ALONE: &str = "alone";

#[derive(Default)]
pub(crate) struct Lead {
    name: OnceLock<String>,
    /// Until when it holds the lease, in microseconds since 1970; 0 when it does not.
    until: AtomicI64,
}

impl Broker {
    /// What this program is called among those that share its database, once: the same after each start.
    pub fn set_program(&self, name: String) {
        self.inner.lead.name.set(name).ok();
    }

    pub(crate) fn program(&self) -> &str {
        self.inner.lead.name.get().map_or(ALONE, String::as_str)
    }

    /// Whether this program is the one that moves desktops now.
    pub fn leads(&self) -> bool {
        self.lead_left() > 0
    }

    fn lead_left(&self) -> i64 {
        self.inner.lead.until.load(Ordering::Relaxed) - now().0
    }

    /// Takes or renews the lease. Answers whether this program leads.
    pub(crate) async fn lead(&self) -> Result<bool, BrokerError> {
        if everybody_leads() || self.lead_left() > RENEW_SECONDS * 1_000_000 {
            return Ok(true);
        }
        let asked = now();
        let until = asked.plus_seconds(LEASE_SECONDS);
        let leads = self.inner.store.take_lease(LEASE, self.program(), asked, until).await?;
        if leads {
            // Another task may have asked later, and been answered first.
            self.inner.lead.until.fetch_max(until.0, Ordering::Relaxed);
        } else {
            self.inner.lead.until.store(0, Ordering::Relaxed);
        }
        Ok(leads)
    }

    /// This program's own host, to change something there: only for the leader.
    pub(crate) fn host(&self) -> Result<&dyn Compute, BrokerError> {
        self.check_lead()?;
        Ok(&*self.inner.compute)
    }

    /// Whether something may be changed on any host: asked right before.
    pub(crate) fn check_lead(&self) -> Result<(), BrokerError> {
        if !everybody_leads() && self.lead_left() < MARGIN_SECONDS * 1_000_000 {
            return Err(BrokerError::conflict(
                "not_leading",
                "another program on this database moves the desktops now",
                "nothing needs to be done: it goes on where this one stopped",
            ));
        }
        Ok(())
    }

    /// Lets another program lead at once, when this one ends.
    pub async fn resign(&self) -> Result<(), BrokerError> {
        self.inner.lead.until.store(0, Ordering::Relaxed);
        Ok(self.inner.store.drop_lease(LEASE, self.program()).await?)
    }
}

/// Planted: what the database refuses by itself shows only where nothing stands before it.
fn everybody_leads() -> bool {
    [Plant::NoLead, Plant::NoPortFence].into_iter().any(planted)
}
