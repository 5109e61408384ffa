//! Bookings: a desktop of a pool is kept for somebody for a span of time.

use super::Named;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A desktop that is booked. It is kept from some minutes before on, as many as the pool starts desktops ahead of its peaks; used or not,
/// until the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Booking {
    pub id: String,
    pub pool: Named,
    pub person: Named,
    /// RFC 3339, UTC.
    pub from: String,
    /// RFC 3339, UTC. At that moment it is over.
    pub to: String,
    /// Where nothing is left, a booking of a higher priority takes the place of this one.
    pub priority: u32,
    /// RFC 3339, UTC. From then on none does.
    pub firm_from: String,
    /// RFC 3339, UTC: when one did. Nothing is kept since.
    #[schema(required)]
    pub displaced: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct BookingList {
    /// Those that are not over, by when they begin.
    pub bookings: Vec<Booking>,
    /// Where the next page begins: `cursor` of the next question. Nothing where this is the last.
    #[schema(required)]
    pub next: Option<String>,
}

/// What to book.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BookingNew {
    /// RFC 3339.
    pub from: String,
    /// RFC 3339.
    pub to: String,
    /// Id or name of whom it is for; oneself when left out. For others, administrators of the pool book.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// From 0 to 1000; what the quotas of whom it is for say when left out. Administrators of the pool say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<u32>,
}

/// A pool of which one may book desktops, and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BookablePool {
    pub pool: Named,
    /// Bookings at a time that are not over, of all pools; null: as many as one likes.
    pub most: Option<u64>,
    /// Longest, in hours.
    pub hours: u64,
    /// How far ahead one begins, in days.
    pub days: u64,
    /// Where nothing is left, one's bookings take the place of those of a lower priority that do not begin soon.
    pub priority: u32,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct OwnBookings {
    /// Those that are not over, by when they begin.
    pub bookings: Vec<Booking>,
    pub pools: Vec<BookablePool>,
}

/// How many desktops are booked in an hour, at its peak.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BookedHour {
    /// RFC 3339, UTC.
    pub from: String,
    /// RFC 3339, UTC.
    pub to: String,
    pub booked: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct BookedHours {
    /// How many can be booked for one moment.
    pub desktops: u64,
    pub hours: Vec<BookedHour>,
}
