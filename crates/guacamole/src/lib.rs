//! What Apache Guacamole keeps, as pools, machines and people of Oriel. Pure: text and rows in, a plan out.
//!
//! ```text
//!  user-mapping.xml ──▶ user_mapping::parse ─┐
//!                                            ├─▶ Site ──▶ plan ──▶ Plan (what to make, and what is left out with its reason)
//!  database's rows  ──▶ Rows::into_site ─────┘
//! ```
//! Nobody may open more afterwards than before: a pool holds machines that exactly the same people could open in Guacamole.

mod parameters;
mod plan;
mod rows;
mod rules;
mod site;
mod table;
mod user_mapping;

pub use oriel_model::import::Left;
pub use plan::{Plan, PlannedMachine, PlannedPool, plan};
pub use rows::{ConnectionRow, GroupRow, MemberRow, ParameterRow, PermissionRow, Rows, SharingRow, UserRow};
pub use site::{Connection, Person, Site};
pub use table::{Parameter, Status, TABLE, markdown};
pub use user_mapping::{ParseError, parse as parse_user_mapping};

/// Largest user-mapping.xml that is read, in bytes.
pub const FILE_BYTES_MAX: usize = 16 << 20;
/// Most people, connections, and parameters of one connection.
pub const PEOPLE_MAX: usize = 20_000;
pub const CONNECTIONS_MAX: usize = 20_000;
pub const PARAMETERS_MAX: usize = 256;
/// Longest name or value, in bytes.
pub const TEXT_BYTES_MAX: usize = 64 << 10;
