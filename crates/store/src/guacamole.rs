//! Another program's database: Apache Guacamole's on PostgreSQL, MySQL or MariaDB (its schema since 1.0), read once and never written.

use crate::foreign::{Foreign, ForeignError, Program};
use oriel_guacamole::{
    CONNECTIONS_MAX, ConnectionRow, GroupRow, MemberRow, PARAMETERS_MAX, PEOPLE_MAX, ParameterRow, PermissionRow, Rows,
    SharingRow, UserRow,
};

const GUACAMOLE: Program = Program {
    whose: "Guacamole's",
    since: "1.0",
    postgres: true,
    address: "postgres://user:password@host/name or mysql://user:password@host/name",
};

/// All rows that mean something to Oriel, as they are at one moment.
pub async fn read_guacamole(url: &str) -> Result<Rows, ForeignError> {
    let foreign = Foreign::open(url, GUACAMOLE).await?;
    let rows = Rows {
        groups: foreign.all(
            "SELECT CAST(connection_group_id AS {int}) AS id, CAST(parent_id AS {int}) AS parent, CAST(connection_group_name AS {text}) AS name, \
             CAST(type AS {text}) = 'BALANCING' AS balancing, \
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
        connections: foreign.all(
            "SELECT CAST(connection_id AS {int}) AS id, CAST(parent_id AS {int}) AS parent, CAST(connection_name AS {text}) AS name, \
             CAST(protocol AS {text}) AS protocol, \
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
        parameters: foreign.all(
            "SELECT CAST(connection_id AS {int}) AS connection, CAST(parameter_name AS {text}) AS name, CAST(parameter_value AS {text}) AS value \
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
        users: foreign.all(
            "SELECT CAST(u.entity_id AS {int}) AS entity, CAST(e.name AS {text}) AS name, u.disabled AS disabled, \
             EXISTS (SELECT 1 FROM guacamole_system_permission p \
                     WHERE p.entity_id = u.entity_id AND CAST(p.permission AS {text}) = 'ADMINISTER') AS admin, \
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
        members: foreign.all(
            "SELECT CAST(g.entity_id AS {int}) AS team, CAST(m.member_entity_id AS {int}) AS member \
             FROM guacamole_user_group_member m JOIN guacamole_user_group g ON g.user_group_id = m.user_group_id \
             WHERE NOT g.disabled ORDER BY 1, 2",
            PEOPLE_MAX * 8,
            |row| Ok(MemberRow { group: row.try_get("", "team")?, member: row.try_get("", "member")? }),
        )
        .await?,
        permissions: foreign.all(
            "SELECT CAST(entity_id AS {int}) AS entity, CAST(connection_id AS {int}) AS connection \
             FROM guacamole_connection_permission WHERE CAST(permission AS {text}) = 'READ' ORDER BY 1, 2",
            PEOPLE_MAX * 16,
            |row| Ok(PermissionRow { entity: row.try_get("", "entity")?, connection: row.try_get("", "connection")? }),
        )
        .await?,
        sharing: foreign.all(
            "SELECT CAST(sharing_profile_name AS {text}) AS name, CAST(primary_connection_id AS {int}) AS connection \
             FROM guacamole_sharing_profile ORDER BY 2, 1",
            CONNECTIONS_MAX,
            |row| Ok(SharingRow { name: row.try_get("", "name")?, connection: row.try_get("", "connection")? }),
        )
        .await?,
    };
    foreign.close().await?;
    Ok(rows)
}
