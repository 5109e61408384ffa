//! A device in memory that speaks kvmd's API over TLS on loopback, with faults: for tests of everything that talks to devices. Written
//! after measurements of the real daemon, and not after its code. Beside it a BMC that speaks Redfish ([`bmc`]).

pub mod bmc;
mod routes;
mod sockets;
mod switch;
mod tls;
mod world;

pub use crate::gadget::Gadget;
pub use switch::FakeSwitch;
pub use world::{FakeOptions, Faults, Stored, World, picture};

use oriel_pin::Fingerprint;
use serde_json::{Value, json};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tls::Tls;
use tokio::sync::{broadcast, watch};

/// Events that may wait for a client of the fake.
const EVENTS_MAX: usize = 64;

pub(crate) struct Inner {
    world: Mutex<World>,
    events: broadcast::Sender<Value>,
    /// Counts up when all connections are to break.
    broken: watch::Sender<u32>,
}

/// A running device; it ends when this is dropped.
pub struct FakeDevice {
    inner: Arc<Inner>,
    tls: Tls,
}

impl Inner {
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells all clients that a part changed.
    pub(crate) fn changed(&self, part: &str) {
        let (value, fork) = {
            let world = self.world();
            (world.part(part), world.options.faults.fork)
        };
        let name = if fork { format!("{part}_state") } else { part.to_owned() };
        self.events.send(json!({"event_type": name, "event": value})).ok();
    }
}

impl FakeDevice {
    /// On a free port of the loopback.
    ///
    /// # Errors
    /// No port, or no certificate.
    pub async fn start(options: FakeOptions) -> io::Result<Self> {
        let broken = watch::Sender::new(0);
        let inner = Arc::new(Inner {
            world: Mutex::new(World::new(options)),
            events: broadcast::Sender::new(EVENTS_MAX),
            broken: broken.clone(),
        });
        let theirs = Arc::clone(&inner);
        let tls = Tls::open(broken, move |request| routes::answer(Arc::clone(&theirs), request)).await?;
        Ok(Self { inner, tls })
    }

    pub const fn address(&self) -> SocketAddr {
        self.tls.address()
    }

    pub fn fingerprint(&self) -> Fingerprint {
        self.tls.fingerprint()
    }

    /// It has another certificate from now on.
    ///
    /// # Errors
    /// None can be made.
    pub fn change_certificate(&self) -> io::Result<()> {
        self.tls.change_certificate()
    }

    /// What it knows: to be looked at, and changed.
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.inner.world()
    }

    /// All connections end, as when its service restarts.
    pub fn break_connections(&self) {
        self.tls.break_connections();
    }

    /// Tells all clients that a part of [`Self::world`] changed.
    pub fn changed(&self, part: &str) {
        self.inner.changed(part);
    }

    /// Sends an event as it is.
    pub fn tell(&self, kind: &str, event: &Value) {
        self.inner.events.send(json!({"event_type": kind, "event": event})).ok();
    }
}
