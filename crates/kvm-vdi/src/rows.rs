//! The rows of kvm-vdi's database that mean something to Oriel (its schema of 2016 to 2018).

use crate::ROWS_MAX;

/// Tables that are read.
pub const TABLES: [&str; 9] =
    ["ad_groups", "clients", "hypervisors", "pool", "poolmap", "poolmap_ad", "poolmap_vm", "users", "vms"];

/// `hypervisors`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HypervisorRow {
    pub id: i64,
    pub name: String,
    pub address: String,
    pub maintenance: bool,
}

/// `vms`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MachineRow {
    pub id: i64,
    pub name: String,
    /// Its hypervisor's id; on OpenStack it means nothing.
    pub hypervisor: i64,
    /// `machine_type`: `simplemachine`, `sourcemachine`, `initialmachine`, `vdimachine`, `import`.
    pub kind: String,
    /// `source_volume`: the id of the machine that it was made from.
    pub source: Option<i64>,
    /// `snapshot`: what is changed in it is gone when it is switched off.
    pub forgets: bool,
    /// `os_type`: `windows` or `linux`.
    pub os: String,
}

/// `pool`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolRow {
    pub id: i64,
    pub name: String,
}

/// `clients`: people who get desktops.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientRow {
    pub id: i64,
    pub name: String,
    /// Active Directory or LDAP knows the password.
    pub domain: bool,
}

/// `ad_groups`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdGroupRow {
    pub id: i64,
    pub name: String,
}

/// `poolmap`, `poolmap_ad`, `poolmap_vm`: a pool, and who or what is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkRow {
    pub pool: i64,
    pub member: i64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows {
    pub hypervisors: Vec<HypervisorRow>,
    pub machines: Vec<MachineRow>,
    pub pools: Vec<PoolRow>,
    pub clients: Vec<ClientRow>,
    pub groups: Vec<AdGroupRow>,
    /// `users`: names of kvm-vdi's administrators.
    pub admins: Vec<String>,
    pub pool_clients: Vec<LinkRow>,
    pub pool_groups: Vec<LinkRow>,
    pub pool_machines: Vec<LinkRow>,
}

/// Why a row is not one of kvm-vdi's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RowError {
    #[error("a row of {table} has no {column}")]
    Missing { table: &'static str, column: &'static str },
    #[error("{column} of a row of {table} is no number")]
    NotANumber { table: &'static str, column: &'static str },
    #[error("{table} has more than {ROWS_MAX} rows, more than Oriel brings in at once")]
    TooMany { table: &'static str },
}

/// What kvm-vdi writes into columns that say yes.
pub fn is_on(value: &str) -> bool {
    matches!(value, "true" | "1")
}

/// One row: columns and what is in them.
pub(crate) struct Fields<'a> {
    pub table: &'static str,
    pub columns: &'a [String],
    pub values: &'a [Option<String>],
}

impl Fields<'_> {
    /// Empty where it is NULL or where this version of the schema has no such column.
    fn loose(&self, column: &str) -> &str {
        let at = self.columns.iter().position(|name| name.eq_ignore_ascii_case(column));
        at.and_then(|at| self.values.get(at)).and_then(Option::as_deref).unwrap_or_default()
    }

    fn text(&self, column: &'static str) -> Result<String, RowError> {
        match self.loose(column) {
            "" => Err(RowError::Missing { table: self.table, column }),
            text => Ok(text.to_owned()),
        }
    }

    fn number(&self, column: &'static str) -> Result<i64, RowError> {
        let text = self.text(column)?;
        text.trim().parse().map_err(|_| RowError::NotANumber { table: self.table, column })
    }
}

impl Rows {
    /// A row of one of [`TABLES`].
    pub(crate) fn add(&mut self, fields: &Fields<'_>) -> Result<(), RowError> {
        let table = fields.table;
        let link =
            |member| Ok::<_, RowError>(LinkRow { pool: fields.number("poolid")?, member: fields.number(member)? });
        let rows = match table {
            "hypervisors" => {
                let (name, address) = (fields.loose("name").to_owned(), fields.loose("ip").to_owned());
                self.hypervisors.push(HypervisorRow {
                    id: fields.number("id")?,
                    name: if name.is_empty() { address.clone() } else { name },
                    address,
                    maintenance: is_on(fields.loose("maintenance")),
                });
                self.hypervisors.len()
            }
            "vms" => {
                self.machines.push(MachineRow {
                    id: fields.number("id")?,
                    name: fields.text("name")?,
                    hypervisor: fields.loose("hypervisor").trim().parse().unwrap_or_default(),
                    kind: fields.loose("machine_type").to_owned(),
                    source: fields.loose("source_volume").trim().parse().ok(),
                    forgets: is_on(fields.loose("snapshot")),
                    os: fields.loose("os_type").to_owned(),
                });
                self.machines.len()
            }
            "pool" => {
                self.pools.push(PoolRow { id: fields.number("id")?, name: fields.text("name")? });
                self.pools.len()
            }
            "clients" => {
                self.clients.push(ClientRow {
                    id: fields.number("id")?,
                    name: fields.text("username")?,
                    domain: is_on(fields.loose("isdomain")),
                });
                self.clients.len()
            }
            "ad_groups" => {
                self.groups.push(AdGroupRow { id: fields.number("id")?, name: fields.text("name")? });
                self.groups.len()
            }
            "users" => {
                self.admins.push(fields.text("username")?);
                self.admins.len()
            }
            "poolmap" => {
                self.pool_clients.push(link("clientid")?);
                self.pool_clients.len()
            }
            "poolmap_ad" => {
                self.pool_groups.push(link("groupid")?);
                self.pool_groups.len()
            }
            "poolmap_vm" => {
                self.pool_machines.push(link("vmid")?);
                self.pool_machines.len()
            }
            _ => 0,
        };
        if rows > ROWS_MAX { Err(RowError::TooMany { table }) } else { Ok(()) }
    }
}
