//! Another program's database: kvm-vdi's on MySQL or MariaDB (its schema of 2016 to 2018), read once and never written.

use crate::foreign::{Foreign, ForeignError, Program};
use oriel_kvm_vdi::{AdGroupRow, ClientRow, HypervisorRow, LinkRow, MachineRow, PoolRow, ROWS_MAX, Rows, is_on};

const KVM_VDI: Program =
    Program { whose: "kvm-vdi's", since: "2016", postgres: false, address: "mysql://user:password@host/name" };

/// All rows that mean something to Oriel, as they are at one moment. What is NULL is read as in a dump: as nothing.
pub async fn read_kvm_vdi(url: &str) -> Result<Rows, ForeignError> {
    let foreign = Foreign::open(url, KVM_VDI).await?;
    let rows = Rows {
        hypervisors: foreign
            .all(
                "SELECT CAST(id AS {int}) AS id, COALESCE(CAST(name AS {text}), '') AS name, \
                 COALESCE(CAST(ip AS {text}), '') AS address, COALESCE(CAST(maintenance AS {text}), '') AS maintenance FROM hypervisors ORDER BY 1",
                ROWS_MAX,
                |row| {
                    let (name, address): (String, String) = (row.try_get("", "name")?, row.try_get("", "address")?);
                    Ok(HypervisorRow {
                        id: row.try_get("", "id")?,
                        name: if name.is_empty() { address.clone() } else { name },
                        address,
                        maintenance: is_on(&row.try_get::<String>("", "maintenance")?),
                    })
                },
            )
            .await?,
        machines: foreign
            .all(
                "SELECT CAST(id AS {int}) AS id, CAST(name AS {text}) AS name, \
                 COALESCE(CAST(hypervisor AS {int}), 0) AS hypervisor, COALESCE(CAST(machine_type AS {text}), '') AS kind, \
                 COALESCE(CAST(source_volume AS {text}), '') AS source, COALESCE(CAST(snapshot AS {text}), '') AS forgets, \
                 COALESCE(CAST(os_type AS {text}), '') AS os FROM vms ORDER BY 1",
                ROWS_MAX,
                |row| {
                    Ok(MachineRow {
                        id: row.try_get("", "id")?,
                        name: row.try_get("", "name")?,
                        hypervisor: row.try_get("", "hypervisor")?,
                        kind: row.try_get("", "kind")?,
                        source: row.try_get::<String>("", "source")?.trim().parse().ok(),
                        forgets: is_on(&row.try_get::<String>("", "forgets")?),
                        os: row.try_get("", "os")?,
                    })
                },
            )
            .await?,
        pools: foreign
            .all(
                "SELECT CAST(id AS {int}) AS id, CAST(name AS {text}) AS name FROM pool ORDER BY 1",
                ROWS_MAX,
                |row| Ok(PoolRow { id: row.try_get("", "id")?, name: row.try_get("", "name")? }),
            )
            .await?,
        clients: foreign
            .all(
                "SELECT CAST(id AS {int}) AS id, CAST(username AS {text}) AS name, \
                 COALESCE(CAST(isdomain AS {text}), '') AS domain FROM clients ORDER BY 1",
                ROWS_MAX,
                |row| {
                    Ok(ClientRow {
                        id: row.try_get("", "id")?,
                        name: row.try_get("", "name")?,
                        domain: is_on(&row.try_get::<String>("", "domain")?),
                    })
                },
            )
            .await?,
        groups: foreign
            .all(
                "SELECT CAST(id AS {int}) AS id, CAST(name AS {text}) AS name FROM ad_groups ORDER BY 1",
                ROWS_MAX,
                |row| Ok(AdGroupRow { id: row.try_get("", "id")?, name: row.try_get("", "name")? }),
            )
            .await?,
        admins: foreign
            .all("SELECT CAST(username AS {text}) AS name FROM users ORDER BY 1", ROWS_MAX, |row| {
                row.try_get("", "name")
            })
            .await?,
        pool_clients: links(&foreign, "poolmap", "clientid").await?,
        pool_groups: links(&foreign, "poolmap_ad", "groupid").await?,
        pool_machines: links(&foreign, "poolmap_vm", "vmid").await?,
    };
    foreign.close().await?;
    Ok(rows)
}

async fn links(foreign: &Foreign, table: &'static str, member: &'static str) -> Result<Vec<LinkRow>, ForeignError> {
    let sql = format!(
        "SELECT CAST(poolid AS {{int}}) AS pool, CAST({member} AS {{int}}) AS member FROM {table} ORDER BY 1, 2"
    );
    foreign
        .all(&sql, ROWS_MAX, |row| Ok(LinkRow { pool: row.try_get("", "pool")?, member: row.try_get("", "member")? }))
        .await
}
