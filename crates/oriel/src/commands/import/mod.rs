//! `oriel import`: what another program keeps, made here through the API.

mod guacamole;
mod kvm_vdi;
mod people;
mod report;

use crate::{client::Client, failure::Done};
use clap::Subcommand;

#[derive(Subcommand)]
pub enum Command {
    /// Connections, groups, people and permissions of Apache Guacamole
    Guacamole(guacamole::Guacamole),
    /// Pools, clients, groups of Active Directory, machines and hypervisors of kvm-vdi
    KvmVdi(kvm_vdi::KvmVdi),
}

impl Command {
    pub async fn run(self, client: &Client) -> Done {
        match self {
            Self::Guacamole(guacamole) => guacamole.run(client).await,
            Self::KvmVdi(kvm_vdi) => kvm_vdi.run(client).await,
        }
    }
}
