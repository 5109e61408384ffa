//! Which GPU a desktop gets: a pure library. No I/O, no clock, no chance: the same questions in the same order get the same
//! answers.
//!
//! ```text
//!   Group ──┐                       Request ──▶ Placer (Policy) ──▶ Decision ──▶ Fleet::hold
//!   Host  ──┼──▶ Fleet ───────────────────────────▲   │                              │
//!   Card  ──┘      ▲                                  └──▶ Refusal: the closest       ▼
//!                  └───────────────────── Fleet::release ◀──────────────────  the desktop ends
//! ```
//!
//! - [`Group`]: like cards, and every way in which they are divided, said as slots, pools and classes (its module draws the table).
//!   [`known`] has vendors' tables.
//! - [`Fleet`]: [`Host`]s with CPUs, memory and NUMA nodes; their [`Card`]s; licences; and who holds what over which [`Span`].
//!   `hold` checks again what it writes down, all or nothing.
//! - [`Request`]: units of a profile or of a least framebuffer, several for one desktop, a mode or `auto`, CPUs, memory, NUMA, a span.
//! - [`Placer`]: chooses after a [`Policy`]; keep one beside a fleet, it remembers. `place` says why not in a [`Refusal`].
//!
//! ```
//! use oriel_placement::{Card, Fleet, Host, NumaNode, Placer, Policy, Request, known};
//! # use oriel_model::DesktopId;
//! let mut fleet = Fleet::new();
//! let m60 = fleet.add_group(known::maxwell("M60"))?;
//! let host = fleet.add_host(Host { name: "a".into(), numa: vec![NumaNode { cpu_milli: 32_000, memory_mib: 131_072 }] });
//! let enabled = fleet.group(m60).map_or(0, |group| group.all_profiles());
//! fleet.add_card(Card { host, group: m60, address: "0000:06:00.0".into(), numa: None, enabled })?;
//!
//! let mut placer = Placer::new(Policy::Density);
//! let two_cpus = Request::new(Request::profile("M60-2Q", 1), 2000, 4096);
//! let decision = placer.place(&fleet, &two_cpus)?;
//! fleet.hold(DesktopId::new(), &decision)?;
//!
//! let other = Request::new(Request::profile("M60-1Q", 1), 2000, 4096);
//! let refusal = placer.place(&fleet, &other).unwrap_err();
//! assert_eq!(refusal.to_string(), "1 desktop of M60-2Q on 0000:06:00.0 of host a holds the card; M60-1Q fits when it ends");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod baseline;
mod fleet;
mod group;
pub mod known;
mod mix;
mod placer;
mod policy;
mod profile;
mod random;
mod refusal;
mod request;
mod score;
mod slots;
mod span;
mod state;
mod typical;
mod waste;

pub use fleet::{
    CARDS_PER_HOST_MAX, Card, CardId, Decision, Fleet, FleetError, GROUPS_MAX, GroupId, Host, HostId, NumaNode, Unit,
};
pub use group::{Group, PROFILES_MAX, Regime};
pub use placer::Placer;
pub use policy::{Baseline, Policy};
pub use profile::{Amount, Class, POOL_KINDS, Profile, Several, Slice};
pub use refusal::{Closest, Refusal};
pub use request::{NumaWish, Request, Wish};
pub use slots::{SLOTS_MAX, SlotSet};
pub use span::Span;
