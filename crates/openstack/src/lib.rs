//! The room that speaks OpenStack: a client of some forty calls (Keystone, Nova, Glance, Neutron, Placement, Cinder), and the doctor
//! of a cloud.
//!
//! [`Clouds`] reads `clouds.yaml`; a [`Client`] is one region of one cloud, signed in. It renews its token before it ends and once
//! when it is refused, waits where the cloud asks for patience, speaks the newest microversion that both sides know, and reads
//! answers totally: of a cloud's words nothing is believed to be short, or there. [`doctor::doctor`] says what is wrong with a cloud.
//!
//! <https://docs.openstack.org/api-quick-start/> leads to the description of each API.

mod access;
mod answer;
mod catalog;
mod client;
mod clouds;
mod compute_service;
mod console;
pub mod doctor;
mod error;
mod flavor;
mod floating;
mod http;
mod image;
mod microversion;
mod moving;
mod network;
mod placement;
mod quota;
mod security;
mod server;
mod server_group;
mod token;
mod volume;
mod volume_snapshot;
mod why;

pub use access::{ACCESS_RULES, AccessRule, lacking_rules, needed_rules};
pub use catalog::{Catalog, Endpoint, Service};
pub use client::Client;
pub use clouds::{Cloud, Clouds, CloudsError, CredentialName, Domain, Interface, Project, SignIn, UserName};
pub use compute_service::ComputeService;
pub use console::{Console, ConsoleAddress, ConsoleKind, OpenConsole};
pub use error::OpenStackError;
pub use flavor::{Flavor, GpuAsk};
pub use floating::FloatingAddress;
pub use http::Options;
pub use image::Image;
pub use microversion::{COMPUTE_KNOWN_MAX, COMPUTE_MIN, Features, Microversion, Versions};
pub use moving::ServerSnapshot;
pub use network::{Network, Port};
pub use placement::{Candidates, Inventory, Provider};
pub use quota::{Quotas, Use};
pub use security::{Opening, SecurityGroup, SecurityRule};
pub use server::{
    Attach, Fault, NewServer, NewVolume, Reboot, Rebuild, Server, ServerFilter, ServerStatus, USER_DATA_BYTES_MAX,
};
pub use server_group::ServerGroup;
pub use token::Token;
pub use volume::{ImageVolume, Volume, VolumeQuotas};
pub use volume_snapshot::VolumeSnapshot;
