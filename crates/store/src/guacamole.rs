//! Another program's database: Apache Guacamole's on PostgreSQL (its schema since 1.0), read once and never written.

use crate::{StoreError, connect};
use oriel_guacamole::{
    CONNECTIONS_MAX, ConnectionRow, GroupRow, MemberRow, PARAMETERS_MAX, PEOPLE_MAX, ParameterRow, PermissionRow, Rows,
    SharingRow, UserRow,
};
use sea_orm::{
    AccessMode, ConnectOptions, ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, QueryResult, Statement,
    TransactionOptions, TransactionTrait,
};

#[derive(Debug, thiserror::Error)]
pub enum GuacamoleError {
    #[error(
        "{scheme:?} is not a database that can be read: Guacamole's on PostgreSQL can, as postgres://user:password@host/name"
    )]
    BadUrl { scheme: String },
    #[error("cannot reach Guacamole's database: check that it runs and that the address and login are right")]
    Unreachable { source: StoreError },
    #[error(
        "the database does not answer as Guacamole's since 1.0 does: check that it is the right one, and that the login may read it"
    )]
    NotGuacamole { source: DbErr },
    #[error("Guacamole's database holds more than {most} rows of one kind, more than Oriel brings in at once")]
    TooMany { most: usize },
}

impl From<DbErr> for GuacamoleError {
    fn from(source: DbErr) -> Self {
        Self::NotGuacamole { source }
    }
}

/// All rows that mean something to Oriel, as they are at one moment.
pub async fn read_guacamole(url: &str) -> Result<Rows, GuacamoleError> {
    if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        let scheme = url.split("://").next().unwrap_or_default();
        return Err(GuacamoleError::BadUrl { scheme: scheme.to_owned() });
    }
    let database =
        connect(ConnectOptions::new(url), 1).await.map_err(|source| GuacamoleError::Unreachable { source })?;
    let look = TransactionOptions {
        isolation_level: Some(sea_orm::IsolationLevel::RepeatableRead),
        access_mode: Some(AccessMode::ReadOnly),
        ..TransactionOptions::default()
    };
    let txn = database.begin_with_options(look).await?;
    let rows = Rows {
        groups: all(
            &txn,
            "SELECT connection_group_id::bigint AS id, parent_id::bigint AS parent, connection_group_name::text AS name, \
             type::text = 'BALANCING' AS balancing, \
             (max_connections IS NOT NULL OR max_connections_per_user IS NOT NULL \
              OR EXISTS (SELECT 1 FROM guacamole_connection_group_attribute a \
                         WHERE a.connection_group_id = g.connection_group_id)) AS limited \
             FROM guacamole_connection_group g ORDER BY 1",
            CONNECTIONS_MAX,
            |row| {
                Ok(GroupRow {
                    id: row.try_get("", "id")?,
                    parent: row.try_get("", "parent")?,
                    name: row.try_get("", "name")?,
                    balancing: row.try_get("", "balancing")?,
                    limited: row.try_get("", "limited")?,
                })
            },
        )
        .await?,
        connections: all(
            &txn,
            "SELECT connection_id::bigint AS id, parent_id::bigint AS parent, connection_name::text AS name, \
             protocol::text AS protocol, \
             (max_connections IS NOT NULL OR max_connections_per_user IS NOT NULL OR connection_weight IS NOT NULL \
              OR failover_only OR proxy_hostname IS NOT NULL \
              OR EXISTS (SELECT 1 FROM guacamole_connection_attribute a WHERE a.connection_id = c.connection_id)) AS limited \
             FROM guacamole_connection c ORDER BY 1",
            CONNECTIONS_MAX,
            |row| {
                Ok(ConnectionRow {
                    id: row.try_get("", "id")?,
                    parent: row.try_get("", "parent")?,
                    name: row.try_get("", "name")?,
                    protocol: row.try_get("", "protocol")?,
                    limited: row.try_get("", "limited")?,
                })
            },
        )
        .await?,
        parameters: all(
            &txn,
            "SELECT connection_id::bigint AS connection, parameter_name::text AS name, parameter_value::text AS value \
             FROM guacamole_connection_parameter ORDER BY 1, 2",
            CONNECTIONS_MAX * PARAMETERS_MAX / 8,
            |row| {
                Ok(ParameterRow {
                    connection: row.try_get("", "connection")?,
                    name: row.try_get("", "name")?,
                    value: row.try_get("", "value")?,
                })
            },
        )
        .await?,
        users: all(
            &txn,
            "SELECT u.entity_id::bigint AS entity, e.name::text AS name, u.disabled AS disabled, \
             EXISTS (SELECT 1 FROM guacamole_system_permission p \
                     WHERE p.entity_id = u.entity_id AND p.permission::text = 'ADMINISTER') AS admin, \
             (u.access_window_start IS NOT NULL OR u.access_window_end IS NOT NULL OR u.valid_from IS NOT NULL \
              OR u.valid_until IS NOT NULL \
              OR EXISTS (SELECT 1 FROM guacamole_user_attribute a WHERE a.user_id = u.user_id)) AS restricted \
             FROM guacamole_user u JOIN guacamole_entity e ON e.entity_id = u.entity_id ORDER BY 2",
            PEOPLE_MAX,
            |row| {
                Ok(UserRow {
                    entity: row.try_get("", "entity")?,
                    name: row.try_get("", "name")?,
                    disabled: row.try_get("", "disabled")?,
                    admin: row.try_get("", "admin")?,
                    restricted: row.try_get("", "restricted")?,
                })
            },
        )
        .await?,
        members: all(
            &txn,
            "SELECT g.entity_id::bigint AS of, m.member_entity_id::bigint AS member \
             FROM guacamole_user_group_member m JOIN guacamole_user_group g ON g.user_group_id = m.user_group_id \
             WHERE NOT g.disabled ORDER BY 1, 2",
            PEOPLE_MAX * 8,
            |row| Ok(MemberRow { group: row.try_get("", "of")?, member: row.try_get("", "member")? }),
        )
        .await?,
        permissions: all(
            &txn,
            "SELECT entity_id::bigint AS entity, connection_id::bigint AS connection \
             FROM guacamole_connection_permission WHERE permission::text = 'READ' ORDER BY 1, 2",
            PEOPLE_MAX * 16,
            |row| Ok(PermissionRow { entity: row.try_get("", "entity")?, connection: row.try_get("", "connection")? }),
        )
        .await?,
        sharing: all(
            &txn,
            "SELECT sharing_profile_name::text AS name, primary_connection_id::bigint AS connection \
             FROM guacamole_sharing_profile ORDER BY 2, 1",
            CONNECTIONS_MAX,
            |row| Ok(SharingRow { name: row.try_get("", "name")?, connection: row.try_get("", "connection")? }),
        )
        .await?,
    };
    txn.rollback().await?;
    database.close().await?;
    Ok(rows)
}

async fn all<T>(
    txn: &DatabaseTransaction,
    sql: &str,
    most: usize,
    read: impl Fn(&QueryResult) -> Result<T, DbErr>,
) -> Result<Vec<T>, GuacamoleError> {
    let limited = format!("{sql} LIMIT {}", most + 1);
    let rows = txn.query_all_raw(Statement::from_string(DbBackend::Postgres, limited)).await?;
    if rows.len() > most {
        return Err(GuacamoleError::TooMany { most });
    }
    rows.iter().map(|row| read(row).map_err(GuacamoleError::from)).collect()
}
